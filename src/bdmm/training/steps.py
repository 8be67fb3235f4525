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
from bdmm.network.heads import Layers
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

    generator: Generator
    spatial: nn.Module
    temporal: nn.Module
    paired: bool
    vgg: Vgg19 | None = None
    autocast: Callable[[], AbstractContextManager] = nullcontext


@dataclass(frozen=True)
class Generated:
    """What a generator made of a window.

    Attributes:
        frames: in 32 bit.
        output: what they were made from: layers for a compositing head, else the frames.
    """

    frames: Clips
    output: Clips | Layers


def generate(
    players: Players, batch: Batch, state: PropagationState | None
) -> tuple[Generated, PropagationState]:
    """Generate a window's frames.

    Args:
        players: the networks.
        batch: the window.
        state: what the window before returned; None at the beginning.

    Returns:
        The frames and the state for the next window, cut from the graph.
    """
    generator = players.generator
    with players.autocast():
        source = generator.prepare(batch.source_image, batch.source_foreground)
        output, left = generator(source, batch.conditions, state)
        frames = generator.head.over(output, batch.background[:, None])
    return Generated(frames.float(), output), detached(left)


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
    if isinstance(generated.output, Layers):
        terms |= layer_terms(generated.output, batch, config)
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
