"""Kinds around limbs and trunk: sleeves, trouser legs and hems end in rings.

What a photo shows of a cross-section of the body tells of the part that it hides. It also shows
where the fit puts a limb a little beside itself: on clothes at the rim of a bare arm.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.ndimage import gaussian_filter
from torch import Tensor

from bdmm.body.model import PART_NAMES, AnnyBody
from bdmm.records import BONE_NAMES

_BIN = 0.005
"""Metres that share a bin."""
_ALONG, _ACROSS = 0.01, 0.04
"""Metres, standard deviations of the means along the body and from left to right: hems are hardly
slanted, and hair hangs behind as far left as in front."""
_ODD = 0.4
"""Agreement with the cross-section up to which a point of an arm shows something else."""


def kinds_around(
    body: AnnyBody, kinds: Float[Tensor, "v k"], weight: Float[Tensor, "v"]
) -> tuple[Float[Tensor, "v k"], Float[Tensor, "v"]]:
    """Return the mean kinds of each vertex's cross-section, and the mean weight there.

    Heads, hands and feet have no cross-sections: their weight is 0.

    Args:
        kinds: shares at the vertices.
        weight: how well they are known.
    """
    sections, size = _sections(body)
    known, bins = sections >= 0, sections[sections >= 0]
    values = torch.cat((weight[:, None] * kinds, weight[:, None]), dim=1).double().cpu().numpy()
    values = np.column_stack((values, np.ones(len(values))))
    sums = np.zeros_like(values)
    for column, value in enumerate(values.T):
        sheet = np.bincount(bins, value[known], int(np.prod(size))).reshape(size)
        smooth = gaussian_filter(sheet, (0, _ALONG / _BIN, _ACROSS / _BIN), mode="constant")
        sums[known, column] = smooth.ravel()[bins]
    made = torch.from_numpy(sums).to(kinds)
    shares, total, count = made[:, :-2], made[:, -2], made[:, -1]
    return shares / total.clamp(min=1e-6)[:, None], total / count.clamp(min=1e-6)


def beside_arms(
    body: AnnyBody, kinds: Float[Tensor, "v k"], weight: Float[Tensor, "v"]
) -> Bool[Tensor, "v"]:
    """Return which vertices of arms show another kind than their cross-section.

    Args:
        kinds: shares that a photo shows at each vertex.
        weight: how well it does.
    """
    around, _ = kinds_around(body, kinds, weight)
    arm = _of_parts(body, ("arms",)).to(kinds.device)
    return arm & (weight > 0) & ((around * kinds).sum(dim=1) < _ODD)


def _sections(body: AnnyBody) -> tuple[Int[np.ndarray, "v"], tuple[int, int, int]]:
    """Return where each vertex lies in some sheets, row by row, -1 in none, and the sheets' size.

    Each sheet has a row for each position along a part and a column for each one across: trunk with
    both legs, whose hems are level; neck and arms, where what is across does not count.
    """
    at, joints = body.template.cpu(), body.joints(body.template.new_zeros(body.shape_size)).cpu()
    x, y, _ = at.unbind(dim=1)
    none = torch.zeros_like(x)
    parts = [
        (_of_parts(body, ("torso", "legs")), y, x),
        (_of_parts(body, ("neck",)), y, none),
    ]
    for side in ("left", "right"):
        shoulder, wrist = (joints[BONE_NAMES.index(f"{side}_{j}")] for j in ("shoulder", "wrist"))
        axis = (wrist - shoulder) / (wrist - shoulder).norm()
        own = _of_parts(body, ("arms",)) & (x * shoulder[0] > 0)
        parts.append((own, (at - shoulder) @ axis, none))
    sheet = torch.full((len(at), 3), -1)
    for number, (own, along, across) in enumerate(parts):
        places = [((one[own] - one[own].min()) / _BIN).long() for one in (along, across)]
        sheet[own] = torch.stack((torch.full_like(places[0], number), *places), dim=1)
    some, size = sheet[:, 0] >= 0, (sheet.max(dim=0).values + 1).tolist()
    places = np.full(len(at), -1)
    places[some] = np.ravel_multi_index(tuple(sheet[some].T.numpy()), size)
    return places, tuple(size)


def _of_parts(body: AnnyBody, names: tuple[str, ...]) -> Bool[Tensor, "v"]:
    parts = body.parts.cpu()
    return torch.isin(parts, torch.tensor([PART_NAMES.index(name) for name in names]))
