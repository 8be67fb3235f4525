"""A request to end is answered within seconds, whatever native code does meanwhile."""

import os
import signal
import subprocess
import sys
import time

import pytest

from bdmm.cli import ending
from bdmm.cli.ending import Terminated, orderly_end

STUCK = """
import ctypes, signal, threading
from bdmm.cli import ending
ending.GRACE = 1.0
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # else ignored where the tests run by nohup
with ending.orderly_end():
    c, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)
    c.pthread_mutex_lock(mutex)
    threading.Timer(1.0, print, ("stuck",), {"flush": True}).start()
    c.pthread_mutex_lock(mutex)  # never returns, not for a signal either
"""


@pytest.mark.parametrize(("request_", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_native_code_that_does_not_return_is_left_after_a_while(request_, code) -> None:
    process = subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"stuck\n"
    process.send_signal(request_)
    try:
        assert process.wait(timeout=60) == code
    finally:
        process.kill()


def test_python_gets_the_time_to_clean_up(monkeypatch) -> None:
    left = []
    monkeypatch.setattr(ending, "GRACE", 0.5)
    monkeypatch.setattr(os, "_exit", left.append)
    cleaned = []

    def work() -> None:
        with orderly_end():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(5)
            finally:
                cleaned.append(True)

    with pytest.raises(Terminated) as caught:
        work()
    assert caught.value.code == 143
    assert cleaned
    time.sleep(0.7)
    assert left == []


def test_signals_of_a_forked_child_are_its_own() -> None:
    with orderly_end():
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os._exit(signal.set_wakeup_fd(-1) != -1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert signal.set_wakeup_fd(-1) != -1
