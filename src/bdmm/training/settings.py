"""The settings of a training run: one frozen value, kept with its results."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Literal

from bdmm.config import (
    DISCRIMINATOR_PRESETS,
    LOSS_PRESETS,
    PRESETS,
    DiscriminatorConfig,
    LossConfig,
    NetworkConfig,
    present_settings,
)
from bdmm.errors import InputError

Precision = Literal["32-true", "bf16-mixed"]
FIXED = ("preset", "network", "discriminators")
"""What a resumed run cannot change: these decide the tensors of its checkpoints."""
UNIT_FEATURES = ("layered", "paper-small")
"""Presets whose weights of losses are for VGG-19 features of size one, whoever's weights it has."""
LAYERED = ("person", "alpha", "synthesis", "copy")
"""Losses of the layers of a compositing head."""
_COUNTS = ("steps", "windows", "batch", "accumulate", "save_every", "log_every")
_SHARES = ("discriminator_share", "gradient_limit", "warm_up")


@dataclass(frozen=True)
class TrainSettings:
    """A training run.

    Attributes:
        preset: name of the network's preset.
        losses: weights and layers; a term of weight 0 is not computed.
        steps: one step goes through ``windows`` consecutive windows, and updates the networks
            after each of them.
        window: frames of a window, if fewer than the network makes at once in use; None: as many.
        windows: of a sample; gradients do not flow from one to the next.
        batch: clips at once on each device.
        accumulate: batches whose gradients are averaged before an update.
        learning_rate: of the generator, at its highest.
        final_rate: what the learning rate falls to by the last step, along half a cosine; None for
            the same all the time.
        warm_up: steps in which the learning rate rises from nothing.
        discriminator_share: the discriminators' learning rate over the generator's.
        betas: of Adam.
        gradient_limit: largest norm of the generator's gradients; 0 for no limit.
        average: share of the averaged weights that an update keeps.
        precision: of the networks' arithmetic; weights and losses are always 32 bit.
        crop: (height, width) of a part around the person that frames are cut down to; None for
            whole frames.
        seed: decides the first weights, the samples and the frames that discriminators see.
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
    window: int | None = None
    windows: int = 5
    batch: int = 1
    accumulate: int = 1
    learning_rate: float = 1e-4
    final_rate: float | None = None
    warm_up: int = 0
    discriminator_share: float = 0.1
    betas: tuple[float, float] = (0.5, 0.999)
    gradient_limit: float = 0.0
    average: float = 0.999
    precision: Precision = "32-true"
    crop: tuple[int, int] | None = None
    seed: int = 0
    save_every: int = 500
    log_every: int = 20

    def __post_init__(self) -> None:
        for names, least in ((_COUNTS, 1), (_SHARES, 0)):
            for name in names:
                if not (math.isfinite(value := getattr(self, name)) and value >= least):
                    raise InputError(
                        f"The training's {_words(name)} must be {least} or more, not {value}."
                    )
        for rate in (self.learning_rate, self.final_rate):
            if rate is not None and not (math.isfinite(rate) and rate > 0):
                raise InputError(f"The learning rate must be a number above 0, not {rate}.")
        if not 0 <= self.average < 1:
            raise InputError(f"The average must lie between 0 and 1, not be {self.average}.")
        self._check_losses()

    def _check_losses(self) -> None:
        for name, weight in weights(self.losses).items():
            if not (math.isfinite(weight) and weight >= 0):
                raise InputError(f"The weight of the {_words(name)} loss is {weight}.")
        if self.frames != self.discriminators.frames and self.losses.temporal_adversarial:
            raise InputError(
                f"The temporal discriminator sees {self.discriminators.frames} frames, not "
                f"{self.frames}: switch its loss off for other windows."
            )
        layered = self.network.head == "layers"
        if not any(v for name, v in weights(self.losses).items() if layered or name not in LAYERED):
            raise InputError("All losses are switched off: there is nothing to learn from.")

    @property
    def frames(self) -> int:
        """Frames of a window."""
        return self.window or self.network.window

    def rate(self, step: int) -> float:
        """Return the generator's learning rate at a step, counted from 0."""
        rate, last = self.learning_rate, self.final_rate
        if last is not None:
            turn = math.cos(math.pi * min(step / self.steps, 1.0))
            rate = last + (rate - last) * (1 + turn) / 2
        return rate * min(1.0, (step + 1) / (self.warm_up + 1))


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


def check_packages() -> None:
    """Check that the packages that only training needs are installed.

    Raises:
        InputError: one is missing.
    """
    for package in ("lightning_fabric", "tensorboard"):
        if find_spec(package) is None:
            raise InputError(
                f"Training needs the package {package}: install it by pip install 'bdmm[train]'."
            )


def fits(record: Mapping[str, Any], settings: TrainSettings) -> bool:
    """Return whether a run of these settings can resume the run of a record."""
    ours = as_record(settings)
    theirs = dict(record)
    if isinstance(theirs.get("network"), dict):
        theirs["network"] = present_settings(theirs["network"])
    return all(theirs.get(name) == ours[name] for name in FIXED)


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
    | {
        "paper-small": TrainSettings(
            preset="paper-small",
            network=PRESETS["paper-small"],
            discriminators=DISCRIMINATOR_PRESETS["paper-small"],
            losses=LOSS_PRESETS["paper-small"],
            steps=500,
            windows=2,
            learning_rate=3e-4,
            final_rate=3e-5,
            warm_up=50,
            gradient_limit=5.0,
        ),
        "layered": TrainSettings(
            preset="layered",
            network=PRESETS["layered"],
            discriminators=DISCRIMINATOR_PRESETS["layered"],
            losses=LOSS_PRESETS["layered"],
            steps=20_000,
            windows=2,
            learning_rate=1e-3,
            final_rate=1e-4,
            warm_up=50,
            gradient_limit=5.0,
        ),
    }
)
