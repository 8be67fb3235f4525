import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch

from bdmm.errors import InputError, Notice
from bdmm.media.video_writer import create_video
from bdmm.metrics.folders import PANELS, cut_strip, is_strip_folder, paired_frames, strip_pairs
from bdmm.metrics.frame_metrics import pair_of


@pytest.fixture
def pictures(paint):
    return [paint(i, (24, 32)) for i in range(5)]


@pytest.fixture
def target(write_folder, pictures):
    return write_folder("target", pictures)


def test_frames_belong_together_by_number(write_folder, pictures, target) -> None:
    words = ("zebra", "ant", "yak", "bee", "cow")
    names = [f"{word}_{i + 1}.png" for i, word in enumerate(words)]
    generated = write_folder("generated", pictures, names)
    (generated / "notes.txt").write_text("not a frame")
    (generated / ".thumbnail_9.png").write_bytes(b"hidden")
    pairs = paired_frames(generated, target)
    assert len(list(pairs)) == 5
    for _ in range(2):
        for i, pair in enumerate(pairs):
            np.testing.assert_array_equal(pair.generated_uint8, pictures[i])
            np.testing.assert_array_equal(pair.target_uint8, pictures[i])
            assert names[i] in pair.name


def test_numbers_sort_as_numbers(write_folder, paint) -> None:
    pictures = [paint(i, (16, 16)) for i in range(12)]
    folder = write_folder("short", pictures, [f"f{i}.png" for i in range(12)])
    for i, pair in enumerate(paired_frames(folder, folder)):
        np.testing.assert_array_equal(pair.target_uint8, pictures[i])


def test_a_missing_frame_is_named(write_folder, pictures, target) -> None:
    names = [f"{i:06d}.png" for i in (1, 2, 4, 5)]
    generated = write_folder("generated", pictures[:4], names)
    with pytest.raises(InputError, match=r"generated lacks frame 3, which .*target has"):
        paired_frames(generated, target)
    with pytest.raises(InputError, match=r"generated lacks frame 3, which .*target has"):
        paired_frames(target, generated)


def test_counting_from_zero_beside_from_one_is_said(write_folder, pictures, target) -> None:
    generated = write_folder("generated", pictures, [f"{i}.png" for i in range(5)])
    with pytest.warns(Notice, match="counts from 0"):
        pairs = paired_frames(generated, target)
    assert all((pair.generated_uint8 == pair.target_uint8).all() for pair in pairs)


def test_a_shifted_folder_of_the_same_length_is_refused(write_folder, pictures, target) -> None:
    generated = write_folder("generated", pictures, [f"{i}.png" for i in range(2, 7)])
    with pytest.raises(InputError, match="lacks frame 1"):
        paired_frames(generated, target)


def test_unequal_lengths_without_numbers_are_refused(write_folder, pictures) -> None:
    long = write_folder("long", pictures, [f"{c}.png" for c in "abcde"])
    short = write_folder("short", pictures[:3], [f"{c}.png" for c in "abc"])
    with pytest.raises(InputError, match=r"short has 3 frames and .*long 5: frame 4 of"):
        paired_frames(short, long)


def test_two_frames_of_one_number_are_refused(write_folder, pictures, target) -> None:
    folder = write_folder("twice", pictures[:2], ["a_1.png", "b_1.png"])
    with pytest.raises(InputError, match="the same number"):
        paired_frames(folder, target)


def test_another_size_is_named_or_brought_to_size(write_folder, pictures, paint, target) -> None:
    odd = [*pictures[:3], paint(9, (20, 32)), pictures[4]]
    generated = write_folder("generated", odd)
    with pytest.raises(InputError, match=r"000004.png has 32 x 20 pixels where 32 x 24"):
        list(paired_frames(generated, target))
    sizes = {p.generated_uint8.shape for p in paired_frames(generated, target, size=(16, 16))}
    assert sizes == {(16, 16, 3)}


def test_frames_too_small_to_judge_are_refused(write_folder, paint) -> None:
    folder = write_folder("tiny", [paint(0, (8, 30))])
    with pytest.raises(InputError, match="at least 16"):
        list(paired_frames(folder, folder))


def test_a_corrupt_frame_is_named_and_skipped_only_when_asked(
    write_folder, pictures, target
) -> None:
    generated = write_folder("generated", pictures)
    whole = (generated / "000003.png").read_bytes()
    (generated / "000003.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"000003.png is damaged"):
        list(paired_frames(generated, target))
    told = []
    pairs = list(paired_frames(generated, target, skip_bad=told.append))
    assert len(pairs) == 4
    assert len(told) == 1
    assert "000003.png" in told[0]


def test_empty_and_absent_folders(tmp_path, target) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no pictures"):
        paired_frames(tmp_path / "empty", target)
    with pytest.raises(InputError, match="does not exist"):
        paired_frames(tmp_path / "absent", target)
    (tmp_path / "broken.mp4").write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"broken.mp4"):
        paired_frames(tmp_path / "broken.mp4", target)


def test_a_video_beside_a_folder(tmp_path, write_folder, pictures, target) -> None:
    video = tmp_path / "clip.mp4"
    with create_video(video, Fraction(25), crf=4) as writer:
        for picture in pictures:
            writer.write(picture)
    pairs = list(paired_frames(video, target))
    assert [pair.name for pair in pairs] == [f"{video} frame {i}" for i in range(1, 6)]
    for pair in pairs:
        away = np.abs(pair.generated_uint8.astype(int) - pair.target_uint8)
        assert away.mean() < 25
    gap = write_folder("gap", pictures, [f"{i}.png" for i in (1, 2, 4, 5, 6)])
    with pytest.raises(InputError, match=r"gap lacks frame 3"):
        paired_frames(video, gap)


def test_frames_of_tensors_are_rounded_and_not_finite_ones_named() -> None:
    frame = torch.rand(3, 16, 16) * 2 - 1
    pair = pair_of("clip 7 frame 3", frame, frame * 3)
    np.testing.assert_allclose(
        pair.generated_uint8, ((frame + 1) * 127.5).movedim(0, -1).numpy(), atol=0.51
    )
    bad = frame.clone()
    bad[1, 2, 3] = float("nan")
    with pytest.raises(InputError, match="generated frame clip 7 frame 3 holds values"):
        pair_of("clip 7 frame 3", bad, frame)
    with pytest.raises(InputError, match="true frame clip 7 frame 3 holds values"):
        pair_of("clip 7 frame 3", frame, bad)


def test_equal_numbering_is_silent(target) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(paired_frames(target, target))) == 5


@pytest.fixture
def strips(paint):
    return [np.concatenate([paint(5 * i + j, (20, 20)) for j in range(5)], 1) for i in range(3)]


def test_panels_come_in_the_papers_order(strips, paint) -> None:
    panels = cut_strip("one.png", strips[1])
    assert tuple(panels) == PANELS
    for j, name in enumerate(("source", "source_body", "target", "driving_body", "generated")):
        np.testing.assert_array_equal(panels[name], paint(5 + j, (20, 20)))


def test_a_folder_of_strips_gives_pairs(write_folder, strips, paint) -> None:
    folder = write_folder("strips", strips)
    assert is_strip_folder(folder)
    pairs = list(strip_pairs(folder))
    assert len(pairs) == 3
    np.testing.assert_array_equal(pairs[2].generated_uint8, paint(14, (20, 20)))


def test_what_is_no_strip_is_named(write_folder, strips, paint, tmp_path) -> None:
    folder = write_folder("strips", [strips[0], paint(0, (20, 80)), strips[2]])
    with pytest.raises(InputError, match=r"000002.png has 80 x 20 pixels and is not a strip"):
        list(strip_pairs(folder))
    told = []
    assert len(list(strip_pairs(folder, skip_bad=told.append))) == 2
    assert len(told) == 1
    assert not is_strip_folder(write_folder("plain", [paint(0)]))
    with pytest.raises(InputError, match="does not exist"):
        strip_pairs(tmp_path / "absent")


def test_strips_of_two_sizes_are_refused(write_folder, strips, paint) -> None:
    small = np.concatenate([paint(j, (18, 18)) for j in range(5)], 1)
    with pytest.raises(InputError, match=r"000002.png has 18 x 18 pixels where 20 x 20"):
        list(strip_pairs(write_folder("strips", [strips[0], small])))
