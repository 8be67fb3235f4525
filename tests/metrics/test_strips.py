import numpy as np
import pytest

from bdmm.errors import InputError
from bdmm.metrics.folders import PANELS, StripFolder, cut_strip, is_strip_folder


@pytest.fixture
def strips(paint):
    return [np.concatenate([paint(5 * i + j, (20, 20)) for j in range(5)], 1) for i in range(3)]


def test_panels_come_in_the_papers_order(strips, paint) -> None:
    strip = cut_strip("one.png", strips[1])
    assert tuple(strip.panels) == PANELS
    for j, name in enumerate(("source", "source_body", "target", "driving_body", "generated")):
        np.testing.assert_array_equal(strip.panels[name], paint(5 + j, (20, 20)))
    np.testing.assert_array_equal(strip.pair().target_uint8, paint(7, (20, 20)))
    np.testing.assert_array_equal(strip.pair().generated_uint8, paint(9, (20, 20)))


def test_a_folder_of_strips_gives_pairs(write_folder, strips, paint) -> None:
    folder = write_folder("strips", strips)
    assert is_strip_folder(folder)
    pairs = list(StripFolder(folder))
    assert len(pairs) == len(StripFolder(folder)) == 3
    np.testing.assert_array_equal(pairs[2].generated_uint8, paint(14, (20, 20)))


def test_what_is_no_strip_is_named(write_folder, strips, paint, tmp_path) -> None:
    folder = write_folder("strips", [strips[0], paint(0, (20, 80)), strips[2]])
    with pytest.raises(InputError, match=r"000002.png has 80 x 20 pixels and is not a strip"):
        list(StripFolder(folder))
    told = []
    assert len(list(StripFolder(folder, skip_bad=told.append))) == 2
    assert len(told) == 1
    assert not is_strip_folder(write_folder("plain", [paint(0)]))
    with pytest.raises(InputError, match="does not exist"):
        StripFolder(tmp_path / "absent")


def test_strips_of_two_sizes_are_refused(write_folder, strips, paint) -> None:
    small = np.concatenate([paint(j, (18, 18)) for j in range(5)], 1)
    with pytest.raises(InputError, match=r"000002.png has 18 x 18 pixels where 20 x 20"):
        list(StripFolder(write_folder("strips", [strips[0], small])))
