"""One training step: the windows of some clips, and an update of all networks after each window.

For each window the generator makes its frames; the discriminators learn to distinguish them from
the true ones; then the generator learns from every loss (equation 9). A window's losses stand in
`discriminator_terms` and `generator_terms`; `bdmm.losses` has their mathematics.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from einops import repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bdmm.config import LossConfig
from bdmm.data.batch import Batch
from bdmm.errors import TrainingDiverged
from bdmm.losses.adversarial import discriminator_loss, generator_loss
from bdmm.losses.objective import supervised_terms, weighted_sum
from bdmm.losses.vgg19 import Vgg19
from bdmm.network.generator import Generator
from bdmm.network.heads import Layers
from bdmm.network.propagation import detached
from bdmm.records import PropagationState
from bdmm.shapes import Clips

Scalar = Float[Tensor, ""]
Logits = Float[Tensor, "b 1 hp wp"]
Terms = dict[str, Scalar]
Update = Callable[[str], None]
"""Called with the name of networks whose gradients are complete."""

_CROSS_ENTROPY = 0.25
"""Weight of alpha's cross-entropy, with its L1 distance of weight 1."""
_CERTAIN = 1e-4


@dataclass(frozen=True)
class Networks:
    """The networks of a run and how they are computed.

    Attributes:
        generator: what is trained.
        spatial: discriminator of single frames.
        temporal: discriminator of windows.
        paired: whether the discriminators see each frame with the source (equation 10).
        vgg: frozen VGG-19 features for the losses; None where no loss needs them.
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


@dataclass(frozen=True)
class Learning:
    """How a window's losses become gradients.

    Attributes:
        losses: weights and layers; a term of weight 0 is not computed.
        drawn: number of the frame that the spatial discriminator sees.
        share: of the gradient, where several windows make one update.
    """

    losses: LossConfig
    drawn: int
    share: float = 1.0


def train_windows(
    networks: Networks,
    windows: Sequence[Sequence[Batch]],
    learning: Sequence[Learning],
    update: Update,
) -> dict[str, float]:
    """Go through the windows of some clips, update after each, and return the mean losses.

    Where several clips make one update, their frames are generated twice, so that memory is that
    of one.

    Args:
        windows: of each batch, consecutive windows, as many as ``learning``.
        learning: of each window.
        update: is called after each window with ``discriminators``, then with ``generator``.

    Raises:
        TrainingDiverged: a loss is not finite.
    """
    states: list[PropagationState | None] = [None] * len(windows)
    seen: list[Terms] = []
    for parts, how in zip(zip(*windows, strict=True), learning, strict=True):
        terms, states = _train_window(networks, parts, states, how, update)
        seen += terms
    return {name: float(torch.stack([terms[name] for terms in seen]).mean()) for name in seen[0]}


def _train_window(
    networks: Networks,
    parts: Sequence[Batch],
    states: Sequence[PropagationState | None],
    learning: Learning,
    update: Update,
) -> tuple[list[Terms], list[PropagationState | None]]:
    """Update all networks by one window of each batch."""
    keeps_graph = len(parts) == 1
    pairs = list(zip(parts, states, strict=True))
    with torch.set_grad_enabled(keeps_graph):
        drafts = [generate(networks, *pair) for pair in pairs]
    discriminated = [
        discriminator_terms(networks, part, generated, learning)
        for part, (generated, _) in zip(parts, drafts, strict=True)
    ]
    if discriminated[0]:
        update("discriminators")
    terms = []
    for pair, draft, theirs in zip(pairs, drafts, discriminated, strict=True):
        generated, _ = draft if keeps_graph else generate(networks, *pair)
        terms.append(generator_terms(networks, pair[0], generated, learning) | theirs)
    update("generator")
    return terms, [state for _, state in drafts]


def generate(
    networks: Networks, batch: Batch, state: PropagationState | None
) -> tuple[Generated, PropagationState]:
    """Generate a window's frames."""
    generator = networks.generator
    with networks.autocast():
        source = generator.prepare(batch.source_image, batch.source_foreground)
        output, left = generator(source, batch.conditions, state)
        frames = generator.head.over(output, batch.background[:, None])
    return Generated(frames.float(), output), detached(left)


def discriminator_terms(
    networks: Networks, batch: Batch, generated: Generated, learning: Learning
) -> Terms:
    """Add what a window teaches the discriminators to their gradients.

    Returns:
        ``spatial_discriminator`` and ``temporal_discriminator``, where they are switched on.

    Raises:
        TrainingDiverged: a loss is not finite; the sentence names it.
    """
    both = torch.cat([batch.target_frames, generated.frames.detach()])
    source = torch.cat([batch.source_image, batch.source_image])
    logits = _logits(networks, both, source, learning)
    terms = {f"{name}_discriminator": discriminator_loss(*one.chunk(2)) for name, one in logits}
    if terms:
        check_finite(terms)
        (learning.share * torch.stack(list(terms.values())).sum()).backward()
    return {name: value.detach() for name, value in terms.items()}


def generator_terms(
    networks: Networks, batch: Batch, generated: Generated, learning: Learning
) -> Terms:
    """Add what a window teaches the generator to its gradients; discriminators learn nothing.

    Returns:
        The terms of `bdmm.config.LossConfig` that are switched on, unweighted, and ``total``.

    Raises:
        TrainingDiverged: a loss is not finite; the sentence names it.
    """
    frames, config = generated.frames, learning.losses
    terms = supervised_terms(frames, batch.target_frames, networks.vgg, config, learning.drawn)
    if isinstance(generated.output, Layers):
        terms |= layer_terms(generated.output, batch, config)
    with _frozen(networks.spatial, networks.temporal):
        logits = _logits(networks, frames, batch.source_image, learning)
        terms |= {f"{name}_adversarial": generator_loss(one) for name, one in logits}
        check_finite(terms)
        total = weighted_sum(terms, config)
        (learning.share * total).backward()
    return {name: value.detach() for name, value in (*terms.items(), ("total", total))}


def layer_terms(layers: Layers, batch: Batch, config: LossConfig) -> Terms:
    """Return the terms that only layers have, not yet weighted, without those of weight 0.

    Returns:
        ``person``, ``alpha``, ``synthesis`` and ``copy`` of `bdmm.config.LossConfig`: means over
        the window's pixels, those of the first, third and fourth over the person's alone.
    """
    person, target = batch.target_foreground, batch.target_frames
    terms: Terms = {}
    if config.person:
        # Of the colours, not of the frames: those would be rewarded for a person that is too wide.
        terms["person"] = _mean_over((layers.person.float() - target).abs(), person)
    if config.alpha:
        learned = layers.alpha.float()
        certain = learned.clamp(_CERTAIN, 1 - _CERTAIN)
        entropy = functional.binary_cross_entropy(certain, person)
        terms["alpha"] = (learned - person).abs().mean() + _CROSS_ENTROPY * entropy
    if config.synthesis:
        terms["synthesis"] = _mean_over((layers.synthesis.float() - target).abs(), person)
    if config.copy:
        terms["copy"] = _mean_over(1 - layers.copy.float(), layers.visible.float() * person)
    return terms


def _mean_over(values: Float[Tensor, "b t c h w"], weight: Float[Tensor, "b t 1 h w"]) -> Scalar:
    channels = values.shape[2]
    return (values * weight).sum() / (channels * weight.sum()).clamp(min=1.0)


def check_finite(terms: Mapping[str, Scalar]) -> None:
    """Stop before a number that is none reaches the weights.

    Raises:
        TrainingDiverged: naming the first such term.
    """
    values = torch.stack([value.detach() for value in terms.values()])
    if bool(values.isfinite().all()):
        return
    name, value = next(
        (name, float(value.detach())) for name, value in terms.items() if not value.isfinite()
    )
    raise TrainingDiverged(f"The {name.replace('_', ' ')} loss is {value}")


def _logits(
    networks: Networks, frames: Clips, source: Tensor, learning: Learning
) -> list[tuple[str, Logits]]:
    """Return the logits of those discriminators that are switched on, by name, in 32 bit."""
    logits = []
    with networks.autocast():
        if learning.losses.spatial_adversarial:
            partner = (source,) if networks.paired else ()
            one = networks.spatial(frames[:, learning.drawn], *partner)
            logits.append(("spatial", one.float()))
        if learning.losses.temporal_adversarial:
            still = repeat(source, "b c h w -> b t c h w", t=frames.shape[1])
            partner = (still,) if networks.paired else ()
            logits.append(("temporal", networks.temporal(frames, *partner).float()))
    return logits


@contextmanager
def _frozen(*networks: nn.Module) -> Iterator[None]:
    """Let gradients flow through networks but not into their weights."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)
