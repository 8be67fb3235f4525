"""The generator: a source photo and a window of poses and source grids to frames (figure 3)."""

from collections.abc import Sequence

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from bdmm.config import NetworkConfig
from bdmm.errors import InputError
from bdmm.kernels.warp import warp
from bdmm.network.decoder import Decoder, FoldedStyle
from bdmm.network.encoders import StructuralEncoder, WarpEncoder
from bdmm.network.layer_inputs import LAYER_INPUTS
from bdmm.network.layers import AnyScale
from bdmm.network.propagation import Propagation, Scales
from bdmm.network.style import StyleEncoder
from bdmm.records import PropagationState
from bdmm.shapes import Clips, PoseHeatmaps, Style

Sources = Float[Tensor, "b 3 h0 w0"]
"""The photos: of the frames' size, but for a head of layers, whose frames may be parts."""
Drawn = Float[Tensor, "b t _ h w"]
"""Frames, or the features that a head of layers makes them from."""
WindowGrids = Float[Tensor, "b t h w 2"]
EdgeGrid = Float[Tensor, "b h w 2"]
Encoded = tuple[Scales, Sequence[AnyScale], Sequence[AnyScale]]
"""For each propagated scale, coarse to fine: the window's features, those before and after it."""


class Generator(nn.Module):
    """Bidirectionally deformable motion modulation: one photo and a motion to a video.

    A clip is made window by window: what a window leaves to the next is the state that it returns.
    The source's style is folded into kernels once for the clip: ``folded = generator.fold(source)``
    and then ``generator(..., folded=folded)`` for each window.
    """

    def __init__(self, config: NetworkConfig) -> None:
        """Build the networks with fresh weights."""
        super().__init__()
        self.config = config
        self.style_encoder = StyleEncoder(config)
        self.structural_encoder = StructuralEncoder(config)
        self.warp_encoder = WarpEncoder(config, 3 if config.head == "rgb" else LAYER_INPUTS)
        self.forward_propagation = Propagation(config) if config.forward_branch else None
        self.backward_propagation = (
            Propagation(config, backward=True) if config.backward_branch else None
        )
        self.decoder = Decoder(config)

    def forward(
        self,
        source: Sources,
        pose_heatmaps: PoseHeatmaps,
        source_grid: WindowGrids,
        grid_before: EdgeGrid | None = None,
        grid_after: EdgeGrid | None = None,
        state: PropagationState | None = None,
        folded: FoldedStyle | None = None,
    ) -> tuple[Clips, PropagationState]:
        """Generate the frames of one window.

        Args:
            source: the photo, RGB in [-1, 1]; sides are multiples of 32, at least 128.
            pose_heatmaps: in [0, 1]; a missing joint is an all-zero map.
            source_grid: positions in the source for each pixel of each frame, -2 for background.
            grid_before: the grid of the frame before the window; only the first window of a clip
                looks at it. None: the first frame's own.
            grid_after: the grid of the frame after the window. None: the last frame's own.
            state: what the window before returned; None at the start of a clip.
            folded: the source's kernels from `fold`; None makes them anew.

        Returns:
            The frames, RGB in [-1, 1], and the state for the next window.

        Raises:
            InputError: the frames' size or the number of joints does not fit the network.
        """
        self.check(pose_heatmaps)
        folded = self.fold(source) if folded is None else folded
        encoded = self.encode_warped(
            source, source_grid, None if state else grid_before, grid_after
        )
        return self.propagate(source, pose_heatmaps, encoded, state, folded)

    def propagate(
        self,
        source: Sources,
        pose_heatmaps: PoseHeatmaps,
        encoded: Encoded,
        state: PropagationState | None,
        folded: FoldedStyle,
    ) -> tuple[Drawn, PropagationState]:
        """Carry a window's features both ways through time and decode its frames.

        Args:
            source: see `forward`.
            pose_heatmaps: see `forward`.
            encoded: what `encode_warped` returned.
            state: see `forward`.
            folded: see `forward`.

        Returns:
            The frames, or their features for a head of layers, and the state for the next window.
        """
        warped, before, after = encoded
        forward = self._propagate_forward(warped, state.forward if state else before)
        backward = self._propagate_backward(warped, after)
        frames, structural = self.decode(source, pose_heatmaps, forward, backward, state, folded)
        last = frames[:, -1] if self.config.feeds_back else None
        return frames, PropagationState(structural, tuple(scale[-1] for scale in forward), last)

    def fold(self, source: Sources) -> FoldedStyle:
        """Encode the source's style and make from it every kernel of the decoder."""
        return self.fold_style(self.style_encoder(source))

    def fold_style(self, style: Style) -> FoldedStyle:
        """Make every kernel of the decoder from given styles."""
        return self.decoder.fold(style)

    def encode_warped(
        self,
        source: Sources,
        source_grid: WindowGrids,
        grid_before: EdgeGrid | None,
        grid_after: EdgeGrid | None,
    ) -> Encoded:
        """Warp the source to each frame (equation 5) and encode all frames at once.

        Returns:
            The features inside the window, and those just before and just after it.
        """
        grids = list(source_grid.unbind(1))
        before = [] if grid_before is None else [grid_before]
        after = [] if grid_after is None else [grid_after]
        all_grids = torch.stack([*before, *grids, *after], dim=1)
        sources = repeat(source, "b c h w -> (b t) c h w", t=all_grids.shape[1])
        warped = warp(sources, rearrange(all_grids, "b t h w xy -> (b t) h w xy"))
        window = slice(len(before), len(before) + len(grids))
        return self.encode_inputs(
            rearrange(warped, "(b t) c h w -> b t c h w", b=len(source)), window
        )

    def encode_inputs(self, inputs: Drawn, window: slice) -> Encoded:
        """Encode what the warp encoder sees of all frames at once.

        Args:
            inputs: of the window's frames and of those beside it that are known.
            window: which of them are the window's.
        """
        count = inputs.shape[1]
        scales = [
            rearrange(scale, "(b t) c h w -> t b c h w", t=count).unbind(0)
            for scale in self.warp_encoder(rearrange(inputs, "b t c h w -> (b t) c h w"))
        ]
        inside = [scale[window] for scale in scales]
        return inside, [scale[0] for scale in scales], [scale[-1] for scale in scales]

    def decode(
        self,
        source: Sources,
        pose_heatmaps: PoseHeatmaps,
        forward: Scales,
        backward: Scales,
        state: PropagationState | None,
        folded: FoldedStyle,
    ) -> tuple[Drawn, AnyScale]:
        """Decode frame after frame; each depends on the structural state of the one before.

        Returns:
            The frames, RGB in [-1, 1], and the last structural state.
        """
        structural = state.structural if state else None
        previous = state.last_generated if state else source
        encoded = None if self.config.feeds_back else self._encode_poses(pose_heatmaps)
        frames = []
        for i, pose in enumerate(pose_heatmaps.unbind(1)):
            if encoded is None:
                assert previous is not None, "the state lacks the last generated frame"
                features = self.structural_encoder(torch.cat((pose, previous), dim=1))
            else:
                features = encoded[i]
            structural = self.structural_encoder.next_state(features, structural)
            previous = self.decoder(
                structural,
                [scale[i] for scale in forward],
                [scale[i] for scale in backward],
                folded,
            )
            frames.append(previous)
        assert structural is not None, "a window has at least one frame"
        return torch.stack(frames, dim=1), structural

    def _encode_poses(self, pose_heatmaps: PoseHeatmaps) -> Sequence[AnyScale]:
        """Encode the poses of all frames at once, as nothing generated is fed back."""
        encoded = self.structural_encoder(rearrange(pose_heatmaps, "b t k h w -> (b t) k h w"))
        return rearrange(encoded, "(b t) c h w -> t b c h w", b=len(pose_heatmaps)).unbind(0)

    def _propagate_forward(self, warped: Scales, before: Sequence[AnyScale]) -> Scales:
        """Carry features from the past (equation 6); nothing where the branch is left out."""
        return self.forward_propagation(warped, before) if self.forward_propagation else []

    def _propagate_backward(self, warped: Scales, after: Sequence[AnyScale]) -> Scales:
        """Carry features from the future (equation 7); nothing where the branch is left out."""
        return self.backward_propagation(warped, after) if self.backward_propagation else []

    def check(self, pose_heatmaps: PoseHeatmaps) -> None:
        """Refuse what the network can't take; see `forward`."""
        config = self.config
        if pose_heatmaps.shape[2] != config.joints:
            raise InputError(
                f"The network takes {config.joints} pose heatmaps, not {pose_heatmaps.shape[2]}: "
                "use the weights' own kind of pose."
            )
        height, width = pose_heatmaps.shape[-2:]
        step, least = config.size_step, config.least_size
        if height % step or width % step or min(height, width) < least:
            raise InputError(
                f"The network makes frames whose sides are multiples of {step} and at least "
                f"{least} pixels, not {width}x{height}."
            )
