"""The loop: batches in, a folder with trained weights out."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor

from bdmm.data.batch import Batch
from bdmm.errors import Progress
from bdmm.losses.vgg19 import Vgg19
from bdmm.training.checkpoint import load_latest
from bdmm.training.learner import Learner
from bdmm.training.logbook import Logbook
from bdmm.training.run_folder import open_run, own, store
from bdmm.training.settings import TrainSettings
from bdmm.training.stop_signal import StopRequest, listening

Batches = Callable[[int, int, int], Iterator[Batch]]
"""(batches to skip on this device, number of this device, devices) -> batches without an end."""


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes:
        step: steps done, by earlier runs in the folder too.
        finished: whether these are all; otherwise the run was asked to stop.
        leads: whether this is the process that speaks for all.
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
    show: Callable[[Learner, int], object] | None = None,
    begin: Mapping[str, Tensor] | None = None,
) -> Outcome:
    """Train until all steps are done or a signal comes; in a folder with a run, go on with it.

    Args:
        settings: of the run.
        batches: of ``settings.windows * settings.frames`` frames each.
        run: the folder; made where it is missing.
        fabric: devices and number type, already launched.
        vgg: the eye of the losses, `terms.load_eye`.
        progress: is told about every step.
        show: is called with every checkpoint, to leave something to look at.
        begin: the generator's weights before the first step; fresh ones if None.

    Returns:
        How far it came.

    Raises:
        InputError: the folder holds another run or one at work, a loss is not finite, the disk is
            full.
    """
    with ExitStack() as stack:
        # The folder belongs to the first process; the others wait until it is in order.
        if fabric.is_global_zero:
            stack.enter_context(own(run))
            open_run(run, settings)
        fabric.barrier()

        # The networks, as they were left or fresh.
        eye = None if vgg is None else vgg.to(fabric.device)
        learner = Learner(settings, fabric.device, eye, fabric.autocast)
        checkpoint = load_latest(run)
        if checkpoint is not None:
            learner.restore(checkpoint)
        elif begin is not None:
            learner.begin_with(begin)
        first = step = 0 if checkpoint is None else checkpoint.step
        feed = batches(first * settings.accumulate, fabric.global_rank, fabric.world_size)

        # The steps.
        request = stack.enter_context(listening())
        book = stack.enter_context(Logbook(run, first) if fabric.is_global_zero else nullcontext())
        clock, stopped, recent = Clock(), False, []
        while step < settings.steps and not stopped:
            drawn = [next(feed).to(fabric.device) for _ in range(settings.accumulate)]
            recent.append(learner.learn(drawn, step, fabric))
            step += 1
            stopped = _anyone_asked(request, fabric)
            ends = stopped or step == settings.steps

            # What is told and kept.
            if progress is not None and fabric.is_global_zero:
                progress("training", step, settings.steps)
            if book is not None and (ends or step % settings.log_every == 0):
                book.note(step, mean(recent), clock.status(step - first, settings.steps - step))
                recent.clear()
            if fabric.is_global_zero and (ends or step % settings.save_every == 0):
                store(run, learner, step)
                if show is not None:
                    show(learner, step)
        fabric.barrier()
    return Outcome(step, step >= settings.steps, fabric.is_global_zero)


def mean(losses: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each loss over some steps."""
    return {name: math.fsum(one[name] for one in losses) / len(losses) for name in losses[0]}


class Clock:
    """Measures a run from now on."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def status(self, done: int, left: int) -> dict[str, float]:
        """Return seconds so far, per step and left, and the GPU's memory in MiB where there is one.

        Args:
            done: steps since the beginning, at least one.
            left: steps to do.
        """
        seconds = time.monotonic() - self._begun
        status = {
            "seconds": seconds,
            "seconds_per_step": seconds / done,
            "seconds_left": seconds / done * left,
        }
        if torch.cuda.is_available():
            status["mebibytes"] = torch.cuda.max_memory_allocated() / 2**20
        return {name: round(value, 3) for name, value in status.items()}


def _anyone_asked(request: StopRequest, fabric: Fabric) -> bool:
    """Tell whether any process was asked to stop: all end after the same step."""
    asked = request.asked is not None
    if fabric.world_size == 1:
        return asked
    votes = fabric.all_reduce(torch.tensor(float(asked), device=fabric.device), reduce_op="sum")
    assert isinstance(votes, torch.Tensor)
    return bool(votes > 0)
