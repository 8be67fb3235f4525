from itertools import islice

from bdmm.training.feed import SharedIndices


def _first(count: int, first: int, rank: int, devices: int) -> list[int]:
    return list(islice(SharedIndices(7, 3, first, rank, devices), count))


def test_devices_share_one_order() -> None:
    alone = _first(20, 0, 0, 1)
    assert sorted(alone[:7]) == list(range(7))
    parts = [_first(10, 0, rank, 2) for rank in (0, 1)]
    assert [index for pair in zip(*parts, strict=True) for index in pair] == alone


def test_a_later_start_goes_on_in_the_same_order() -> None:
    alone = _first(30, 0, 0, 1)
    for first in (0, 5, 7, 16):
        assert _first(6, first, 0, 1) == alone[first : first + 6]
