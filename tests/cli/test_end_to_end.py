"""From nothing to a video: render people, prepare their videos, train on both, animate a photo."""

import json
from pathlib import Path

import av
import pytest

import bdmm as package
from bdmm.network.weights import load_weights

PHOTO = Path(package.__file__).parent / "assets" / "samples" / "person.jpg"
SMALL = ("--size", "128", "--workers", "0", "--quiet")


@pytest.mark.slow
def test_all_commands_in_a_row(bdmm, tmp_path: Path, short_motion: Path) -> None:
    people = bdmm("synth", "-o", "people", "--clips", "2", "--frames", "12", *SMALL)
    assert people.code == 0, people.err
    (tmp_path / "films").mkdir()
    for clip in sorted((tmp_path / "people" / "clips").iterdir()):
        (film,) = clip.glob("frames.*")
        (tmp_path / "films" / f"{clip.name}{film.suffix}").write_bytes(film.read_bytes())

    prepared = bdmm("prepare", "films", "-o", "clips", *SMALL)
    assert prepared.code == 0, prepared.err
    assert len(json.loads((tmp_path / "clips" / "report.json").read_text())["clips"]) == 2

    train = ("train", "--preset", "layered", "--split", "all", "--data", "people", "clips")
    quick = ("--windows", "1", "--crop", "112", "80", "--without", "perceptual", "--quiet")
    trained = bdmm(*train, "-o", "run", "--steps", "20", *quick)
    assert trained.code == 0, trained.err
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").open()]
    assert lines[-1]["step"] == 20
    assert lines[-1]["losses"]["total"] > 0
    config, _ = load_weights(tmp_path / "run")
    assert config.head == "layers"

    made = bdmm(
        "animate", PHOTO, short_motion, "-o", "out.mp4", "--weights", "run", "--size", "128"
    )
    assert made.code == 0, made.err
    assert "layered" in made.out
    with av.open(str(tmp_path / "out.mp4")) as video:
        frames = list(video.decode(video=0))
    assert len(frames) == 8
    assert min(frames[0].width, frames[0].height) == 128
