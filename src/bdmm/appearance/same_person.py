"""Whether photos show the same person in the same clothes, by the colours of arms and legs.

Front and back of a jacket may differ, sleeves and trousers seldom do. Faces are not compared.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float

from bdmm.appearance.photo_view import PhotoView, photo_vertices
from bdmm.body.model import SkinnedBody
from bdmm.records import BONE_NAMES

DIFFERENT = 0.45
"""Median distance of colours (RGB in [-1, 1]) from which photos show different people: docs/log.md
has the distances within and between people."""
_LIMBS = ("shoulder", "elbow", "hip", "knee", "ankle", "foot")
_SURE, _ENOUGH = 0.3, 12


def limb_colours(body: SkinnedBody, view: PhotoView) -> Float[torch.Tensor, "m 3"]:
    """Return the mean colour of each limb, both sides together; NaN where it is not shown.

    Of stripes the median is one or the other.
    """
    colours = view.colours_at(photo_vertices(view.geometry)[:, :2])
    means = []
    for limb in _LIMBS:
        bones = [bone for bone, name in enumerate(BONE_NAMES) if name.endswith(limb)]
        shown = torch.isin(body.vertex_bones, body.vertex_bones.new_tensor(bones))
        shown &= view.trust > _SURE
        enough = shown.sum() >= _ENOUGH
        means.append(colours[shown].mean(dim=0) if enough else colours[0] * torch.nan)
    return torch.stack(means)


def strangers(body: SkinnedBody, views: Sequence[PhotoView]) -> list[int]:
    """Return the photos whose limbs have other colours than those of every other photo.

    Args:
        views: in one light.
    """
    limbs = torch.stack([limb_colours(body, view) for view in views])
    apart = (limbs[:, None] - limbs).norm(dim=-1).nanmedian(dim=-1).values
    apart.fill_diagonal_(torch.inf)
    apart = apart.nan_to_num(nan=0.0, posinf=torch.inf)
    return [k for k in range(1, len(views)) if float(apart[k].min()) > DIFFERENT]
