"""Pose prior: a mild penalty on postures that a body cannot take."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bdmm.body.model import SkinnedBody
from bdmm.body.rotations import rotation_between
from bdmm.perception.gauss_newton import Residuals
from bdmm.records import BONE_NAMES, BONE_PARENTS
from bdmm.shapes import Rotations

Turned = Float[Tensor, "t m 3 3"]

STIFFNESS = {
    "spine1": 2.0, "spine2": 2.0, "spine3": 2.0, "neck": 1.5, "head": 1.0, "collar": 4.0,
    "shoulder": 0.02, "elbow": 0.02, "wrist": 1.0, "hand": 8.0,
    "hip": 0.02, "knee": 0.02, "ankle": 0.5, "foot": 8.0, "pelvis": 0.0,
}  # fmt: skip
"""How strongly each bone is drawn to its rest direction (1 = one unit at 57 degrees)."""
TWIST_LIMITS = {"hip": 0.7, "shoulder": 1.2, "knee": 0.35, "elbow": 1.2}
"""Radians by which a limb's bone may turn about itself."""
TWIST_WEIGHT = 10.0
HINGE_WEIGHT = 10.0


class PosePrior:
    """Penalises twists, knees and elbows that bend the wrong way, and needless bends elsewhere."""

    def __init__(self, body: SkinnedBody, shape: Float[Tensor, "s"]) -> None:
        joints = body.joints(shape).detach()
        children = {parent: bone for bone, parent in enumerate(BONE_PARENTS)}
        self.stiffness = joints.new_tensor(
            [STIFFNESS[name.removeprefix("left_").removeprefix("right_")] for name in BONE_NAMES]
        )
        limbs = [f"{side}_{part}" for part in TWIST_LIMITS for side in ("left", "right")]
        self.limbs = [BONE_NAMES.index(name) for name in limbs]
        tips = [children[bone] for bone in self.limbs]
        axes = joints[tips] - joints[self.limbs]
        self.axes = axes / axes.norm(dim=-1, keepdim=True)
        limits = [TWIST_LIMITS[name.split("_")[1]] for name in limbs]
        self.twist_cosines = torch.cos(joints.new_tensor(limits))
        self._set_hinges(joints)

    def _set_hinges(self, joints: Float[Tensor, "n 3"]) -> None:
        """Set for knees and elbows the lower bone's axis, the bending direction and the hinge."""
        names = ("left_knee", "right_knee", "left_elbow", "right_elbow")
        self.hinges = [BONE_NAMES.index(name) for name in names]
        children = {parent: bone for bone, parent in enumerate(BONE_PARENTS)}
        lower, bends, across = [], [], []
        for bone in self.hinges:
            upper_axis = joints[bone] - joints[BONE_PARENTS[bone]]
            lower_axis = joints[children[bone]] - joints[bone]
            # Knees bend to the back (away from the camera at rest); elbows the way they already do,
            # which in a T-pose is none, and then to the front.
            back = joints.new_tensor((0.0, 0.0, 1.0))
            bend = back if "knee" in BONE_NAMES[bone] else lower_axis - 0.05 * back
            upper_axis = upper_axis / upper_axis.norm()
            bend = bend - (bend @ upper_axis) * upper_axis
            bend = bend / bend.norm()
            lower.append(lower_axis / lower_axis.norm())
            bends.append(bend)
            across.append(torch.linalg.cross(upper_axis, bend))
        self.lower, self.bends = torch.stack(lower), torch.stack(bends)
        self.across = torch.stack(across)

    def residuals(
        self, rotations: Rotations, turns: Int[Tensor, "t n 3"], weight: float
    ) -> tuple[Residuals, ...]:
        """Return bends, twists beyond their limits and wrong bends of hinges, as sines of angles.

        Args:
            turns: numbers of the unknowns: each bone's turn, ``rotation @ exp(turn)``.
            weight: of all of them.
        """
        bends = _sine_axis(rotations)
        stiffness = (weight * self.stiffness)[:, None].expand_as(bends)
        return (
            Residuals.single(turns, bends, stiffness),
            self._twists(rotations[:, self.limbs], turns[:, self.limbs], weight),
            *self._wrong_bends(rotations[:, self.hinges], turns[:, self.hinges], weight),
        )

    def _twists(self, limbs: Turned, turns: Int[Tensor, "t m 3"], weight: float) -> Residuals:
        swing = rotation_between(self.axes, _along(limbs, self.axes))
        twist = swing.mT @ limbs
        cosine = (twist.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
        sine = (_sine_axis(twist) * self.axes).sum(-1)
        # Half of its derivative, as the penalty of a twist is one less its cosine.
        beyond = 0.5 * weight * TWIST_WEIGHT * (cosine < self.twist_cosines)
        return _rows(turns, self.axes.expand_as(limbs[..., 0]), sine, beyond)

    def _wrong_bends(
        self, hinges: Turned, turns: Int[Tensor, "t m 3"], weight: float
    ) -> tuple[Residuals, Residuals]:
        """Return how far knees and elbows bend backwards and sideways."""

        def towards(direction: Float[Tensor, "m 3"], weight: float, least: float) -> Residuals:
            bend = (_along(hinges, self.lower) * direction).sum(-1)
            by_turn = torch.linalg.cross(
                self.lower.expand_as(hinges[..., 0]), _along(hinges.mT, direction)
            )
            return _rows(turns, by_turn, bend, weight * (bend < least))

        weight = weight * HINGE_WEIGHT
        return towards(self.bends, weight, 0.0), towards(self.across, 0.3 * weight, torch.inf)


def _rows(
    numbers: Int[Tensor, "t m k"],
    factors: Float[Tensor, "t m k"],
    values: Float[Tensor, "t m"],
    weights: Float[Tensor, "t m"],
) -> Residuals:
    return Residuals(
        numbers.flatten(0, 1), factors.flatten(0, 1), values.flatten(), weights.flatten()
    )


def _along(rotations: Turned, directions: Float[Tensor, "m 3"]) -> Float[Tensor, "t m 3"]:
    return (rotations @ directions[..., None])[..., 0]


def _sine_axis(rotations: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3"]:
    """Return the axis of each rotation, times the sine of its angle."""
    apart = rotations - rotations.mT
    return 0.5 * torch.stack((apart[..., 2, 1], apart[..., 0, 2], apart[..., 1, 0]), dim=-1)
