"""The end of the process on request: in order, or at once where native code does not return."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

ENDINGS = [one for one in signal.Signals if one.name in ("SIGTERM", "SIGHUP")]
"""Requests to end; the exit code is 128 and the signal's number."""
GRACE = 10.0
"""Seconds that native code may go on after a request; then the process ends without cleaning up,
which the next run does."""


class Terminated(BaseException):
    """The process was asked to end; raised so that temporary files are removed."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.code = 128 + signum


def _end(signum: int, frame: object) -> None:
    raise Terminated(signum)


@contextmanager
def orderly_end() -> Iterator[None]:
    """Turn a request to end the process into an exception; one that is ignored stays ignored.

    Python raises it between two of its own steps; `GRACE` bounds how long it waits for one.

    Raises:
        Terminated: the process was asked to end.
    """
    heeded = [one for one in ENDINGS if signal.getsignal(one) != signal.SIG_IGN]
    before = {one: signal.signal(one, _end) for one in heeded}
    try:
        with _woken_by_signals() as woken:
            Thread(target=_end_at_once, args=(woken,), daemon=True).start()
            yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def _woken_by_signals() -> Iterator[socket.socket]:
    """Yield a socket that gets a byte with the number of each signal at the moment it comes."""
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    try:
        yield receiver
    finally:
        signal.set_wakeup_fd(before)
        sender.close()


def _end_at_once(woken: socket.socket) -> None:
    """End the process `GRACE` seconds after a request if it is still there."""
    with woken:
        while number := woken.recv(1):
            if signal.getsignal(number[0]) is not _end:
                continue  # a training run stops after its step
            woken.settimeout(GRACE)
            try:
                while woken.recv(1):
                    pass
            except TimeoutError:
                os._exit(128 + number[0])
            return


def _forget_signals() -> None:
    """Keep a forked child's signals from the parent."""
    signal.set_wakeup_fd(-1)


os.register_at_fork(after_in_child=_forget_signals)
