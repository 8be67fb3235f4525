"""Frames that come from the network rather than from disk, made ready to be judged."""

from collections.abc import Mapping

from bdmm.errors import InputError
from bdmm.media.pixels import to_pictures
from bdmm.metrics.frame_metrics import FramePair, Region
from bdmm.shapes import Image


def pair_of(
    name: str, generated: Image, target: Image, regions: Mapping[str, Region] | None = None
) -> FramePair:
    """Return a generated frame beside the true one, rounded to 8 bits as a file would be.

    Args:
        name: of the frame, for messages and reports.
        generated: RGB in [-1, 1]; what lies beyond is clipped.
        target: the same, of the same size.
        regions: parts of the true frame to judge apart.

    Raises:
        InputError: a frame holds values that are not finite.
    """
    for kind, frame in (("generated", generated), ("true", target)):
        if not bool(frame.isfinite().all()):
            raise InputError(
                f"The {kind} frame {name} holds values that are not finite (NaN): the weights or "
                "what the network was given are damaged."
            )
    ours, theirs = (to_pictures(frame[None])[0] for frame in (generated, target))
    return FramePair(name, ours, theirs, regions or {})
