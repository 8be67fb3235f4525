"""The coarse renderer: the photo's own pixels warped onto the motion, no network."""

import torch

from bdmm.body.regions import region_box
from bdmm.body.source_geometry import SourceGeometry
from bdmm.inference.person_colours import PersonColours
from bdmm.kernels.push_pull import push_pull
from bdmm.kernels.rim import smoothed
from bdmm.kernels.warp import warp
from bdmm.records import Conditions, PixelState, Source
from bdmm.shapes import Frames, Image


class CoarseRenderer:
    """Lays the warped person over a background; each frame by itself, in any slices.

    Attributes:
        colours: the person's.

    Args:
        source: the photo.
        geometry: of the same source, from its `prepare_geometry`.
    """

    def __init__(self, source: Source, geometry: SourceGeometry) -> None:
        self.colours = PersonColours(source, geometry)
        self._foreground = source.foreground[None]

    def __call__(self, conditions: Conditions, background: Frames | Image) -> Frames:
        """Return frames.

        Args:
            conditions: of the frames to make.
            background: one picture for all frames or one for each, RGB in [-1, 1].
        """
        frames = background.expand(conditions.frame_count, -1, -1, -1).clone()
        colours = self.colours(conditions).colours
        assert conditions.segment is not None
        for t, state in enumerate(conditions.state[0]):
            person = state != PixelState.NONE
            rows, columns = region_box(person, margin=2)
            person = person[rows, columns]
            place = (slice(t, t + 1), slice(None), rows, columns)
            soft = warp(self._foreground, conditions.source_grid[0, t : t + 1, rows, columns])
            soft = soft * person
            body = conditions.segment[0, t, rows, columns] >= 0
            alpha = smoothed(torch.where(body, 1.0, soft))
            colour = push_pull(colours[place], person[None, None].to(alpha))
            frames[place] = alpha * colour + (1 - alpha) * frames[place]
        return frames.clamp(-1, 1)
