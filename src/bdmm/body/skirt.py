"""Skirts: cloth that spans the gap between the legs."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.body.regions import least_near, nearest_pixel
from bdmm.records import BONE_NAMES
from bdmm.shapes import Image

SPAN, INNER = 0.3, 0.015
"""Metres that cloth may span from either leg, and from a leg's outline to what cloth hangs on: from
a slanted outline's stairs, the leg may seem to lie straight above."""
_LEGS = [
    [BONE_NAMES.index(f"{side}_{joint}") for joint in ("hip", "knee")] for side in ("left", "right")
]
_LEAST_LENGTH, _LEAST_WIDTH = 0.15, 0.03
"""Metres of cloth down the gap, and across it at the hem."""
_SHORT = 0.07
"""Metres of cloth down the gap between thighs from which its colour tells a short skirt."""
_HEM = 0.04
"""Metres above and below a hem that are compared."""
_ABRUPT = 0.75, 0.25
"""At least this share of the gap's greatest width at the hem, at most this share of cloth below."""
_OTHER_COLOUR = 0.7
"""Distance of colours (RGB in [-1, 1]) from which legs are dressed above a hem and bare below."""
NARROW, WIDE = -0.5, -0.25
"""Cosines between the directions to both legs up to which a pixel lies between them: 120 degrees
where a skirt is looked for; where it hangs 105, for legs that stand wide apart."""


def between_legs(
    segment: Int[Tensor, "t h w"], reach: int, opposite: float = NARROW, inner: int = 0
) -> tuple[Int[Tensor, "m"], Int[Tensor, "m"], Int[Tensor, "m"], Float[Tensor, "m"]]:
    """Find pixels off the body that lie between the legs.

    Args:
        segment: bone of the body at each pixel, -1 off the body.
        reach: pixels that the legs may be away.
        opposite: see `NARROW`.
        inner: pixels of the legs' rims that are left out.

    Returns:
        Their flat indices, those of the left and of the right leg's nearest pixel, and how far from
        the left to the right the pixel lies, 0 to 1.
    """
    height, width = segment.shape[1:]
    legs = [least_near(torch.isin(segment, segment.new_tensor(leg)), inner) for leg in _LEGS]
    (row, column), (other_row, other_column) = (nearest_pixel(leg, reach) for leg in legs)
    at = torch.nonzero(((segment < 0) & (row >= 0) & (other_row >= 0)).flatten())[:, 0]
    own = at % width, at // width % height
    ways, found = [], []
    for rows, columns in ((row, column), (other_row, other_column)):
        x, y = columns.flatten()[at], rows.flatten()[at]
        found.append(at + (y - own[1]) * width + x - own[0])
        ways.append(torch.stack((x - own[0], y - own[1]), dim=1).float())
    left, right = (way.norm(dim=1) for way in ways)
    between = (ways[0] * ways[1]).sum(dim=1) < opposite * left * right
    share = left / (left + right)
    return at[between], found[0][between], found[1][between], share[between]


def skirt_rows(
    segment: Int[Tensor, "h w"],
    person: Bool[Tensor, "h w"],
    scale: float,
    image: Image | None = None,
) -> Bool[Tensor, "h"]:
    """Return the photo's rows in which a skirt spans the gap between the legs; none of trousers.

    From the top of the gap on it is full of cloth, down to a hem from which on it is empty. There
    the legs change their colour, or the gap is wide. Legs of trousers have one colour, and part
    where the gap is narrow, or not at all.

    Args:
        segment: bone of the body at each pixel of the photo, -1 off the body.
        image: the photo, RGB in [-1, 1]; without it the width alone decides.
    """
    height, width = segment.shape
    at, left, right, _ = between_legs(segment[None], max(1, round(SPAN * scale)))
    row = at // width
    gap = torch.bincount(row, minlength=height)
    cloth = torch.bincount(row[person.flatten()[at]], minlength=height)
    rows = torch.zeros(height, dtype=torch.bool, device=segment.device)
    if len(at) == 0:
        return rows
    top, last = int(row.min()), int(row.max())
    bare = torch.nonzero((gap > 0) & (2 * cloth <= gap))[:, 0]
    hem = int(bare[0]) if len(bare) else last + 1
    reach = max(2, round(_HEM * scale))
    above, below = slice(max(hem - reach, top), hem), slice(hem, hem + reach)
    if hem - top < _SHORT * scale or last + 1 - hem < reach:
        return rows
    breadth = gap[above].float().mean()
    wide = breadth >= max(_LEAST_WIDTH * scale, _ABRUPT[0] * float(gap[top:hem].max()))
    wide &= hem - top >= _LEAST_LENGTH * scale
    empty = cloth[below].sum() <= _ABRUPT[1] * gap[below].sum()
    legs = person & torch.isin(segment, segment.new_tensor([*_LEGS[0], *_LEGS[1]]))
    bared = image is not None and _colour_change(image, legs, hem, reach) > _OTHER_COLOUR
    sides = segment.flatten()[torch.cat((left, right))[row.repeat(2) == top]]
    bared &= bool(torch.isin(sides, segment.new_tensor([leg[0] for leg in _LEGS])).all())
    rows[top:hem] = bool((wide | bared) & empty)
    return rows


def _colour_change(image: Image, legs: Bool[Tensor, "h w"], hem: int, reach: int) -> float:
    """Return how far the mean colours of the legs above and below a hem are apart."""
    parts = slice(max(hem - 3 * reach, 0), hem), slice(hem + reach // 2, hem + 3 * reach)
    above, below = (image[:, rows][:, legs[rows]].mean(dim=1) for rows in parts)
    return float((above - below).norm().nan_to_num())
