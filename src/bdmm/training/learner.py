"""All that changes during a run: networks, optimisers, averages, random states."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from bdmm.data.batch import Batch
from bdmm.errors import InputError
from bdmm.losses.vgg19 import Vgg19
from bdmm.network.discriminators import build_discriminators
from bdmm.network.generator import Generator
from bdmm.network.weights import with_present_names
from bdmm.training.checkpoint import Checkpoint
from bdmm.training.ema import MovingAverage
from bdmm.training.settings import FIXED, TrainSettings, as_record
from bdmm.training.steps import (
    Players,
    discriminator_step,
    generate,
    generator_step,
)


class Learner:
    """The changing part of a run, as one value that can be stored and taken up again.

    Args:
        settings: of the run.
        device: where the networks lie.
        vgg: the eye of the losses, on that device.
        autocast: the context in which the networks run.

    Attributes:
        players: the networks.
        average: the generator's averaged weights.
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
            judge.to(device) for judge in build_discriminators(settings.discriminators)
        )
        paired = settings.discriminators.paired
        self.players = Players(generator, spatial, temporal, paired, vgg, autocast)
        self.average = MovingAverage(generator, settings.average)
        rate = settings.learning_rate
        judges = [*spatial.parameters(), *temporal.parameters()]
        self.optimisers = {
            "generator": Adam(generator.parameters(), rate, settings.betas),
            "discriminators": Adam(judges, rate * settings.discriminator_share, settings.betas),
        }

    def learn(self, batches: Sequence[Batch], step: int, fabric: Fabric) -> dict[str, float]:
        """Go through the windows of some batches, with an update after each window.

        The discriminators are updated first. Where several batches make one update, their frames
        are generated twice, so that memory is that of one.

        Args:
            batches: whose gradients are averaged.
            step: number of the step, from 0; decides the frames that are judged.
            fabric: averages gradients over devices.

        Returns:
            The losses' means over windows and batches of this device.

        Raises:
            InputError: a loss or a gradient is not finite.
        """
        self._set_rates(self.settings.rate(step))
        queues = [list(batch.windows(self.settings.frames)) for batch in batches]
        states = [None] * len(batches)
        random = np.random.default_rng([self.settings.seed, step])
        seen = []
        for parts in zip(*queues, strict=True):
            judged = int(random.integers(self.settings.frames))
            terms, states = self._window(parts, states, judged, fabric)
            seen += terms
        return {
            name: float(torch.stack([terms[name] for terms in seen]).mean()) for name in seen[0]
        }

    def _window(
        self, parts: Sequence[Batch], states: Sequence, judged: int, fabric: Fabric
    ) -> tuple[list[dict[str, Tensor]], list]:
        """Update all networks by one window of each batch."""
        losses, share = self.settings.losses, 1 / len(parts)
        keeps_graph = len(parts) == 1
        pairs = list(zip(parts, states, strict=True))
        with torch.set_grad_enabled(keeps_graph):
            drafts = [generate(self.players, *pair) for pair in pairs]
        verdicts = [
            discriminator_step(self.players, part, frames, judged, losses, share)
            for part, (frames, _) in zip(parts, drafts, strict=True)
        ]
        if verdicts[0]:
            self._update("discriminators", fabric)
        terms = []
        for pair, draft in zip(pairs, drafts, strict=True):
            frames, _ = draft if keeps_graph else generate(self.players, *pair)
            terms.append(generator_step(self.players, pair[0], frames, judged, losses, share))
        self._update("generator", fabric)
        self.average.update(self.players.generator)
        both = [one | other for one, other in zip(terms, verdicts, strict=True)]
        return both, [state for _, state in drafts]

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
            raise InputError(
                f"The gradient of the {name} is {float(norm)}: training was stopped before the "
                "weights took harm; run it again with a lower learning rate."
            )
        optimiser.step()
        optimiser.zero_grad()

    @property
    def device(self) -> torch.device:
        """Where the networks lie."""
        return next(self.players.generator.parameters()).device

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Give the generator its averaged weights for a while."""
        generator = self.players.generator
        learned = {name: value.clone() for name, value in generator.state_dict().items()}
        generator.load_state_dict(self.average.tensors)
        try:
            yield
        finally:
            generator.load_state_dict(learned)

    def checkpoint(self, step: int) -> Checkpoint:
        """Return the state after ``step`` steps; it shares memory with the networks."""
        tensors = {
            f"{name}.{key}": value
            for name, network in self._networks().items()
            for key, value in network.state_dict().items()
        }
        tensors |= {f"average.{key}": value for key, value in self.average.tensors.items()}
        for name, optimiser in self.optimisers.items():
            tensors |= _optimiser_tensors(f"optimiser.{name}", optimiser)
        tensors["random.cpu"] = torch.get_rng_state()
        if torch.cuda.is_available():
            tensors["random.cuda"] = torch.cuda.get_rng_state()
        record = {"settings": as_record(self.settings), "averaged": self.average.updates}
        return Checkpoint(step, tensors, record)

    def begin_with(self, tensors: Mapping[str, Tensor]) -> None:
        """Give the generator weights that were learned elsewhere, `start.beginning`."""
        self.players.generator.load_state_dict(tensors)
        self.average.load(tensors, updates=0)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint.

        Raises:
            InputError: it is of other networks.
        """
        theirs, ours = checkpoint.record.get("settings", {}), as_record(self.settings)
        if any(theirs.get(name) != ours[name] for name in FIXED):
            raise InputError(
                f"The checkpoint is of the preset {theirs.get('preset')!r:.40} and does not fit "
                f"the networks of {self.settings.preset!r}: choose another folder."
            )
        tensors = checkpoint.tensors
        try:
            for name, network in self._networks().items():
                network.load_state_dict(with_present_names(_under(f"{name}.", tensors)))
            average = with_present_names(_under("average.", tensors))
            self.average.load(average, int(checkpoint.record["averaged"]))
            for name, optimiser in self.optimisers.items():
                _restore_optimiser(optimiser, _under(f"optimiser.{name}.", tensors))
            torch.set_rng_state(tensors["random.cpu"])
        except (AssertionError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(
                "The checkpoint does not fit these networks: it was made by another bdmm."
            ) from error
        if torch.cuda.is_available() and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"])

    def _networks(self) -> dict[str, nn.Module]:
        players = self.players
        return {
            "generator": players.generator,
            "spatial": players.spatial,
            "temporal": players.temporal,
        }


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


def _optimiser_tensors(prefix: str, optimiser: Optimizer) -> dict[str, Tensor]:
    return {
        f"{prefix}.{number}.{key}": value
        for number, values in optimiser.state_dict()["state"].items()
        for key, value in values.items()
    }


def _restore_optimiser(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimiser its moments back; rates are those of the settings."""
    state: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
