"""Items made ahead by other threads: order, errors, and an early end."""

import threading
import time
from collections.abc import Generator, Iterator
from concurrent.futures import CancelledError

import pytest

from bdmm.media.prefetch import CancellableTask, mapped, prefetched


def test_all_items_in_order_from_another_thread():
    threads = set()

    def items() -> Iterator[int]:
        for number in range(20):
            threads.add(threading.get_ident())
            yield number

    assert list(prefetched(items())) == list(range(20))
    assert threading.get_ident() not in threads
    assert len(threads) == 1
    assert list(prefetched([])) == []


def test_an_error_comes_at_its_turn():
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    one = prefetched(items())
    assert next(one) == 1
    with pytest.raises(ValueError, match="no more"):
        next(one)


def test_no_item_is_taken_after_an_early_end():
    taken, others = [], set(threading.enumerate())

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    one = prefetched(items(), ahead=2)
    assert [next(one) for _ in range(3)] == [0, 1, 2]
    one.close()
    count = len(taken)
    assert count <= 6
    assert set(threading.enumerate()) <= others
    assert len(taken) == count


def test_the_other_thread_may_end_the_iterator():
    held: list[Generator[int, None, None]] = []
    raised: list[RuntimeError] = []
    started, ended = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 0
        yield 1
        started.wait(10)
        try:
            held.pop().close()
        except RuntimeError as error:
            raised.append(error)
        ended.set()
        yield 2

    held.append(prefetched(items(), ahead=2))
    assert next(held[0]) == 0
    started.set()
    assert ended.wait(10)
    assert not raised


def test_results_come_in_the_order_of_their_items() -> None:
    both = threading.Barrier(2, timeout=10)

    def squared(number: int) -> int:
        if number < 2:  # these two wait for each other: they are worked on side by side
            both.wait()
        return number**2

    assert list(mapped(squared, range(20))) == [number**2 for number in range(20)]
    assert list(mapped(squared, [])) == []


def test_a_failure_ends_the_work() -> None:
    begun: list[int] = []

    def failing(number: int) -> int:
        begun.append(number)
        if number == 3:
            raise ValueError("no more")
        return number

    results = mapped(failing, range(1000))
    with pytest.raises(ValueError, match="no more"):
        list(results)
    assert len(begun) < 10


def test_a_task_tells_its_progress_once_asked_to() -> None:
    told, waiting = [], threading.Event()
    side = CancellableTask(lambda *step: told.append(step))

    def work() -> str:
        side.progress("working", 1, 2)
        waiting.wait(10)
        side.progress("working", 2, 2)
        return "done"

    with side.running(work) as result:
        side.show_progress()
        waiting.set()
        assert result.result() == "done"
    assert told[-1] == ("working", 2, 2)


def test_an_error_beside_ends_a_task() -> None:
    side = CancellableTask(lambda *_: None)

    def work() -> None:
        while True:
            side.progress("working", 1, None)
            time.sleep(0.001)

    with pytest.raises(ValueError, match="mine"), side.running(work) as result:
        raise ValueError("mine")
    assert isinstance(result.exception(), CancelledError)
