import pytest

from bdmm.errors import InputError
from bdmm.metrics.protocols import PROTOCOLS, find_protocol


def test_the_papers_protocol_is_what_its_table_needs() -> None:
    paper = find_protocol("paper")
    names = {row.name for row in paper.video_distances}
    assert {"FVD-Train128f", "FVD-Test128f"} <= names
    assert len(names) == len(paper.video_distances) == 6
    assert {(row.frames, row.stride) for row in paper.video_distances} == {
        (16, 1),
        (128, 1),
        (16, 8),
    }
    assert {row.repeats for row in paper.video_distances} == {50}
    assert (paper.frame_size, paper.ssim_range, paper.l1_levels) == (256, "generated", 127.5)
    assert (paper.fid_resize, paper.fid_real, paper.lpips) == ("bilinear", "train", ("alex",))


def test_the_modern_protocol_looks_at_more() -> None:
    modern = find_protocol("modern")
    assert modern.ssim_range == "full"
    assert modern.fid_resize == "antialiased"
    assert modern.regions
    assert modern.temporal
    assert set(modern.lpips) == {"alex", "vgg"}


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(InputError, match=f"choose one of {', '.join(PROTOCOLS)}"):
        find_protocol("mine")
