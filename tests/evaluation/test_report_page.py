"""The page stands by itself; a real browser shows it."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bdmm.evaluation.config import EvalConfig, EvalFrame
from bdmm.evaluation.evaluate import evaluate_clips
from bdmm.evaluation.jobs.pictures import SHEET, VIDEO, WORST, _Spread, _Worst
from bdmm.evaluation.reports.page import save_page
from bdmm.evaluation.reports.plots import time_plot
from bdmm.evaluation.reports.report_file import PICTURES, Report
from bdmm.media.image import read_image
from bdmm.media.video_reader import VideoReader
from bdmm.metrics.frame_metrics import FramePair


@pytest.fixture(scope="module")
def pictured(
    clip_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Report, Path]:
    folder = tmp_path_factory.mktemp("page")
    report = evaluate_clips((), [clip_folder], folder, EvalConfig(first=4, pictures=1))
    return folder, report, save_page(folder, report)


def test_pictures_show_true_and_generated_frames(pictured: tuple[Path, Report, Path]) -> None:
    folder, report, _ = pictured
    for clip in report.results.clips:
        place = folder / PICTURES / Path(clip.rows_file).stem
        assert read_image(place / SHEET).shape == (2 * 67, 3 * 67, 3)
        assert read_image(place / WORST).shape == (3 * 67, 67, 3)
        video = VideoReader(place / VIDEO)
        assert (len(video), video.size, video.fps) == (3, (64, 128), 25)


def test_page_holds_everything_itself(pictured: tuple[Path, Report, Path]) -> None:
    _, report, page = pictured
    text = page.read_text()
    addresses = re.findall(r"(?:src|href)=\"([^\"]*)\"", text)
    assert {one.split(",")[0] for one in addresses if not one.startswith("#")} == {
        "data:image/jpeg;base64",
        "data:video/mp4;base64",
    }
    for said in ("walk_1", "coarse", "SSIM person ↑", report.versions["torch"]):
        assert said in text
    assert "<svg" in text


def test_names_from_strangers_are_not_markup(
    pictured: tuple[Path, Report, Path], tmp_path: Path
) -> None:
    folder, report, _ = pictured
    shutil.copytree(folder, tmp_path / "copy")
    evil = "<script>alert(1)</script>"
    systems = [{**one, "where": evil} for one in report.systems]
    text = save_page(tmp_path / "copy", replace(report, systems=systems)).read_text()
    assert evil not in text


def test_large_videos_stay_beside_the_page(
    pictured: tuple[Path, Report, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, report, _ = pictured
    shutil.copytree(folder, tmp_path / "copy")
    monkeypatch.setattr("bdmm.evaluation.reports.page.EMBEDDED_BYTES", 0)
    text = save_page(tmp_path / "copy", report).read_text()
    (first, *_) = re.findall(r"<video src=\"([^\"]*)\"", text)
    assert (tmp_path / "copy" / first).is_file()


def test_shown_frames_are_spread_and_the_worst_are_apart(pictured: object) -> None:
    blank = read_image(next(Path(pictured[0]).rglob(SHEET)))[:20, :20]  # type: ignore[index]
    spread, worst = _Spread(4), _Worst(2, 10)
    for number in range(100):
        pair = FramePair(str(number), blank, blank)
        spread.add(EvalFrame(number, pair))
        worst.add(number, float(number % 50), pair)
    numbers = [int(pair.name) for pair in spread.pairs()]
    assert numbers[0] == 0
    assert numbers[-1] >= 80
    assert [pair.name for pair in worst.pairs()] == ["49", "99"]


def test_plot_breaks_where_nothing_is_defined() -> None:
    line = [(0, 1.0), (1, 2.0), (2, float("nan")), (3, 1.0), (4, 2.0)]
    drawn = time_plot({"a": line, "b<": [(0, 1.5), (1, 1.0)]})
    assert drawn == time_plot({"a": line, "b<": [(0, 1.5), (1, 1.0)]}), "equal numbers, equal bytes"
    curve = re.search(r'<g id="line2d_\d+">\s*<path d="([^"]*)"[^>]*stroke: #888888', drawn)
    assert curve is not None
    assert curve[1].count("M") == 2
    assert "b&lt;" in drawn
    assert "<svg" in time_plot({"a": [(0, float("nan"))]}), "nothing to draw"


@pytest.mark.slow
def test_a_browser_shows_the_page(pictured: tuple[Path, Report, Path], tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("needs chromium")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    offline = "--host-resolver-rules=MAP * ~NOTFOUND"
    page = pictured[2].as_uri()
    shot = tmp_path / "page.png"
    subprocess.run(
        [browser, *options, profile, offline, f"--screenshot={shot}", page], check=True, timeout=120
    )
    assert read_image(shot).std() > 10, "something is drawn"
    dumped = subprocess.run(
        [browser, *options, profile, offline, "--dump-dom", page],
        check=True,
        timeout=120,
        capture_output=True,
        text=True,
    ).stdout
    assert "walk_1" in dumped
    assert dumped.rstrip().endswith("</html>")
