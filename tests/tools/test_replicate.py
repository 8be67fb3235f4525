"""The study in the small: its order, what it refuses, its statistics and its page."""

import gzip
import json
import math
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("lightning_fabric")
sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
sys.path.insert(0, str(Path(__file__).parents[2] / "recipes"))
import replicate
import replication_page
from replication_evaluation import numbers_of, read_results

from bdmm.config import LossConfig
from bdmm.data.clip_store import PreparedClip
from bdmm.errors import InputError
from bdmm.evaluation.ablation import study
from bdmm.evaluation.jobs.scores import ClipResult, DistributionDistance, gather
from bdmm.metrics.running import Summary
from bdmm.network.weights import load_weights
from bdmm.training.settings import TRAIN_PRESETS

METRICS = [key for key, _, _, _ in replication_page.METRICS if key != "frechet"]


@pytest.fixture
def options(clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a study of one clip, without the losses that need VGG-19."""
    for what in ("people64", "held64"):
        shutil.copytree(clip_folder, tmp_path / what / "clips" / what)
        path = tmp_path / what / "clips" / what / "clip.json"
        split = "train" if what == "people64" else "test"
        text = path.read_text().replace('"split": "train"', f'"split": "{split}"')
        path.write_text(text)
    bare = LossConfig(perceptual=0.0, style=0.0, contextual=0.0)
    preset = replace(TRAIN_PRESETS["paper-small"], losses=bare)
    monkeypatch.setattr(replicate, "TRAIN_PRESETS", {"paper-small": preset})
    return replicate.Options(tmp_path, tmp_path / "vgg", steps=1, processes=0, most=1)


def test_every_row_is_planned_and_the_most_telling_come_first() -> None:
    jobs = replicate.run_order()
    assert len(set(jobs)) == len(jobs) == 34
    assert {job.key for job in jobs} == set(study.ROWS)
    assert jobs[:3] == [replicate.RunJob(key, 0) for key in ("full", "no-backward", "no-dmm")]
    assert sum(job.key == "full" for job in jobs) == 3
    assert sum(job.key == "no-cx" for job in jobs) == 2


@pytest.mark.slow
def test_a_study_goes_on_where_it_stopped(options) -> None:
    assert replicate.train(options)
    run = replicate.run_folder(options, replicate.RunJob("full", 0))
    (run / study.FINISHED).unlink()  # as a kill behind the last checkpoint leaves it
    assert replicate.train(options)
    assert study.is_finished(run)
    assert [path.name for path in (run / replicate.CURVE).iterdir()] == ["000001.safetensors"]
    config, _ = load_weights(run)
    assert config.head == "rgb"
    with pytest.raises(InputError, match="another steps"):
        replicate.train(replace(options, steps=2))


def test_clips_of_another_size_and_a_missing_vgg_are_refused(options, monkeypatch) -> None:
    job = replicate.RunJob("full", 0)
    monkeypatch.setattr(replicate, "SIZE", 128)
    with pytest.raises(InputError, match="64x64 pixels; the study is made for 128x128"):
        replicate.study_of(options, job)
    monkeypatch.undo()
    with pytest.raises(InputError, match="VGG-19 weights are not at"):
        replicate.study_of(options, job)
    assert not (options.output / "ablations").exists()


def numbers(systems: dict[str, float], clips: int = 8) -> dict:
    """Return evaluated numbers: each system has one value in all metrics, a little by clip."""
    values = {
        name: {f"c{i}": dict.fromkeys(METRICS, value + i / 100) for i in range(clips)}
        for name, value in systems.items()
    }
    return {"clips": values, "frechet": dict(systems)}


def test_differences_are_paired_by_seed_and_signs_by_clip() -> None:
    scores = replication_page.Scores(
        **numbers({"full-0": 10.0, "full-1": 20.0, "no-dmm-0": 9.0, "no-dmm-1": 18.0})
    )
    row = study.ROWS["no-dmm"]
    found = scores.difference(row, "frame.psnr")
    assert found is not None
    assert found.mean == pytest.approx(-1.5)
    assert found.deviation == pytest.approx(0.5**0.5)
    assert found.certain
    assert scores.sign_test(row, "frame.psnr") == (0, 8, pytest.approx(2 / 2**8))
    assert scores.difference(study.ROWS["no-dcn"], "frame.psnr") is None
    assert replication_page.sign_test([0.0, math.nan]) == (0, 0, 1.0)


def test_the_page_shows_what_is_there_and_says_what_is_missing(tmp_path: Path) -> None:
    noise = {
        f"{row}-0, heatmaps {trial}": 20.0 - worse
        for row, worse in (("full", 0.0), ("no-backward", 0.5))
        for trial in ("clean", "drop 0.333333", "drop 1")
    }
    results = {
        "noisy": numbers({"copy": 5.0, "full-0": 10.0, "no-backward-0": 9.0}),
        "curve": numbers({"full-0 100": 9.0, "full-0 200": 10.0}),
        "noise": numbers(noise),
    }
    text = replication_page.write_page(tmp_path, results, 34, ["full-0", "no-backward-0"])
    page = text.read_text()
    assert "2 of 34 runs are finished: PARTIAL" in page
    assert "| w/o backward propagation | -1.000 |" in page
    assert "0 of 8, p = 0.0078" in page
    assert "| heatmaps | drop | 1.00 | 20.035 | 19.535 | -0.500 | 0 of 8 better alone" in page
    assert "Table 2, PSNR: 1 of 1 with the paper's sign, 0 of them beyond" in page
    for name in (replication_page.CURVE, replication_page.NOISE):
        assert (tmp_path / name).is_file()
        assert f"({name})" in page
    document = tmp_path / "docs" / "page.md"
    document.parent.mkdir()
    document.write_text(f"By hand.\n{replication_page.MARK}\nold numbers\n")
    for _ in range(2):
        replication_page.put_into(document, text)
    put = document.read_text()
    assert put.startswith("By hand.\n")
    assert "old" not in put
    assert "(images/replication_noise.png)" in put
    assert (document.parent / "images" / "replication_noise.png").is_file()
    replication_page.put_numbers(document.with_name(replication_page.NUMBERS), results)
    kept = json.loads(gzip.decompress((document.with_name(replication_page.NUMBERS)).read_bytes()))
    assert replication_page.Scores(**kept["noisy"]).value("full-0", "frame.l1") == 10.035
    document.write_text("no mark")
    with pytest.raises(InputError, match="numbers are put behind it"):
        replication_page.put_into(document, text)
    assert replication_page.write_page(tmp_path, {}, 34, []).is_file()


def test_too_few_clips_for_a_frechet_distance_leave_a_gap(clip: PreparedClip) -> None:
    mean = Summary(mean=1.0, deviation=0.0, count=1, undefined=0)
    scores = {"frame": {"psnr": mean}, "person": {"psnr": mean}}
    results = gather([ClipResult("full-0", "a", "a", 1, 25.0, scores)])
    assert numbers_of(results)["frechet"] == {}
    assert math.isnan(replication_page.Scores({"full-0": {}}, {}).value("full-0", "frechet"))
    distance = DistributionDistance(
        system="full-0",
        name="frechet_vgg19-Test",
        mean=3.0,
        count_generated=2,
        count_real=2,
        rank_deficient=True,
    )
    assert numbers_of(replace(results, sets=(distance,)))["frechet"] == {"full-0": 3.0}


def test_nothing_evaluated_is_nothing(tmp_path: Path) -> None:
    assert read_results(tmp_path) == {}
