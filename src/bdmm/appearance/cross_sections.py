"""Kinds around limbs and trunk: sleeves, trouser legs and hems end in rings.

What a photo shows of a cross-section of the body tells of the part that it hides. It also shows
where the fit puts a limb a little beside itself: on clothes at the rim of a bare arm.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from bdmm.body.model import PART_NAMES, AnnyBody
from bdmm.records import BONE_NAMES

_BIN, _SMOOTHING = 0.005, 0.01
"""Metres along the body, and the standard deviation of the means over cross-sections."""
_GAP = 0.05
"""Metres between the numbers of one run of cross-sections and the next."""
_ODD = 0.4
"""Agreement with the cross-section up to which a point of a limb shows something else."""
_TRUNK, _ARMS = ("torso", "legs"), ("arms", "hands")
_LIMBS = "arms", "hands", "legs"


def kinds_around(
    body: AnnyBody, kinds: Float[Tensor, "v k"], weight: Float[Tensor, "v"]
) -> tuple[Float[Tensor, "v k"], Float[Tensor, "v"]]:
    """Return the mean kinds of each vertex's cross-section, and the mean weight there.

    Heads and feet have no cross-sections: their weight is 0.

    Args:
        kinds: shares at the vertices.
        weight: how well they are known.
    """
    section = _sections(body)
    known = section >= 0
    values = torch.cat((weight[:, None] * kinds, weight[:, None]), dim=1).double().cpu().numpy()
    values = np.column_stack((values, np.ones(len(values))))
    sums = np.zeros_like(values)
    for column, value in enumerate(values.T):
        total = np.bincount(section[known], value[known])
        sums[known, column] = gaussian_filter1d(total, _SMOOTHING / _BIN)[section[known]]
    made = torch.from_numpy(sums).to(kinds)
    shares, total, count = made[:, :-2], made[:, -2], made[:, -1]
    return shares / total.clamp(min=1e-6)[:, None], total / count.clamp(min=1e-6)


def beside_limbs(
    body: AnnyBody, kinds: Float[Tensor, "v k"], weight: Float[Tensor, "v"]
) -> Bool[Tensor, "v"]:
    """Return which vertices of arms and legs show another kind than their cross-section.

    Args:
        kinds: shares that a photo shows at each vertex.
        weight: how well it does.
    """
    around, known = kinds_around(body, kinds, weight)
    limb = _of_parts(body, _LIMBS).to(kinds.device)
    return limb & (known > 0) & ((around * kinds).sum(dim=1) < _ODD)


def _sections(body: AnnyBody) -> Int[np.ndarray, "v"]:
    """Return the number of each vertex's cross-section, -1 without one.

    They are numbered down the trunk and both legs, whose hems are level, then along each arm, with
    a gap in between.
    """
    at, joints = body.template.cpu(), body.joints(body.template.new_zeros(body.shape_size)).cpu()
    runs = [(_of_parts(body, _TRUNK), at[:, 1])]
    for side in ("left", "right"):
        shoulder, wrist = (joints[BONE_NAMES.index(f"{side}_{j}")] for j in ("shoulder", "wrist"))
        own = _of_parts(body, _ARMS) & (at[:, 0] * shoulder[0] > 0)
        runs.append((own, (at - shoulder) @ (wrist - shoulder) / (wrist - shoulder).norm()))
    section, free = np.full(len(at), -1), 0
    for own, along in runs:
        place = ((along[own] - along[own].min()) / _BIN).long().numpy()
        section[own.numpy()] = free + place
        free += place.max() + round(_GAP / _BIN)
    return section


def _of_parts(body: AnnyBody, names: tuple[str, ...]) -> Bool[Tensor, "v"]:
    parts = body.parts.cpu()
    return torch.isin(parts, torch.tensor([PART_NAMES.index(name) for name in names]))
