"""Clips of systems become rows on disk and means; what is finished is not done again."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from bdmm.batch.distributor import Distributor
from bdmm.config import NetworkConfig
from bdmm.errors import InputError
from bdmm.evaluation.config import EvalConfig
from bdmm.evaluation.evaluate import evaluate_clips
from bdmm.evaluation.jobs.reenactment import choose_clips
from bdmm.evaluation.jobs.scores import ClipResult, Failure, gather, read_rows
from bdmm.evaluation.reports.report_file import ROWS, Report, load_report, save_report
from bdmm.metrics.running import Summary
from bdmm.network.generator import Generator
from bdmm.network.weights import save_weights


def test_the_warp_beats_the_copied_source(report: Report) -> None:
    means = {name: report.results.groups[name]["walk"] for name in ("copy", "coarse")}
    for region in ("frame", "person"):
        ours, copied = means["coarse"][region], means["copy"][region]
        assert ours["ssim"].mean > copied["ssim"].mean
        assert ours["psnr"].mean > copied["psnr"].mean + 3
        assert ours["l1"].mean < copied["l1"].mean / 2
        assert ours["ssim"].frames == 6
    assert means["copy"]["frame"]["warping"].frames == 5
    assert math.isnan(means["copy"]["frame"]["ssim"].deviation), "one clip does not differ"


def test_weights_are_scored_beside_the_baselines(clip_folder: Path, tmp_path: Path) -> None:
    config = NetworkConfig(joints=18, widths=(4, 6), style_widths=(4, 6))
    save_weights(tmp_path / "tiny.safetensors", Generator(config).state_dict(), config)
    weights = (f"ours={tmp_path / 'tiny.safetensors'}",)
    scored = evaluate_clips(weights, [clip_folder], tmp_path / "report", EvalConfig(first=3))
    assert scored.names == ["copy", "coarse", "ours"]
    assert len(str(scored.systems[2]["sha256"])) == 64
    assert scored.results.groups["ours"]["walk"]["person"]["l1"].frames == 2
    assert scored.results.groups["ours"]["walk"]["frame"]["l1"].mean > 0.05, "it is untrained"
    assert not scored.results.failures


@pytest.mark.slow
def test_several_processes_come_to_the_same(
    report: Report, clip_folder: Path, tmp_path: Path
) -> None:
    config = EvalConfig(first=7, distributor=Distributor(2), pictures=1)
    both = evaluate_clips((), [clip_folder], tmp_path / "report", config)
    assert both.results == report.results


def test_means_are_those_of_the_rows_on_disk(report: Report, report_folder: Path) -> None:
    for clip in report.results.clips:
        rows = list(read_rows(report_folder / ROWS / clip.rows_file))
        assert [row.frame for row in rows] == [1, 2, 3, 4, 5, 6]
        mean = sum(row.scores["person"]["l1"] for row in rows) / len(rows)
        assert clip.scores["person"]["l1"].mean == pytest.approx(mean, rel=1e-12)


def test_absent_weights_are_named_and_never_replaced(report: Report) -> None:
    if "lpips_alex" in report.not_computed:
        assert "not computed: needs alexnet-owt-7be5be79.pth" in report.not_computed["lpips_alex"]
        assert "lpips_alex" not in report.results.clips[0].scores["frame"]


def test_finished_clips_are_not_scored_again(
    report: Report, clip_folder: Path, report_folder: Path
) -> None:
    rows = sorted((report_folder / ROWS).iterdir())
    times = [path.stat().st_mtime_ns for path in rows]
    rows[0].write_text(rows[0].read_text()[:-40])
    (report_folder / ROWS / ".half.bdmm-abcdefgh.jsonl").touch()
    again = evaluate_clips((), [clip_folder], report_folder, EvalConfig(first=7))
    assert again.results == report.results
    assert rows[0].stat().st_mtime_ns != times[0], "the one that was cut off is"
    assert rows[1].stat().st_mtime_ns == times[1]
    assert sorted((report_folder / ROWS).iterdir()) == rows


def test_report_is_strict_json_and_comes_back(report: Report, tmp_path: Path) -> None:
    path = save_report(tmp_path, report)
    json.loads(path.read_text(), parse_constant=pytest.fail)
    back = load_report(tmp_path)
    assert back.protocol["ssim_range"] == "full"
    assert back.versions == dict(report.versions)
    (tmp_path / "copy").mkdir()
    assert save_report(tmp_path / "copy", back).read_text() == path.read_text()
    whole = path.read_text()
    for damaged in (whole[:-9], whole.replace("25.0", "Infinity"), whole.replace("25.0", "1e999")):
        path.write_text(damaged)
        with pytest.raises(InputError, match=r"report\.json is damaged"):
            load_report(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        load_report(tmp_path / "none")


def _clip(system: str, name: str, value: float, frames: int) -> ClipResult:
    summary = Summary(value, 0.0, frames, int(math.isnan(value)))
    return ClipResult(system, name, name[0], frames, 25.0, {"frame": {"ssim": summary}})


def test_systems_are_compared_on_the_clips_that_all_were_scored_on() -> None:
    clips = [_clip("x", "a1", 0.5, 10), _clip("x", "b1", 0.9, 30), _clip("y", "a1", 0.4, 10)]
    results = gather(clips, [Failure("y", "b1", "broken")])
    assert results.left_out == ("b1",)
    assert results.groups["x"]["a"]["frame"]["ssim"].mean == 0.5
    both = gather(clips[:2]).groups["x"]["all"]["frame"]["ssim"]
    assert both.mean == pytest.approx(0.8), "over frames, not over clips"
    assert both.deviation == pytest.approx(0.2), "of the clips' means"
    undefined = gather([clips[0], _clip("x", "a2", math.nan, 5)]).groups["x"]["a"]
    assert math.isnan(undefined["frame"]["ssim"].mean)
    same = replace(clips[1], scores={"frame": {"ssim": Summary(math.inf, math.nan, 0, 0, 30)}})
    some = gather([clips[0], same]).groups["x"]["all"]["frame"]["ssim"]
    assert (some.mean, some.frames, some.exact) == (0.5, 10, 30), "an infinite clip is left out"


def test_choice_of_clips(clip_folder: Path) -> None:
    with pytest.raises(InputError, match="None of the 1 clips is of the split test"):
        choose_clips([clip_folder], split="test")
    with pytest.raises(InputError, match="Two clips are called walk_1"):
        choose_clips([clip_folder, clip_folder])


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(InputError, match="every 0th frame"):
        EvalConfig(features_every=0)
    with pytest.raises(InputError, match="number of first frames is 0"):
        EvalConfig(first=0)
    with pytest.raises(InputError, match="no protocol 'old'"):
        EvalConfig("old")


def test_reports_of_the_first_version_are_read(report: Report, tmp_path: Path) -> None:
    path = save_report(tmp_path, report)
    content = json.loads(path.read_text())
    old = content["settings"].pop("reenactment")
    content["settings"]["casting"] = {**old, "frames": old.pop("first")}
    path.write_text(json.dumps(content))
    assert load_report(path).settings == report.settings
