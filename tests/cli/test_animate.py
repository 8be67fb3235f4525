import numpy as np
import pytest
from PIL import Image as Pillow

from bdmm.media.image import read_image
from bdmm.media.video_reader import VideoReader

SMALL = ("--size", "96", "--quiet")


def test_it_writes_what_it_says(bdmm, quick_photo, short_motion):
    options = [short_motion, "-o", "out.mp4", "--sheet", "sheet.png"]
    outcome = bdmm("animate", quick_photo, *options, *SMALL)
    video = VideoReader("out.mp4")
    assert outcome.code == 0
    assert outcome.new_files == {"out.mp4", "sheet.png"}
    assert "out.mp4: 8 frames of 96 x 144 at 30 fps" in outcome.out
    assert "coarse renderer" in outcome.out
    assert (video.frame_count, video.size) == (8, (144, 96))
    assert outcome.err == ""
    assert min(read_image("sheet.png").shape[:2]) > 144


def test_the_same_command_writes_the_same_file(bdmm, quick_photo, short_motion, tmp_path):
    for name in ("a.mp4", "b.mp4"):
        assert bdmm("animate", quick_photo, short_motion, "-o", name, *SMALL).code == 0
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_progress_is_a_line_per_stage_where_nobody_watches(bdmm, quick_photo, short_motion):
    outcome = bdmm("animate", quick_photo, short_motion, "-o", "out.mp4", "--size", "96")
    assert outcome.err.splitlines()[0] == "Looking at photo.png"
    assert outcome.err.splitlines()[1] == "Rendering, 8 frames"
    assert len(outcome.err.splitlines()) == 2


def test_put_back_into_the_full_photo(bdmm, quick_photo, short_motion):
    options = [short_motion, "-o", "frames", "--paste-back"]
    assert bdmm("animate", quick_photo, *options, *SMALL).code == 0
    frame, photo = read_image("frames/000001.png"), read_image(quick_photo)
    assert frame.shape == photo.shape
    assert np.array_equal(frame[:, :4], photo[:, :4])
    assert not np.array_equal(frame, photo)


@pytest.mark.parametrize("suffix", ["mov", "gif"])
def test_other_kinds_of_files_and_backgrounds(bdmm, quick_photo, short_motion, suffix):
    Pillow.new("RGB", (40, 20), (10, 90, 30)).save("backdrop.png")
    options = [short_motion, "-o", f"out.{suffix}", "--background", "backdrop.png"]
    assert bdmm("animate", quick_photo, *options, *SMALL).code == 0
    first = next(iter(VideoReader(f"out.{suffix}")))
    assert np.abs(first[3, 3].astype(int) - (10, 90, 30)).max() <= 6
