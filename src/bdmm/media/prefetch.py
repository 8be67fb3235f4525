"""Work ahead: another thread makes the next items while the last one is used."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import get_ident
from typing import TypeVar

Item = TypeVar("Item")
_END = object()


def prefetched(items: Iterable[Item], ahead: int = 3) -> Generator[Item, None, None]:
    """Yield items that another thread takes from an iterable, at most ``ahead`` before their turn.

    What the iterable raises is raised at its turn. Once the iterator is closed or dropped, no
    further item is taken.
    """
    source = iter(items)
    pool = ThreadPoolExecutor(1)
    worker = pool.submit(get_ident).result()
    coming = deque(pool.submit(next, source, _END) for _ in range(ahead))
    try:
        while (item := coming.popleft().result()) is not _END:
            coming.append(pool.submit(next, source, _END))
            yield item  # pyright: ignore[reportReturnType]
    finally:
        # A dropped iterator may be collected by the other thread, which can't wait for itself.
        pool.shutdown(wait=get_ident() != worker, cancel_futures=True)
