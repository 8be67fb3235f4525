"""Work ahead and side by side: other threads make the next items while the last one is used."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import get_ident
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
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


def mapped(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int = 2
) -> Generator[Result, None, None]:
    """Yield what a function makes of each item, in their order; some are made side by side.

    Items are taken by the caller's thread, one more than there are threads before its turn. What
    the function raises is raised at its turn; no further item is then worked on.
    """
    with ThreadPoolExecutor(threads) as pool:
        coming: deque[Future[Result]] = deque()
        try:
            for item in items:
                coming.append(pool.submit(function, item))
                if len(coming) > threads:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
