"""What a generator's motion modulation does while it generates: watched, not changed."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Any, Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from bdmm.errors import InputError
from bdmm.inference.compositing import refine
from bdmm.network.generator import Generator
from bdmm.network.heads import Layers
from bdmm.network.motion_modulation import MotionModulation

Branch = Literal["forward", "backward"]
BRANCHES: tuple[Branch, Branch] = ("forward", "backward")


class Block(NamedTuple):
    """Which block of motion modulation: its branch, and how many frame pixels one of its spans."""

    branch: Branch
    shrink: int


@dataclass(frozen=True)
class Modulated:
    """What equation 2 was given by one block for one frame.

    Attributes:
        propagated: ``b c h w`` the features that are sampled.
        offsets: ``b 18 h w`` displacement of each tap, (dy, dx), in pixels of the features.
        masks: ``b 9 h w`` weight of each tap, in [0, 2].
    """

    propagated: Float[Tensor, "b c h w"]
    offsets: Float[Tensor, "b 18 h w"]
    masks: Float[Tensor, "b 9 h w"]


@dataclass(frozen=True)
class Recording:
    """One frame as the network saw it.

    Attributes:
        blocks: of each block, coarse to fine, forward before backward.
        layers: of this one frame, where the network has a head of layers.
    """

    blocks: dict[Block, Modulated]
    layers: Layers | None


class Recorder:
    """Keeps what the blocks of a generator do, in a ``with`` statement; speed and results stay.

    Windows are recorded as they are generated and wait until their frames are taken::

        with Recorder(generator) as recorder:
            frames, state = generator(...)
            first = recorder.take()

    Args:
        generator: of any preset; it may be accelerated.

    Raises:
        InputError: the generator has no motion modulation.
    """

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._modules = blocks_of(generator)
        self._blocks: dict[Block, deque[Modulated]] = {one: deque() for one in self._modules}
        self._layers: deque[Layers] = deque()
        self._stops: list[Callable[[], None]] = []

    def __enter__(self) -> "Recorder":
        """Begin to record."""
        for block, module in self._modules.items():
            self._stops.append(_listen(module, self._blocks[block]))
        if self._generator.config.head == "layers":
            self._stops.append(self._generator.register_forward_hook(self._keep_layers).remove)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the generator as it was."""
        while self._stops:
            self._stops.pop()()

    def __len__(self) -> int:
        """Return how many frames wait to be taken."""
        return min(len(waiting) for waiting in self._blocks.values())

    def waiting(self) -> Sequence[Recording]:
        """Return all frames that wait to be taken, in order."""
        return [self._at(place) for place in range(len(self))]

    def take(self) -> Recording:
        """Hand out the next frame and forget it."""
        first = self._at(0)
        for waiting in (*self._blocks.values(), *([self._layers] if first.layers else [])):
            waiting.popleft()
        return first

    def _at(self, place: int) -> Recording:
        blocks = {block: waiting[place] for block, waiting in self._blocks.items()}
        return Recording(blocks, self._layers[place] if self._layers else None)

    def _keep_layers(self, module: nn.Module, arguments: Any, results: Any) -> None:
        layers = refine(results[0], min(arguments[0].image.shape[2:]))
        for i in range(layers.alpha.shape[1]):
            parts = (getattr(layers, one.name)[:, i : i + 1] for one in fields(layers))
            self._layers.append(Layers(*parts))


def blocks_of(generator: Generator) -> dict[Block, MotionModulation]:
    """Return the blocks of motion modulation, coarse to fine, forward before backward.

    Raises:
        InputError: there is none.
    """
    branches = (generator.decoder.forward_branch, generator.decoder.backward_branch)
    count = len(generator.config.widths) - 1
    blocks = {
        Block(branch, 2 ** (count - level)): module
        for level in range(count)
        for branch, modules in zip(BRANCHES, branches, strict=True)
        if level < len(modules) and isinstance(module := modules[level], MotionModulation)
    }
    if not blocks:
        raise InputError("The network has no motion modulation, so there is nothing to show.")
    return blocks


def _listen(module: MotionModulation, kept: deque[Modulated]) -> Callable[[], None]:
    """Keep what a block is about to convolve with; return what ends this."""

    def listen(module: nn.Module, arguments: Any) -> None:
        propagated, offsets, masks, *_ = arguments
        kept.append(Modulated(propagated.detach(), offsets.detach(), masks.detach()))

    return module.deform.register_forward_pre_hook(listen).remove
