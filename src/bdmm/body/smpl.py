"""SMPL as a body: template, shape and pose blend shapes, linear blend skinning.

The formula is short (Loper et al. 2015, eq. 2-10), so it is implemented here and needs no further
package. Nothing of SMPL's data is in this repository: only public names and vertex numbers of
landmarks. `bdmm.media.smpl_file` reads a user's own model.
"""

from collections.abc import Mapping

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from bdmm.body.model import LocalRotations, Shape, SkinnedBody
from bdmm.body.rotations import pose_bones
from bdmm.body.skinning import blend_vertices
from bdmm.records import BONE_NAMES, KEYPOINT_NAMES

VERTEX_COUNT = 6890
SHAPE_SIZE = 10
AXES = (1.0, -1.0, -1.0)
"""SMPL's axes (x = the person's left, y = up, z = front) to the camera's: the signs of x, y, z."""

LANDMARK_VERTICES = {
    "nose": 332, "right_eye": 6260, "left_eye": 2800, "right_ear": 4071, "left_ear": 583,
    "left_big_toe": 3216, "left_small_toe": 3226, "left_heel": 3387,
    "right_big_toe": 6617, "right_small_toe": 6624, "right_heel": 6787,
}  # fmt: skip
FINGERTIPS = {"left_index": 2319, "left_pinky": 2673, "right_index": 5782, "right_pinky": 6133}
"""Numbers of SMPL's vertices at landmarks, as published by its authors' tools."""

MODEL_ARRAYS = (
    "v_template",
    "shapedirs",
    "posedirs",
    "J_regressor",
    "weights",
    "kintree_table",
    "f",
)
"""What a model file holds, by its own names."""


class SmplBody(SkinnedBody):
    """SMPL; its identity pose is the T-pose.

    Vertices have SMPL's pose correctives; keypoints don't, which is under a few millimetres.

    Args:
        tensors: as for `SkinnedBody`, and ``pose_basis`` (207, 6890 * 3), ``pelvis`` (3) and
            ``pelvis_basis`` (s 3), see `pelvis`.
    """

    def __init__(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        super().__init__(name, tensors)
        self.pose_basis = tensors["pose_basis"]
        self._pelvis, self._pelvis_basis = tensors["pelvis"], tensors["pelvis_basis"]

    def pelvis(self, shape: Shape) -> Float[Tensor, "*b2 3"]:
        """Return where the pelvis joint lies in the file's own axes and origin, metres.

        It stays there whatever the pose, and the cameras of SMPL estimators refer to that origin.
        """
        return self._pelvis + shape @ self._pelvis_basis

    def vertices(
        self, shape: Shape, rotations: LocalRotations, indices: Int[Tensor, "p"] | None = None
    ) -> Float[Tensor, "*b2 p 3"]:
        """Return ``*b v 3`` posed vertices in metres, the pelvis joint at the origin."""
        joints = self.joints(shape)
        identity = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
        bends = (rotations[..., 1:, :, :] - identity).flatten(-3)
        basis = rearrange(self.pose_basis, "q (v i) -> q v i", i=3)
        weights = self.weights
        if indices is not None:
            basis, weights = basis[:, indices], weights[indices]
        correctives = (bends @ basis.flatten(1)).unflatten(-1, (-1, 3))
        rest = self.rest_vertices(shape, indices) + correctives
        return blend_vertices(rest, weights, joints, pose_bones(rotations, joints))


def smpl_body(arrays: Mapping[str, Float[np.ndarray, "..."]]) -> SmplBody:
    """Return the body of a model's arrays.

    Args:
        arrays: `MODEL_ARRAYS` by name, float64 and of the shapes of SMPL.
    """
    return SmplBody("smpl", _tensors(arrays))


def _tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Return what `SmplBody` holds: camera axes, the pelvis joint at the origin."""
    signs = torch.tensor(AXES, dtype=torch.float64)
    table = {name: torch.from_numpy(array) for name, array in arrays.items()}
    regressor = table["J_regressor"]
    template = table["v_template"] * signs
    basis = rearrange(table["shapedirs"][..., :SHAPE_SIZE], "v i s -> s v i") * signs
    joints, joints_basis = regressor @ template, regressor @ basis
    # A rotation's entry (i, j) changes sign with both axes.
    turned = (signs[:, None] * signs).flatten().repeat(len(BONE_NAMES) - 1)
    pose_basis = rearrange(table["posedirs"], "v i q -> q v i") * signs * turned[:, None, None]
    on_mesh = torch.zeros(len(KEYPOINT_NAMES), VERTEX_COUNT, dtype=torch.float64)
    carriers = torch.zeros(len(KEYPOINT_NAMES), len(BONE_NAMES), dtype=torch.float64)
    for row, name in enumerate(KEYPOINT_NAMES):
        vertices, joint_shares, bones = _keypoint_sources(name)
        for vertex, share in vertices.items():
            on_mesh[row, vertex] += share
        for joint, share in joint_shares.items():
            on_mesh[row] += share * regressor[BONE_NAMES.index(joint)]
        for bone, share in bones.items():
            carriers[row, BONE_NAMES.index(bone)] = share
    tensors = {
        "template": template - joints[0],
        "shape_basis": basis - joints_basis[:, :1],
        "joints": joints - joints[0],
        "joints_basis": joints_basis - joints_basis[:, :1],
        "weights": table["weights"] / table["weights"].sum(1, keepdim=True),
        "keypoint_weights": on_mesh,
        "keypoint_bones": carriers,
        "t_pose": torch.eye(3, dtype=torch.float64).repeat(len(BONE_NAMES), 1, 1),
        "pose_basis": pose_basis.flatten(1),
        "pelvis": joints[0] * signs,
        "pelvis_basis": joints_basis[:, 0] * signs,
    }
    return {name: tensor.float() for name, tensor in tensors.items()} | {"faces": table["f"].long()}


def _keypoint_sources(
    name: str,
) -> tuple[dict[int, float], dict[str, float], dict[str, float]]:
    """Return the vertices and joints whose mean a keypoint is, and the bones that carry it."""
    side, _, part = name.partition("_")
    if name in FINGERTIPS:
        # The knuckle lies about half way from the wrist to the tip.
        return {FINGERTIPS[name]: 0.5}, {f"{side}_wrist": 0.5}, {f"{side}_wrist": 1.0}
    if name in LANDMARK_VERTICES:
        bone = {"big_toe": f"{side}_foot", "small_toe": f"{side}_foot", "heel": f"{side}_ankle"}
        return {LANDMARK_VERTICES[name]: 1.0}, {}, {bone.get(part, "head"): 1.0}
    if name in ("neck", "mid_hip"):
        joint = "shoulder" if name == "neck" else "hip"
        pair = {f"left_{joint}": 0.5, f"right_{joint}": 0.5}
        return {}, pair, pair
    return {}, {name: 1.0}, {name: 1.0}
