"""The loop: batches in, a folder with trained weights out."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from bdmm.data.batch import Batch
from bdmm.errors import Progress
from bdmm.losses.vgg19 import Vgg19
from bdmm.training.run_folder import Logbook, open_run, own, store
from bdmm.training.run_state import RunState, load_latest
from bdmm.training.settings import TrainSettings

Batches = Callable[[int, int, int], Iterator[Batch]]
"""(batches to skip on this device, number of this device, devices) -> batches without an end."""
Preview = Callable[[nn.Module, int], object]
"""Called with the generator with averaged weights, and the steps done."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes:
        step: steps done, by earlier runs in the folder too.
        finished: whether these are all; otherwise the run was asked to stop.
        leads: whether this is the process that reports for all.
    """

    step: int
    finished: bool
    leads: bool = True


def train(
    settings: TrainSettings,
    batches: Batches,
    run: Path,
    fabric: Fabric,
    vgg: Vgg19 | None = None,
    progress: Progress | None = None,
    preview: Preview | None = None,
    init_weights: Mapping[str, Tensor] | None = None,
) -> Outcome:
    """Train until all steps are done or a signal comes; in a folder with a run, go on with it.

    Args:
        batches: of ``settings.windows * settings.frames`` frames each.
        fabric: devices and number type, already launched.
        vgg: frozen VGG-19 features for the losses.
        progress: is called after every step.
        preview: is called with every checkpoint, to leave something to look at.
        init_weights: the generator's weights before the first step; fresh ones if None.

    Raises:
        InputError: the folder holds another run or one at work, or the disk is full.
        TrainingDiverged: a loss is not finite.
    """
    with ExitStack() as stack:
        # The folder belongs to the first process; the others wait until it is in order.
        if fabric.is_global_zero:
            stack.enter_context(own(run))
            open_run(run, settings)
        fabric.barrier()

        # The networks, as they were left or fresh.
        features = None if vgg is None else vgg.to(fabric.device)
        state = RunState(settings, fabric.device, features, fabric.autocast)
        checkpoint = load_latest(run)
        if checkpoint is not None:
            state.restore(checkpoint)
        elif init_weights is not None:
            state.initialise(init_weights)
        first = step = 0 if checkpoint is None else checkpoint.step
        feed = batches(first * settings.accumulate, fabric.global_rank, fabric.world_size)

        # The steps.
        request = stack.enter_context(listening())
        book = stack.enter_context(Logbook(run, first) if fabric.is_global_zero else nullcontext())
        began, stopped, recent = time.monotonic(), False, []
        while step < settings.steps and not stopped:
            drawn = [next(feed).to(fabric.device) for _ in range(settings.accumulate)]
            recent.append(state.train_step(drawn, step, fabric))
            step += 1
            stopped = anyone_asked(request, fabric)
            ends = stopped or step == settings.steps

            # What is reported and kept.
            if progress is not None and fabric.is_global_zero:
                progress("training", step, settings.steps)
            if book is not None and (ends or step % settings.log_every == 0):
                seconds = time.monotonic() - began
                book.note(step, mean(recent), status(seconds, step - first, settings.steps - step))
                recent.clear()
            if fabric.is_global_zero and (ends or step % settings.save_every == 0):
                if preview is not None:  # first: a kill in between leaves no gap
                    preview(state.average.module, step)
                store(run, state, step)
        fabric.barrier()
    return Outcome(step, step >= settings.steps, fabric.is_global_zero)


def mean(losses: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each loss over some steps."""
    return {name: math.fsum(one[name] for one in losses) / len(losses) for name in losses[0]}


@contextmanager
def listening() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C or a request to end sets, in place of ending the process.

    Only the first does so; a second one does what it always does.
    """
    request = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {one: signal.getsignal(one) for one in _SIGNALS}

    def restore() -> None:
        for one, handler in before.items():
            signal.signal(one, handler)

    def note(number: int, frame: object) -> None:
        request.set()
        restore()

    for one in _SIGNALS:
        signal.signal(one, note)
    try:
        yield request
    finally:
        restore()


def status(seconds: float, done: int, left: int) -> dict[str, float]:
    """Return seconds so far, per step and left, and the GPU's memory in MiB where there is one.

    Args:
        seconds: since the first of these steps began.
        done: steps in that time, at least one.
        left: steps to do.
    """
    status = {
        "seconds": seconds,
        "seconds_per_step": seconds / done,
        "seconds_left": seconds / done * left,
    }
    if torch.cuda.is_available():
        status["mebibytes"] = torch.cuda.max_memory_allocated() / 2**20
    return {name: round(value, 3) for name, value in status.items()}


def anyone_asked(request: threading.Event, fabric: Fabric) -> bool:
    """Return whether any process was asked to stop: all end after the same step."""
    asked = request.is_set()
    if fabric.world_size == 1:
        return asked
    votes = fabric.all_reduce(torch.tensor(float(asked), device=fabric.device), reduce_op="sum")
    assert isinstance(votes, torch.Tensor)
    return bool(votes > 0)
