"""Pose prior: a mild penalty on postures that a body cannot take."""

import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.body.model import SkinnedBody
from bdmm.body.rotations import rotation_between
from bdmm.records import BONE_NAMES, BONE_PARENTS
from bdmm.shapes import Rotations

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

    def __call__(self, rotations: Rotations) -> Float[Tensor, "t"]:
        """Return each frame's penalty, about 1 for one clearly wrong joint, times its weight."""
        trace = rotations.diagonal(dim1=-2, dim2=-1).sum(-1)
        bends = (3 - trace) @ self.stiffness
        return (
            bends
            + TWIST_WEIGHT * self.twists(rotations)
            + HINGE_WEIGHT * self.wrong_bends(rotations)
        )

    def twists(self, rotations: Rotations) -> Float[Tensor, "t"]:
        """Return how far the limbs are twisted beyond their limits (1 - cosine, summed)."""
        limbs = rotations[:, self.limbs]
        turned = (limbs @ self.axes[..., None])[..., 0]
        swing = rotation_between(self.axes, turned)
        twist = (swing * limbs).sum((-2, -1))
        cosine = (twist - 1) / 2
        return (self.twist_cosines - cosine).clamp_min(0).sum(-1)

    def wrong_bends(self, rotations: Rotations) -> Float[Tensor, "t"]:
        """Return how far knees and elbows bend sideways or backwards (squared sines, summed)."""
        lower = (rotations[:, self.hinges] @ self.lower[..., None])[..., 0]
        backwards = -(lower * self.bends).sum(-1)
        sideways = (lower * self.across).sum(-1)
        return (backwards.clamp_min(0).square() + 0.3 * sideways.square()).sum(-1)
