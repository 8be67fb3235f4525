"""Any system's folders and videos are judged, and what does not belong together is told."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from bdmm.errors import InputError
from bdmm.evaluation.config import EvalConfig
from bdmm.evaluation.evaluate import score_stored
from bdmm.evaluation.jobs.scores import GroupMean, read_rows
from bdmm.evaluation.jobs.stored_frames import find_stored
from bdmm.evaluation.reports.report_file import ROWS, Report
from bdmm.media.video_writer import create_video

SIDE = 24


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (count, SIDE, SIDE, 3), dtype=np.uint8)


def fill(folder: Path, frames: Sequence[np.ndarray], name: str = "{:05d}.png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        Pillow.fromarray(frame).save(folder / name.format(number))
    return folder


@pytest.fixture
def score(tmp_path: Path) -> Callable[..., Report]:
    def score(generated: Path | str, target: Path | None, skip_bad: bool = False) -> Report:
        config = EvalConfig(skip_bad=skip_bad)
        return score_stored(str(generated), target, tmp_path / "report", config)

    return score


def only(report: Report) -> dict[str, GroupMean]:
    (groups,) = report.results.groups.values()
    return dict(groups[next(iter(groups))]["frame"])


def test_identical_sets_have_no_distance(tmp_path: Path, score: Callable[..., Report]) -> None:
    same = fill(tmp_path / "same", pictures(4))
    means = only(score(same, same))
    assert means["ssim"].mean == pytest.approx(1)
    assert means["l1"].mean == 0
    assert means["psnr"].mean == math.inf
    assert means["warping"].mean == means["warping_true"].mean


def test_clips_belong_together_by_name_and_frames_by_number(
    tmp_path: Path, score: Callable[..., Report]
) -> None:
    for seed, name in enumerate(("b_2.mp4", "a_1.mp4")):
        fill(tmp_path / "true" / name / "frames", pictures(3, seed))
        fill(tmp_path / "ours" / name.removesuffix(".mp4"), pictures(3, seed))
    report = score(f"ours={tmp_path / 'ours'}", tmp_path / "true")
    assert report.names == ["ours"]
    assert [one.clip for one in report.results.clips] == ["a_1", "b_2"]
    assert list(report.results.groups["ours"]) == ["all", "a", "b"]
    assert only(report)["l1"].mean == 0
    assert "prepared clips" in report.not_computed["person, face, hands"]


def test_videos_are_read(tmp_path: Path, score: Callable[..., Report]) -> None:
    smooth = pictures(4) // 16 + 100
    with create_video(tmp_path / "true.mp4", Fraction(10)) as video:
        for frame in smooth:
            video.write(frame)
    report = score(tmp_path / "true.mp4", tmp_path / "true.mp4")
    assert report.results.clips[0].fps == 10
    assert only(report)["l1"].mean == 0


def test_strips_of_the_paper_hold_their_truth(tmp_path: Path, score: Callable[..., Report]) -> None:
    frames = pictures(3)
    strips = [np.concatenate([frame * 0, frame, frame, frame, frame], 1) for frame in frames]
    fill(tmp_path / "release" / "A1.mp4" / "strips", strips)
    assert find_stored(tmp_path / "release", None)[0].kind == "strips"
    assert only(score(tmp_path / "release", None))["l1"].mean == 0
    fill(tmp_path / "plain" / "A1", frames)
    with pytest.raises(InputError, match=r"A1 does not hold its true frames: give them with"):
        score(tmp_path / "plain", None)


def test_layouts_of_peers(tmp_path: Path, score: Callable[..., Report]) -> None:
    frames = pictures(3)
    gfla = tmp_path / "gfla" / "A1"
    for kind, shown in (("vis", frames), ("gt", frames), ("skeleton_in", frames * 0)):
        fill(gfla, shown, "{:05d}_" + kind + ".png")
    report = score(tmp_path / "gfla", None)
    assert report.settings["layouts"] == ["gfla"]
    assert only(report)["l1"].mean == 0
    fill(tmp_path / "true" / "A1", frames)
    fill(tmp_path / "iper" / "B7-A1", frames, "pred_{:08d}.png")
    assert only(score(tmp_path / "iper", tmp_path / "true"))["l1"].mean == 0


def test_sets_that_do_not_belong_together_are_refused(
    tmp_path: Path, score: Callable[..., Report]
) -> None:
    true = fill(tmp_path / "true", pictures(4))
    with pytest.raises(InputError, match=r"short lacks frame 3, which .*true has"):
        score(fill(tmp_path / "short", pictures(3)), true)
    small = [frame[:20] for frame in pictures(4)]
    with pytest.raises(InputError, match="24 x 20 pixels where 24 x 24 are expected"):
        score(fill(tmp_path / "small", small), true)
    for name in ("a", "b"):
        fill(tmp_path / "clips" / name, pictures(4))
    fill(tmp_path / "fewer" / "a", pictures(4))
    fill(tmp_path / "fewer" / "c", pictures(4))
    with pytest.raises(InputError, match=r"clips has no clip c, which .*fewer has"):
        score(tmp_path / "fewer", tmp_path / "clips")
    (tmp_path / "fewer" / "c").rename(tmp_path / "moved")
    with pytest.raises(InputError, match=r"fewer lacks the clip b"):
        score(tmp_path / "fewer", tmp_path / "clips")
    with pytest.raises(InputError, match="nowhere does not exist"):
        score(tmp_path / "nowhere", true)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds neither pictures nor clips"):
        score(tmp_path / "empty", true)


def test_one_damaged_frame_is_named_and_skipped_only_if_asked(
    tmp_path: Path, score: Callable[..., Report]
) -> None:
    frames = pictures(5)
    true, ours = fill(tmp_path / "true", frames), fill(tmp_path / "ours", frames)
    (ours / "00002.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 40)
    with pytest.raises(InputError, match=r"00002\.png"):
        score(ours, true)
    report = score(ours, true, skip_bad=True)
    (clip,) = report.results.clips
    assert clip.frames == 4
    assert "00002.png" in clip.notes[0]
    rows = list(read_rows(tmp_path / "report" / ROWS / clip.rows_file))
    assert [row.frame for row in rows] == [0, 1, 3, 4]
    assert "warping" not in rows[1].scores["frame"], "the next frame is no neighbour"


def test_what_is_not_defined_is_not_averaged_away(
    tmp_path: Path,
) -> None:
    frames = pictures(3)
    true = fill(tmp_path / "true", frames)
    frames[1] = 7
    ours = str(fill(tmp_path / "flat", frames))
    flat = score_stored(ours, true, tmp_path / "report", EvalConfig("paper"))
    ssim = only(flat)["ssim"]
    assert math.isnan(ssim.mean)
    assert ssim.undefined == 1
