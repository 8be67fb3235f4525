"""Samples cut down to the person: where nothing moves there is nothing to learn."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from bdmm.data.sample import Sample

_PERSON = 0.1
"""Foreground from which on a pixel counts as the person's."""


def crop_sample(sample: Sample, size: tuple[int, int], random: np.random.Generator) -> Sample:
    """Cut the same part out of all frames; the source stays whole, as positions refer to it.

    Where the person fits, all of it is inside; otherwise some part of it is drawn.

    Args:
        sample: the sample.
        size: (height, width) of the part; a side that the frames lack is left as it is.
        random: decides where.
    """
    shown = (sample.target_foreground[:, 0] > _PERSON).any(dim=0)
    rows = _span(shown.any(dim=1), size[0], random)
    columns = _span(shown.any(dim=0), size[1], random)
    corner = sample.keypoints.new_tensor([columns.start, rows.start, 0])
    return replace(
        sample,
        background=sample.background[:, rows, columns],
        keypoints=sample.keypoints - corner,
        source_grid=sample.source_grid[:, rows, columns],
        state=sample.state[:, rows, columns],
        filled=sample.filled[:, rows, columns],
        target_frames=sample.target_frames[:, :, rows, columns],
        target_foreground=sample.target_foreground[:, :, rows, columns],
    )


def _span(used: Bool[Tensor, "n"], length: int, random: np.random.Generator) -> slice:
    """Draw a run of a given length that holds all that is used, or lies in it."""
    most = max(0, len(used) - length)
    places = torch.nonzero(used).flatten().tolist() or [0, len(used) - 1]
    ends = sorted((places[-1] + 1 - length, places[0]))
    low, high = (min(max(end, 0), most) for end in ends)
    start = int(random.integers(low, high + 1))
    return slice(start, start + min(length, len(used)))
