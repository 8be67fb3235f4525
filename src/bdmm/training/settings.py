"""What a training run is told: one frozen value, kept beside its results."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from bdmm.config import (
    DISCRIMINATOR_PRESETS,
    LOSS_PRESETS,
    PRESETS,
    DiscriminatorConfig,
    LossConfig,
    NetworkConfig,
)
from bdmm.errors import InputError

Precision = Literal["32-true", "bf16-mixed"]
FIXED = ("preset", "network", "discriminators")
"""What a resumed run cannot change: these decide the tensors of its checkpoints."""


@dataclass(frozen=True)
class TrainSettings:
    """A training run.

    Attributes:
        preset: name of the network's preset.
        network: the generator.
        discriminators: the judges; their count of frames is the length of a window.
        losses: weights and layers; a term of weight 0 is not computed.
        steps: one step goes through ``windows`` consecutive windows, and updates the networks
            after each of them.
        windows: of a sample; gradients do not flow from one to the next.
        batch: clips at once on each device.
        accumulate: batches whose gradients are averaged before an update.
        learning_rate: of the generator.
        discriminator_share: the discriminators' learning rate over the generator's.
        betas: of Adam.
        gradient_limit: largest norm of the generator's gradients; 0 for no limit.
        average: share of the averaged weights that an update keeps.
        precision: of the networks' arithmetic; weights and losses are always 32 bit.
        seed: decides the first weights, the samples and the frames that are judged.
        save_every: steps between checkpoints.
        log_every: steps between two lines of the log.
    """

    preset: str = "paper"
    network: NetworkConfig = field(default_factory=lambda: PRESETS["paper"])
    discriminators: DiscriminatorConfig = field(
        default_factory=lambda: DISCRIMINATOR_PRESETS["paper"]
    )
    losses: LossConfig = field(default_factory=lambda: LOSS_PRESETS["paper"])
    steps: int = 50_000
    windows: int = 5
    batch: int = 1
    accumulate: int = 1
    learning_rate: float = 1e-4
    discriminator_share: float = 0.1
    betas: tuple[float, float] = (0.5, 0.999)
    gradient_limit: float = 0.0
    average: float = 0.999
    precision: Precision = "32-true"
    seed: int = 0
    save_every: int = 500
    log_every: int = 20

    def __post_init__(self) -> None:
        """Refuse numbers that no run can have."""
        for name in ("steps", "windows", "batch", "accumulate", "save_every", "log_every"):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"The training's {_words(name)} must be 1 or more, not {value}.")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise InputError(
                f"The learning rate must be a number above 0, not {self.learning_rate}."
            )
        for name in ("discriminator_share", "gradient_limit"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"The training's {_words(name)} must be 0 or more, not {value}.")
        if not 0 <= self.average < 1:
            raise InputError(f"The average must lie between 0 and 1, not be {self.average}.")
        for name, weight in weights(self.losses).items():
            if not (math.isfinite(weight) and weight >= 0):
                raise InputError(f"The weight of the {_words(name)} loss is {weight}.")
        if not any(weights(self.losses).values()):
            raise InputError("All losses are switched off: there is nothing to learn from.")

    @property
    def frames(self) -> int:
        """Frames of a window."""
        return self.discriminators.frames


def weights(losses: LossConfig) -> dict[str, float]:
    """Return each loss's weight by its name."""
    return {
        one.name: getattr(losses, one.name)
        for one in dataclasses.fields(losses)
        if isinstance(one.default, float)
    }


def as_record(settings: TrainSettings) -> dict[str, Any]:
    """Return settings as JSON holds them."""
    return json.loads(json.dumps(dataclasses.asdict(settings)))


def _words(name: str) -> str:
    return name.replace("_", " ")


TRAIN_PRESETS: Mapping[str, TrainSettings] = MappingProxyType(
    {
        name: TrainSettings(
            preset=name,
            network=PRESETS[name],
            discriminators=DISCRIMINATOR_PRESETS[name],
            losses=LOSS_PRESETS[name],
        )
        for name in ("paper", "released")
    }
)
