"""One window's work: what the discriminators and what the generator learn from it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from einops import repeat
from jaxtyping import Float
from torch import Tensor, nn

from bdmm.config import LossConfig
from bdmm.data.batch import Batch
from bdmm.errors import InputError
from bdmm.losses.adversarial import discriminator_loss, generator_loss
from bdmm.losses.objective import supervised_terms, weighted_sum
from bdmm.losses.vgg19 import Vgg19
from bdmm.network.generator import Generator
from bdmm.network.layer_inputs import Guide
from bdmm.network.layered import LayeredGenerator, Layers
from bdmm.network.propagation import detached
from bdmm.records import PropagationState
from bdmm.shapes import Clips
from bdmm.training.layer_terms import layer_terms

Scalar = Float[Tensor, ""]
Logits = Float[Tensor, "b 1 hp wp"]


@dataclass(frozen=True)
class Players:
    """The networks of a run and how they are computed.

    Attributes:
        generator: what is trained.
        spatial: judges single frames.
        temporal: judges windows.
        paired: the judges see each frame beside the source (equation 10).
        vgg: the eye of the losses; None where no loss needs it.
        autocast: the context in which the networks run; losses run outside, in 32 bit.
    """

    generator: Generator | LayeredGenerator
    spatial: nn.Module
    temporal: nn.Module
    paired: bool
    vgg: Vgg19 | None = None
    autocast: Callable[[], AbstractContextManager] = nullcontext


@dataclass(frozen=True)
class Window:
    """Some consecutive frames of a batch.

    Attributes:
        batch: these frames.
        after: the frame after them; None at the end of the batch.
    """

    batch: Batch
    after: Batch | None


@dataclass(frozen=True)
class Generated:
    """What a generator made of a window.

    Attributes:
        frames: in 32 bit.
        layers: what they were mixed from, for a head of layers.
    """

    frames: Clips
    layers: Layers | None = None


def windows(batch: Batch, frames: int) -> Iterator[Window]:
    """Yield a batch's windows, each with a look at the frame behind its end."""
    for number, part in enumerate(batch.windows(frames), start=1):
        end = number * frames
        yield Window(part, batch.frame(end) if end < batch.frame_count else None)


def generate(
    players: Players, window: Window, state: PropagationState | None
) -> tuple[Generated, PropagationState]:
    """Generate a window's frames.

    Args:
        players: the networks.
        window: the window.
        state: what the window before returned; None at the beginning.

    Returns:
        The frames and the state for the next window, cut from the graph.
    """
    batch, after = window.batch, window.after
    with players.autocast():
        if isinstance(players.generator, LayeredGenerator):
            layers, left = players.generator(
                players.generator.prepare(batch.source_image, batch.source_foreground),
                guide_of(batch),
                batch.background[:, None],
                after=None if after is None else guide_of(after),
                state=state,
            )
            layers = layers.float()
            return Generated(layers.frames, layers), detached(left)
        frames, left = players.generator(
            batch.source_image,
            batch.pose_heatmaps,
            batch.source_grid,
            grid_after=None if after is None else after.source_grid[:, 0],
            state=state,
        )
    return Generated(frames.float()), detached(left)


def guide_of(batch: Batch) -> Guide:
    """Return what tells a generator with layers where each pixel comes from."""
    return Guide(batch.pose_heatmaps, batch.source_grid, batch.state, batch.filled)


def discriminator_step(
    players: Players,
    batch: Batch,
    generated: Generated,
    judged: int,
    config: LossConfig,
    share: float = 1.0,
) -> dict[str, Scalar]:
    """Add what a window teaches the discriminators to their gradients.

    Args:
        players: the networks.
        batch: the window's true frames.
        generated: the generator's; no gradient flows into them.
        judged: number of the frame that the spatial discriminator sees.
        config: a discriminator of weight 0 is left alone.
        share: of the gradient, where several windows make one update.

    Returns:
        ``spatial_discriminator`` and ``temporal_discriminator``, where they are switched on.

    Raises:
        InputError: a loss is not finite; the sentence names it.
    """
    both = torch.cat([batch.target_frames, generated.frames.detach()])
    source = torch.cat([batch.source_image, batch.source_image])
    verdicts = _verdicts(players, both, source, judged, config)
    terms = {
        f"{name}_discriminator": discriminator_loss(*logits.chunk(2))
        for name, logits in verdicts.items()
    }
    if terms:
        check_finite(terms)
        (share * torch.stack(list(terms.values())).sum()).backward()
    return {name: value.detach() for name, value in terms.items()}


def generator_step(
    players: Players,
    batch: Batch,
    generated: Generated,
    judged: int,
    config: LossConfig,
    share: float = 1.0,
) -> dict[str, Scalar]:
    """Add what a window teaches the generator to its gradients; the judges learn nothing.

    Args:
        players: the networks.
        batch: the window's true frames.
        generated: the generator's, with their graph.
        judged: number of the frame that the spatial discriminator sees.
        config: weights; a term of weight 0 is not computed.
        share: of the gradient, where several windows make one update.

    Returns:
        The terms of `bdmm.config.LossConfig` that are switched on, unweighted, and ``total``.

    Raises:
        InputError: a loss is not finite; the sentence names it.
    """
    frames = generated.frames
    terms = supervised_terms(frames, batch.target_frames, players.vgg, config, judged)
    if generated.layers is not None:
        terms |= layer_terms(generated.layers, batch, config)
    with _unlearning(players.spatial, players.temporal):
        verdicts = _verdicts(players, frames, batch.source_image, judged, config)
        terms |= {
            f"{name}_adversarial": generator_loss(logits) for name, logits in verdicts.items()
        }
        check_finite(terms)
        total = weighted_sum(terms, config)
        (share * total).backward()
    return {name: value.detach() for name, value in (*terms.items(), ("total", total))}


def check_finite(terms: Mapping[str, Scalar]) -> None:
    """Stop before a number that is none reaches the weights.

    Raises:
        InputError: naming the first such term.
    """
    values = torch.stack([value.detach() for value in terms.values()])
    if bool(values.isfinite().all()):
        return
    name, value = next(
        (name, float(value.detach())) for name, value in terms.items() if not value.isfinite()
    )
    raise InputError(
        f"The {name.replace('_', ' ')} loss is {value}: training was stopped before the weights "
        "took harm; run it again with a lower learning rate."
    )


def _verdicts(
    players: Players, frames: Clips, source: Tensor, judged: int, config: LossConfig
) -> dict[str, Logits]:
    """Return the logits of those judges that are switched on, in 32 bit."""
    verdicts = {}
    with players.autocast():
        if config.spatial_adversarial:
            partner = (source,) if players.paired else ()
            verdicts["spatial"] = players.spatial(frames[:, judged], *partner).float()
        if config.temporal_adversarial:
            still = repeat(source, "b c h w -> b t c h w", t=frames.shape[1])
            partner = (still,) if players.paired else ()
            verdicts["temporal"] = players.temporal(frames, *partner).float()
    return verdicts


@contextmanager
def _unlearning(*networks: nn.Module) -> Iterator[None]:
    """Let gradients flow through networks but not into their weights."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)
