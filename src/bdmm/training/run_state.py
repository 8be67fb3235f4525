"""All that changes during a run, and its files, which are whole or not there.

A checkpoint is one safetensors file, ``RUN/checkpoints/STEP.safetensors``. Its metadata has one
key, ``bdmm``, whose value is JSON: format version, what the run counts, and a SHA-256 over the
tensors. The last two are kept; an older one is removed when a newer one is safely on the disk.
"""

import json
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.swa_utils import AveragedModel

from bdmm.data.batch import Batch
from bdmm.errors import InputError, Notice, TrainingDiverged
from bdmm.files.output_file import writing
from bdmm.files.outside import parse_json
from bdmm.files.tensor_files import read_safetensors, write_safetensors
from bdmm.losses.vgg19 import Vgg19
from bdmm.network.discriminators import build_discriminators
from bdmm.network.generator import Generator
from bdmm.network.weights import digest, with_present_names
from bdmm.training.settings import TrainSettings, as_record, fits
from bdmm.training.step import Learning, Networks, train_windows

FOLDER = "checkpoints"
VERSION = 1
KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """A state of a run.

    Attributes:
        step: steps done.
        tensors: networks, optimisers, averages and random states, by name.
        record: what JSON holds: settings and counters.
    """

    step: int
    tensors: Mapping[str, Tensor]
    record: Mapping[str, Any]


def save_checkpoint(run: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint, then remove all but the last two.

    Raises:
        InputError: the disk is full or the folder cannot be written; earlier ones stay.
    """
    folder = run / FOLDER
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{checkpoint.step:08d}.safetensors"
    description = {
        "version": VERSION,
        "step": checkpoint.step,
        "record": dict(checkpoint.record),
        "sha256": digest(checkpoint.tensors),
    }
    write_safetensors(path, checkpoint.tensors, {"bdmm": json.dumps(description)})
    with writing(path):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        for old in checkpoints(run)[:-KEPT]:
            old.unlink(missing_ok=True)
    return path


def checkpoints(run: Path) -> list[Path]:
    """Return the checkpoints of a run, oldest first."""
    return sorted(path for path in (run / FOLDER).glob("*.safetensors") if path.stem.isdigit())


def load_latest(run: Path) -> Checkpoint | None:
    """Read the newest whole checkpoint of a run; None where there is none at all.

    A damaged one is left where it is, and a `Notice` names it and the one that is used instead.

    Raises:
        InputError: there are checkpoints, and every one of them is damaged.
    """
    damaged: list[InputError] = []
    for path in reversed(checkpoints(run)):
        try:
            checkpoint = load_checkpoint(path)
        except InputError as error:
            damaged.append(error)
            continue
        for error in damaged:
            warnings.warn(
                f"{error} The run goes on from {path.name}, step {checkpoint.step}.",
                Notice,
                stacklevel=2,
            )
        return checkpoint
    if damaged:
        raise InputError(
            f"No checkpoint in {run / FOLDER} is whole: remove them to begin anew. {damaged[0]}"
        )
    return None


def load_checkpoint(path: Path) -> Checkpoint:
    """Read one checkpoint, on the CPU.

    Raises:
        InputError: it is damaged, cut off, or of another version.
    """
    metadata, tensors = read_safetensors(path)
    try:
        description = parse_json(metadata["bdmm"])
        step, record = int(description["step"]), dict(description["record"])
        version, sha256 = description["version"], description["sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a checkpoint of bdmm.") from error
    if version != VERSION:
        raise InputError(f"{path} has the format version {version!r:.20}, not {VERSION}.")
    if sha256 != digest(tensors):
        raise InputError(f"{path} is damaged: its numbers do not match its checksum.")
    return Checkpoint(step, tensors, record)


class RunState:
    """The changing part of a run, as one value that can be stored and restored.

    Attributes:
        average: the generator with averaged weights, and how many averages were taken.
        optimisers: by name, ``generator`` and ``discriminators``.
    """

    def __init__(
        self,
        settings: TrainSettings,
        device: torch.device | str = "cpu",
        vgg: Vgg19 | None = None,
        autocast: Callable[[], AbstractContextManager] = nullcontext,
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        generator = Generator(settings.network).to(device)
        spatial, temporal = (
            one.to(device) for one in build_discriminators(settings.discriminators)
        )
        paired = settings.discriminators.paired
        self.networks = Networks(generator, spatial, temporal, paired, vgg, autocast)
        self.average = moving_average(generator, settings.average)
        rate = settings.learning_rate
        discriminators = [*spatial.parameters(), *temporal.parameters()]
        slower = rate * settings.discriminator_share
        self.optimisers = {
            "generator": Adam(generator.parameters(), rate, settings.betas, fused=True),
            "discriminators": Adam(discriminators, slower, settings.betas, fused=True),
        }

    def train_step(self, batches: Sequence[Batch], step: int, fabric: Fabric) -> dict[str, float]:
        """Go through the windows of some batches; return the mean losses of this device.

        Args:
            batches: whose gradients are averaged.
            step: number of the step, from 0; decides the frames that are drawn.
            fabric: averages gradients over devices.

        Raises:
            TrainingDiverged: a loss or a gradient is not finite.
        """
        self._set_rates(self.settings.rate(step))
        frames = self.settings.frames
        windows = [list(batch.windows(frames)) for batch in batches]
        random = np.random.default_rng([self.settings.seed, step])
        losses, share = self.settings.losses, 1 / len(batches)
        learning = [Learning(losses, int(random.integers(frames)), share) for _ in windows[0]]

        def update(name: str) -> None:
            self._update(name, fabric)
            if name == "generator":
                self.average.update_parameters(self.networks.generator)

        return train_windows(self.networks, windows, learning, update)

    def _set_rates(self, rate: float) -> None:
        shares = {"generator": 1.0, "discriminators": self.settings.discriminator_share}
        for name, optimiser in self.optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = rate * shares[name]

    def _update(self, name: str, fabric: Fabric) -> None:
        optimiser = self.optimisers[name]
        parameters = [one for group in optimiser.param_groups for one in group["params"]]
        average_gradients(parameters, fabric)
        limit = self.settings.gradient_limit if name == "generator" else 0
        norm = nn.utils.clip_grad_norm_(parameters, limit or torch.inf)
        if not bool(norm.isfinite()):
            raise TrainingDiverged(f"The gradient of the {name} is {float(norm)}")
        optimiser.step()
        optimiser.zero_grad()

    def checkpoint(self, step: int) -> Checkpoint:
        """Return the state after ``step`` steps; it shares memory with the networks."""
        tensors = {
            f"{name}.{key}": value
            for name, network in self._networks().items()
            for key, value in network.state_dict().items()
        }
        for name, optimiser in self.optimisers.items():
            tensors |= optimiser_tensors(f"optimiser.{name}", optimiser)
        tensors["random.cpu"] = torch.get_rng_state()
        if torch.cuda.is_available():
            tensors["random.cuda"] = torch.cuda.get_rng_state()
        averaged = int(self.average.n_averaged) - 1
        return Checkpoint(
            step, tensors, {"settings": as_record(self.settings), "averaged": averaged}
        )

    def initialise(self, tensors: Mapping[str, Tensor]) -> None:
        """Give the generator weights that were learned elsewhere, `start.initial_weights`."""
        self.networks.generator.load_state_dict(tensors)
        self.average.module.load_state_dict(tensors)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint.

        Raises:
            InputError: it is of other networks.
        """
        theirs = checkpoint.record.get("settings", {})
        if not fits(theirs, self.settings):
            raise InputError(
                f"The checkpoint is of the preset {theirs.get('preset')!r:.40} and does not fit "
                f"the networks of {self.settings.preset!r}: choose another folder."
            )
        tensors = checkpoint.tensors
        try:
            for name, network in self._networks().items():
                network.load_state_dict(with_present_names(under(f"{name}.", tensors)))
            self.average.n_averaged.fill_(1 + int(checkpoint.record["averaged"]))
            for name, optimiser in self.optimisers.items():
                restore_optimiser(optimiser, under(f"optimiser.{name}.", tensors))
            torch.set_rng_state(tensors["random.cpu"])
        except (AssertionError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(
                "The checkpoint does not fit these networks: it was made by another bdmm."
            ) from error
        if torch.cuda.is_available() and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"])

    def _networks(self) -> dict[str, nn.Module]:
        return {
            "generator": self.networks.generator,
            "spatial": self.networks.spatial,
            "temporal": self.networks.temporal,
            "average": self.average.module,
        }


def moving_average(module: nn.Module, keep: float) -> AveragedModel:
    """Return a copy of a module whose weights become an exponential moving average.

    Early updates count more: after ``n`` of them the share kept is ``(1 + n) / (10 + n)`` at most,
    so that the random weights of the beginning are soon forgotten.

    Args:
        module: gives the first values.
        keep: share of the average that an update keeps, in [0, 1); 0 follows the module exactly.
    """
    assert 0 <= keep < 1

    def average(kept: Tensor, new: Tensor, number: Tensor | int) -> Tensor:
        share = min(keep, (1 + int(number)) / (10 + int(number)))
        return kept.lerp(new.to(kept.dtype), 1 - share) if kept.is_floating_point() else new

    averaged = AveragedModel(module, avg_fn=average, use_buffers=True)
    # The copy counts as the first average; torch would otherwise replace it by the next weights.
    averaged.n_averaged.fill_(1)
    return averaged


def average_gradients(parameters: Iterable[nn.Parameter], fabric: Fabric) -> None:
    """Replace gradients by their means over all devices, in one message.

    What distributed data parallel training computes. Done by hand, it allows several passes
    through a network before an update, and states that are values of their own types.
    """
    if fabric.world_size == 1:
        return
    grads = [one.grad for one in parameters if one.grad is not None]
    mean = fabric.all_reduce(torch.cat([grad.flatten() for grad in grads]), reduce_op="mean")
    assert isinstance(mean, Tensor)
    for grad, part in zip(grads, mean.split([grad.numel() for grad in grads]), strict=True):
        grad.copy_(part.view_as(grad))


def optimiser_tensors(prefix: str, optimiser: Optimizer) -> dict[str, Tensor]:
    """Return an optimiser's moments by name, each name after a prefix and a dot."""
    return {
        f"{prefix}.{number}.{key}": value
        for number, values in optimiser.state_dict()["state"].items()
        for key, value in values.items()
    }


def restore_optimiser(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimiser its moments back; rates are those of the settings."""
    state: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names have a prefix, by their names without it."""
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
