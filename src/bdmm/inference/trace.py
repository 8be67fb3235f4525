"""What a generator's motion modulation does in a window, as values with its output."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from bdmm.errors import InputError
from bdmm.network.generator import Generator, PreparedSource, SeenWindow
from bdmm.network.heads import Layers
from bdmm.network.motion_modulation import MotionModulation
from bdmm.records import Conditions, PropagationState
from bdmm.shapes import Clips

Branch = Literal["forward", "backward"]
BRANCHES: tuple[Branch, Branch] = ("forward", "backward")


class Block(NamedTuple):
    """Which block of motion modulation: its branch, and frame pixels per pixel of the block."""

    branch: Branch
    shrink: int


@dataclass(frozen=True)
class Modulated:
    """The inputs of equation 2 in one block for one frame.

    Attributes:
        propagated: ``b c h w`` the features that are sampled.
        offsets: ``b 18 h w`` displacement of each tap, (dy, dx), in pixels of the features.
        masks: ``b 9 h w`` weight of each tap, in [0, 2].
    """

    propagated: Float[Tensor, "b c h w"]
    offsets: Float[Tensor, "b 18 h w"]
    masks: Float[Tensor, "b 9 h w"]

    @property
    def mean_mask(self) -> Float[Tensor, "h w"]:
        """The mean over taps of the masks, of one clip."""
        return self.masks[0].mean(dim=0).float()

    @property
    def feature_norm(self) -> Float[Tensor, "h w"]:
        """The length of the propagated features at each pixel, of one clip."""
        return self.propagated[0].float().norm(dim=0)


@dataclass(frozen=True)
class FrameTrace:
    """One frame as the network saw it.

    Attributes:
        blocks: of each block, coarse to fine, forward before backward.
        layers: of this one frame, as they were laid over the background; None for an RGB head.
    """

    blocks: dict[Block, Modulated]
    layers: Layers | None


def trace(
    generator: Generator,
    source: PreparedSource,
    conditions: Conditions,
    state: PropagationState | None = None,
    seen: SeenWindow | None = None,
) -> tuple[Clips | Layers, PropagationState, list[dict[Block, Modulated]]]:
    """Generate a window; the output is the same as without tracing.

    Args:
        seen: see `Generator.forward`.

    Returns:
        Output and state, as the generator returns them, and the blocks of each frame.
    """
    found = blocks_of(generator, source.shrink)
    noted: dict[Block, list[Modulated]] = {block: [] for block in found}
    with ExitStack() as stack:
        for block, module in found.items():
            hook = partial(_keep, noted[block])
            stack.callback(module.deform.register_forward_pre_hook(hook).remove)
        output, left = generator(source, conditions, state, seen)
    frames = [dict(zip(noted, one, strict=True)) for one in zip(*noted.values(), strict=True)]
    return output, left, frames


def blocks_of(generator: Generator, shrink: int = 1) -> dict[Block, MotionModulation]:
    """Return the blocks of motion modulation, coarse to fine, forward before backward.

    Args:
        shrink: pixels of the frames per pixel of the network.

    Raises:
        InputError: there is none.
    """
    branches = (generator.decoder.forward_branch, generator.decoder.backward_branch)
    count = len(generator.config.widths) - 1
    blocks = {
        Block(branch, shrink * 2 ** (count - level)): module
        for level in range(count)
        for branch, modules in zip(BRANCHES, branches, strict=True)
        if level < len(modules) and isinstance(module := modules[level], MotionModulation)
    }
    if not blocks:
        raise InputError("The network has no motion modulation, so there is nothing to show.")
    return blocks


def _keep(seen: list[Modulated], module: nn.Module, arguments: Any) -> None:
    """Keep the inputs of one frame, or of all frames of a small window, decoded at once."""
    propagated, offsets, masks = (one.detach().split(1) for one in arguments[:3])
    seen += map(Modulated, propagated, offsets, masks)
