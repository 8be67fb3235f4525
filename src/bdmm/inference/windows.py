"""The schedule of a clip: runs of a few frames, each with its neighbours' conditions in view."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from bdmm.records import Conditions

WINDOW = 6
"""Frames that the paper's network makes at once."""

_Item = TypeVar("_Item")


def schedule(frame_count: int, length: int = WINDOW) -> Iterator[slice]:
    """Cut a clip into windows.

    The last one is shorter where the count doesn't divide: nothing is repeated to fill it up.

    Args:
        frame_count: frames of the clip.
        length: frames of a window.
    """
    for start in range(0, frame_count, length):
        yield slice(start, min(start + length, frame_count))


@dataclass(frozen=True)
class WithNext(Generic[_Item]):
    """An item and the one after it, None after the last."""

    item: _Item
    after: _Item | None


def with_next(items: Iterable[_Item]) -> Iterator[WithNext[_Item]]:
    """Yield each item together with the one after it, holding two at a time."""
    held: list[_Item] = []
    for item in items:
        if held:
            yield WithNext(held.pop(), item)
        held.append(item)
    if held:
        yield WithNext(held.pop(), None)


def with_after(windows: Iterable[Conditions]) -> Iterator[Conditions]:
    """Yield each window's conditions with those of the frame behind its end."""
    for pair in with_next(windows):
        after = None if pair.after is None else pair.after.frames(slice(0, 1))
        yield replace(pair.item, after=None if after is None else replace(after, after=None))
