"""Stand-ins for a clip and a renderer that are told other poses than the true ones."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from bdmm.body.source_geometry import SourceGeometry
from bdmm.data.clip_store import PreparedClip
from bdmm.inference.renderers import Renderer
from bdmm.records import Conditions, Motion, Source
from bdmm.shapes import Frames, Keypoints


class DisturbedClip(PreparedClip):
    """A clip of another motion but for the frame that serves as photo.

    Args:
        clip: the clip.
        motion: of all its frames.
        source: number of the frame that serves as photo.
    """

    def __init__(self, clip: PreparedClip, motion: Motion, source: int) -> None:
        super().__init__(clip.folder)
        clean = clip.motion()
        for name in ("rotations", "scale", "translation"):
            values = getattr(motion, name).clone()
            values[source] = getattr(clean, name)[source]
            motion = replace(motion, **{name: values})
        self._motion = motion

    def motion(self, part: str = "") -> Motion:
        """Return the other motion."""
        return super().motion(part) if part else self._motion


class OtherKeypoints:
    """A renderer that is given heatmaps of other keypoints than those of the motion.

    Args:
        renderer: makes the frames.
        keypoints: of all frames of the clip.
    """

    def __init__(self, renderer: Renderer, keypoints: Keypoints) -> None:
        self.name, self.joints, self.device = renderer.name, renderer.joints, renderer.device
        self._renderer, self._keypoints = renderer, keypoints.to(renderer.device)

    def render(
        self,
        source: Source,
        geometry: SourceGeometry,
        windows: Iterable[Conditions],
        backgrounds: Iterable[Frames] | None = None,
    ) -> Iterator[Frames]:
        """Yield the frames of each window; see `Renderer.render`."""
        yield from self._renderer.render(source, geometry, self._replaced(windows), backgrounds)

    def _replaced(self, windows: Iterable[Conditions]) -> Iterator[Conditions]:
        start = 0
        for window in windows:
            stop = start + window.frame_count
            yield replace(window, keypoints=self._keypoints[None, start:stop])
            start = stop
