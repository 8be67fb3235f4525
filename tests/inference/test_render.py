import weakref

import pytest

from bdmm.inference.render import window_slices, with_next


@pytest.mark.parametrize(("count", "lengths"), [(12, [6, 6]), (13, [6, 6, 1]), (5, [5]), (0, [])])
def test_windows_cover_each_frame_once_and_the_last_is_shorter(count, lengths):
    windows = list(window_slices(count))
    assert [w.stop - w.start for w in windows] == lengths
    assert [i for w in windows for i in range(count)[w]] == list(range(count))


def test_each_item_comes_with_the_one_after_it():
    assert list(with_next("abc")) == [("a", "b"), ("b", "c"), ("c", None)]
    assert list(with_next("")) == []


def test_only_two_items_are_held():
    held = weakref.WeakSet()

    class Window:
        def __init__(self):
            held.add(self)

    for _ in with_next(Window() for _ in range(99)):
        assert len(held) <= 2
