"""A request to stop, heard between two steps."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether somebody asked the run to stop.

    Attributes:
        asked: the signal that did, or None.
    """

    def __init__(self) -> None:
        self.asked: signal.Signals | None = None


@contextmanager
def listening() -> Iterator[StopRequest]:
    """Note Ctrl-C and requests to end instead of being ended by them.

    Only the first is noted; a second one does what it always does.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {one: signal.getsignal(one) for one in _SIGNALS}

    def restore() -> None:
        for one, handler in before.items():
            signal.signal(one, handler)

    def note(number: int, frame: object) -> None:
        request.asked = signal.Signals(number)
        restore()

    for one in _SIGNALS:
        signal.signal(one, note)
    try:
        yield request
    finally:
        restore()
