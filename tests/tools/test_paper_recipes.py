"""The full-scale recipes: every command exists, and a rehearsal goes through all of them."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("lightning_fabric")
sys.path.insert(0, str(Path(__file__).parents[2] / "recipes"))
import paper_fashion
import paper_iper

from bdmm.batch.run import Run
from bdmm.cli.app import COMMANDS
from bdmm.data.synth import SynthOptions, synthesise


def made_up(root: Path, iper: bool) -> Path:
    """Write a data set of three short videos in a published layout: rendered people."""
    people = root / "people"
    synthesise(SynthOptions(3, size=192, frames=8, sources=0, background="studio"), Run(people))
    films = [clip / "frames.mp4" for clip in sorted((people / "clips").iterdir())]
    data = root / "data"
    names = ["001_1_1", "001_1_2", "002_1_1"] if iper else ["a", "b", "c"]
    place = data / ("iPER_256_video_release" if iper else "videos")
    place.mkdir(parents=True)
    for film, name in zip(films, names, strict=True):
        (place / f"{name}.mp4").write_bytes(film.read_bytes())
    first, second = ("train.txt", "val.txt") if iper else ("fashion_train.txt", "fashion_test.txt")
    lines = [one.replace("_", "/") if iper else f"https://cdn/{one}.mp4" for one in names]
    (data / first).write_text("\n".join(lines[:2]))
    (data / second).write_text(lines[2])
    return data


@pytest.mark.parametrize("experiment", [paper_fashion.FASHION, paper_iper.IPER])
def test_the_whole_is_the_papers_budget_and_protocol(experiment, tmp_path: Path) -> None:
    words = [str(tmp_path), "-o", str(tmp_path / "out"), "--vgg", "v", "--detectors", "d"]
    options = paper_fashion.parse(experiment, words)
    commands = paper_fashion.commands(experiment, options)
    assert [one[0] for one in commands] == ["prepare", "prepare", "train", "evaluate", "table"]
    assert all(one[0] in COMMANDS for one in commands)
    train, evaluate = commands[2], commands[3]
    assert train[train.index("--steps") + 1] == "50000"
    assert train[train.index("--windows") + 1] == "5"
    assert "--without" not in train
    assert evaluate[evaluate.index("--protocol") + 1] == "paper"
    assert commands[1][commands[1].index("--split") + 1] == experiment.test
    assert paper_fashion.estimate(options) == "No step was logged."


@pytest.mark.slow
@pytest.mark.parametrize("experiment", [paper_fashion.FASHION, paper_iper.IPER])
def test_a_rehearsal_goes_through_every_stage(experiment, tmp_path: Path, capsys) -> None:
    data = made_up(tmp_path, iper=experiment is paper_iper.IPER)
    out = tmp_path / "out"
    words = [str(data), "-o", str(out), "--rehearse", "--cpu", "--workers", "0"]
    assert paper_fashion.main(experiment, words) == 0
    said = capsys.readouterr().out
    assert "50000 steps of 5 windows at 256 pixels on this machine: about" in said
    table = (out / "table" / "table.md").read_text()
    assert "BDMM, trained here" in table
    assert "DPTN" in table
    assert paper_fashion.main(experiment, words) == 0  # nothing is done twice


def test_a_folder_without_the_data_set_is_refused(tmp_path: Path, capsys) -> None:
    words = [str(tmp_path / "no"), "-o", str(tmp_path / "out"), "--rehearse", "--workers", "0"]
    assert paper_fashion.main(paper_fashion.FASHION, words) == 2
    assert "does not exist" in capsys.readouterr().err
