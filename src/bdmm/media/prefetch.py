"""Work ahead: another thread makes the next items while the last one is used."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
_END = object()


def prefetched(items: Iterable[Item], ahead: int = 3) -> Iterator[Item]:
    """Yield items that another thread takes from an iterable, at most ``ahead`` before their turn.

    What the iterable raises is raised at its turn. Once the iterator is closed or dropped, no
    further item is taken.
    """
    source = iter(items)
    with ThreadPoolExecutor(1) as pool:
        coming = deque(pool.submit(next, source, _END) for _ in range(ahead))
        try:
            while (item := coming.popleft().result()) is not _END:
                coming.append(pool.submit(next, source, _END))
                yield item  # pyright: ignore[reportReturnType]
        finally:
            for one in coming:
                one.cancel()
