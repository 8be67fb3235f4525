"""Work ahead and side by side: other threads make the next items while the last one is used."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, get_ident
from typing import TypeVar

from bdmm.errors import Progress

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


class CancellableTask:
    """Work in another thread whose progress is shown on demand, and that can be cancelled."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._shown, self._cancelled = Event(), Event()

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Report the work's progress.

        Raises:
            CancelledError: the work is cancelled.
        """
        if self._cancelled.is_set():
            raise CancelledError
        if self._shown.is_set():
            self._progress(stage, done, total)

    def show_progress(self) -> None:
        """Show progress from now on."""
        self._shown.set()

    @contextmanager
    def running(self, work: Callable[[], Result]) -> Iterator[Future[Result]]:
        """Do the work during a ``with`` statement; an exception in it cancels the work."""
        with ThreadPoolExecutor(1) as pool:
            try:
                yield pool.submit(work)
            finally:
                self._cancelled.set()
