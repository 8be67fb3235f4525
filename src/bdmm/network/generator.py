"""The generator: a source photo and the conditions of a window to frames (figure 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from bdmm.config import NetworkConfig
from bdmm.errors import InputError
from bdmm.kernels.picture_filters import shrunk
from bdmm.kernels.pose_heatmaps import window_heatmaps
from bdmm.network.decoder import Decoder, FoldedStyle
from bdmm.network.encoders import StructuralEncoder, StyleEncoder, WarpEncoder
from bdmm.network.heads import (
    HEADS,
    Appearance,
    Foregrounds,
    LayerInputs,
    Layers,
    Photos,
    RgbInputs,
    WindowFeatures,
)
from bdmm.network.layers import AnyScale, Folded
from bdmm.network.propagation import Propagation, Scales
from bdmm.records import Conditions, PropagationState
from bdmm.shapes import Clips, PoseHeatmaps

FrameMaps = Float[Tensor, "b 1 _ h w"]
_TOGETHER = 2**15
"""Pixels of a window that are decoded at once: larger frames do better one by one, in cache."""


@dataclass(frozen=True)
class PreparedSource:
    """A source photo, made ready once for a whole clip.

    Attributes:
        image: ``b 3 hn wn`` RGB in [-1, 1], at the network's size.
        appearance: ``b c h0 w0`` what the head warps to the frames.
        kernels: the decoder's, for this style.
        head_kernel: the head's, where the style plays a part in it.
        shrink: pixels of the frames per pixel of the network.
    """

    image: Float[Tensor, "b 3 hn wn"]
    appearance: Appearance
    kernels: FoldedStyle
    head_kernel: Folded | None
    shrink: int = 1


@dataclass(frozen=True)
class EncodedWindow:
    """Features of the warped source at each propagated scale, coarse to fine.

    Attributes:
        inside: of each frame of the window, in the order of time.
        before: of the frame before the window.
        after: of the frame after it.
    """

    inside: Scales
    before: Sequence[AnyScale]
    after: Sequence[AnyScale]


@dataclass(frozen=True)
class SeenWindow:
    """What is known of a window before the state of the one before it (`Generator.look`).

    Attributes:
        inputs: what the head sees of its frames.
        encoded: of the warped source.
        heatmaps: ``b t k hn wn`` of its poses.
        poses: of each frame, encoded; None where generated frames are encoded with them.
    """

    inputs: RgbInputs | LayerInputs
    encoded: EncodedWindow
    heatmaps: PoseHeatmaps
    poses: Sequence[AnyScale] | None


class Generator(nn.Module):
    """Bidirectionally deformable motion modulation: one photo and a motion to a video.

    A clip is made window by window: what a window leaves to the next is the state that it
    returns::

        source = generator.prepare(image, foreground)
        output, state = generator(source, conditions)
        output, state = generator(source, next_conditions, state)
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        head = HEADS[config.head]
        self.config = config
        self.style_encoder = StyleEncoder(config)
        self.structural_encoder = StructuralEncoder(config)
        self.warp_encoder = WarpEncoder(config, head.maps)
        self.forward_propagation = Propagation(config) if config.forward_branch else None
        self.backward_propagation = (
            Propagation(config, backward=True) if config.backward_branch else None
        )
        self.decoder = Decoder(config)
        self.head = head(config)

    def prepare(self, image: Photos, foreground: Foregrounds, shrink: int = 1) -> PreparedSource:
        """Make photos ready: once for a clip.

        Args:
            image: RGB in [-1, 1]; sides are multiples of ``config.size_step``, at least
                ``config.least_size``, both times ``shrink``.
            foreground: where the person is, in [0, 1].
            shrink: pixels of the frames per pixel of the network. With a head of layers it may
                work at a smaller size than that of its frames, whose every pixel is still taken
                from the photo at full resolution.
        """
        appearance = self.head.appearance(image, foreground)
        image = image if shrink == 1 else shrunk(image, shrink)
        style = self.style_encoder(image)
        return PreparedSource(
            image=image,
            appearance=appearance,
            kernels=self.decoder.fold(style),
            head_kernel=self.head.fold(style),
            shrink=shrink,
        )

    def forward(
        self,
        source: PreparedSource,
        conditions: Conditions,
        state: PropagationState | None = None,
        seen: SeenWindow | None = None,
    ) -> tuple[Clips | Layers, PropagationState]:
        """Generate one window.

        Args:
            source: what `prepare` returned.
            conditions: of the window's frames: as large as the source for an RGB head, or parts.
            state: what the window before returned; None at the start of a clip.
            seen: what `look` returned, if it was called ahead.

        Returns:
            The frames, RGB in [-1, 1], or the layers that they are made of, by the config's head;
            and the state for the next window.

        Raises:
            InputError: the frames' size or the number of joints does not fit the network.
        """
        self._check(conditions, source.shrink)
        seen = self.look(source, conditions, state) if seen is None else seen
        features, left = self.propagate(source, seen, state)
        return self.head(features, seen.inputs), left

    def look(
        self,
        source: PreparedSource,
        conditions: Conditions,
        state: PropagationState | None = None,
    ) -> SeenWindow:
        """Warp the source to a window's frames and to those at either side; encode them and poses.

        This needs no window before it, so it can be done ahead by another thread.

        Args:
            state: see `forward`; with one, the frame before the window is not looked at.
        """

        def maps(one: Conditions | None) -> list[FrameMaps]:
            return [] if one is None else [inputs(one).maps]

        inputs = partial(self.head.inputs, source.appearance, shrink=source.shrink)
        own = inputs(conditions)
        before = maps(None if state else conditions.before)
        after = maps(conditions.after if self.backward_propagation else None)
        encoded = self.encode(before, own.maps, after)
        heatmaps = window_heatmaps(conditions, source.shrink)
        poses = None if self.config.feeds_back else self._encode_poses(heatmaps)
        return SeenWindow(own, encoded, heatmaps, poses)

    def encode(
        self, before: list[FrameMaps], maps: WindowFeatures, after: list[FrameMaps]
    ) -> EncodedWindow:
        """Encode the warped source of all frames at once, and of the frames at either side.

        Args:
            before: maps of the frame before the window, if it is looked at.
            maps: what the warp encoder sees of the window's frames.
            after: maps of the frame after it, if there is one.
        """
        images = torch.cat((*before, maps, *after), dim=1)
        scales = [
            rearrange(scale, "(b t) c h w -> t b c h w", t=images.shape[1]).unbind(0)
            for scale in self.warp_encoder(rearrange(images, "b t c h w -> (b t) c h w"))
        ]
        window = slice(len(before), len(before) + maps.shape[1])
        return EncodedWindow(
            inside=[scale[window] for scale in scales],
            before=[scale[0] for scale in scales],
            after=[scale[-1] for scale in scales],
        )

    def propagate(
        self,
        source: PreparedSource,
        seen: SeenWindow,
        state: PropagationState | None = None,
    ) -> tuple[WindowFeatures, PropagationState]:
        """Carry a window's features both ways through time and decode its frames.

        Returns:
            What the head makes of each frame (`heads.RgbHead.frame`), and the next state.
        """
        forward, backward, encoded = [], [], seen.encoded
        if self.forward_propagation:  # equation 6
            start = state.forward if state else encoded.before
            forward = self.forward_propagation(encoded.inside, start)
        if self.backward_propagation:  # equation 7
            backward = self.backward_propagation(encoded.inside, encoded.after)
        frames, structural = self._decode(source, seen, forward, backward, state)
        last = frames[:, -1] if self.config.feeds_back else None
        return frames, PropagationState(structural, tuple(scale[-1] for scale in forward), last)

    def _decode(
        self,
        source: PreparedSource,
        seen: SeenWindow,
        forward: Scales,
        backward: Scales,
        state: PropagationState | None,
    ) -> tuple[WindowFeatures, AnyScale]:
        """Decode frame after frame; each depends on the structural state of the one before."""
        structural = state.structural if state else None
        previous = state.last_generated if state else source.image
        encoded = seen.poses
        if encoded is not None and self._small(seen.heatmaps):
            return self._decode_together(source, encoded, (forward, backward), structural)
        frames = []
        for i, pose in enumerate(seen.heatmaps.unbind(1)):
            if encoded is None:
                assert previous is not None, "the state lacks the last generated frame"
                features = self.structural_encoder(torch.cat((pose, previous), dim=1))
            else:
                features = encoded[i]
            structural = self.structural_encoder.next_state(features, structural)
            decoded = self.decoder(
                structural,
                [scale[i] for scale in forward],
                [scale[i] for scale in backward],
                source.kernels,
            )
            previous = self.head.frame(decoded, source.head_kernel)
            frames.append(previous)
        assert structural is not None, "a window has at least one frame"
        # Joined as a batch, so that frames keep their layout in memory.
        return rearrange(torch.cat(frames), "(t b) c h w -> b t c h w", t=len(frames)), structural

    def _decode_together(
        self,
        source: PreparedSource,
        encoded: Sequence[AnyScale],
        propagated: tuple[Scales, Scales],
        structural: AnyScale | None,
    ) -> tuple[WindowFeatures, AnyScale]:
        """Decode all frames of one clip's window at once: only the structural state waits."""
        states = []
        for features in encoded:
            structural = self.structural_encoder.next_state(features, structural)
            states.append(structural)
        forward, backward = ([torch.cat(tuple(scale)) for scale in one] for one in propagated)
        decoded = self.decoder(torch.cat(states), forward, backward, source.kernels)
        return self.head.frame(decoded, source.head_kernel)[None], states[-1]

    def _encode_poses(self, pose_heatmaps: PoseHeatmaps) -> Sequence[AnyScale]:
        """Encode the poses of all frames at once, as nothing generated is fed back."""
        encoded = self.structural_encoder(rearrange(pose_heatmaps, "b t k h w -> (b t) k h w"))
        return rearrange(encoded, "(b t) c h w -> t b c h w", b=len(pose_heatmaps)).unbind(0)

    @staticmethod
    def _small(pose_heatmaps: PoseHeatmaps) -> bool:
        """Return whether a window of one clip is so small that a CPU decodes it best at once."""
        batch, frames, _, height, width = pose_heatmaps.shape
        return batch == 1 and frames * height * width <= _TOGETHER

    def _check(self, conditions: Conditions, shrink: int) -> None:
        config = self.config
        if len(conditions.joints) != config.joints:
            raise InputError(
                f"The network takes {config.joints} pose heatmaps, not {len(conditions.joints)}: "
                "use the weights' own kind of pose."
            )
        height, width = conditions.size
        step, least = shrink * config.size_step, shrink * config.least_size
        if height % step or width % step or min(height, width) < least:
            raise InputError(
                f"The network makes frames whose sides are multiples of {step} and at least "
                f"{least} pixels, not {width}x{height}."
            )
