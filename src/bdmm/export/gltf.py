"""glTF 2.0: the skinned body, its texture and its motion in one ``.glb`` file.

Metres, y up, as `skeleton`. The mesh has a vertex for each pair of a body's vertex and a texture
coordinate. Skinning is linear with four bones per vertex: all that the shipped body has, so posed
vertices equal the body's own.
"""

import io
import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow
from scipy.spatial.transform import Rotation

from bdmm import __version__
from bdmm.body.clothed_body import vertex_normals
from bdmm.body.model import AnnyBody, SkinnedBody
from bdmm.export.skeleton import Skeleton, children_of
from bdmm.files.output_file import write_whole
from bdmm.media.generated_note import GENERATED
from bdmm.media.image import Picture
from bdmm.records import BONE_NAMES, BONE_PARENTS

INFLUENCES = 4
"""Bones per vertex."""
_JPEG_QUALITY = 92
_GREY = (0.62, 0.60, 0.58, 1.0)
"""Colour of a body without a texture."""
_ARRAY, _ELEMENTS = 34962, 34963
"""What a buffer view holds: attributes of vertices, or indices."""
_COMPONENTS = {"uint8": 5121, "uint16": 5123, "uint32": 5125, "float32": 5126}
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
_JSON, _BINARY = 0x4E4F534A, 0x004E4942


@dataclass
class _Buffer:
    """The file's binary part, and how it is divided."""

    data: bytearray = field(default_factory=bytearray)
    views: list[dict[str, Any]] = field(default_factory=list)
    accessors: list[dict[str, Any]] = field(default_factory=list)

    def add_bytes(self, content: bytes, target: int | None = None) -> int:
        """Append bytes; return the number of their view."""
        self.data += bytes(-len(self.data) % 4)
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(content)}
        self.views.append(view if target is None else {**view, "target": target})
        self.data += content
        return len(self.views) - 1

    def add(self, values: np.ndarray, target: int | None = None, bounds: bool = False) -> int:
        """Append ``n c`` or ``n`` numbers; return the number of their accessor."""
        rows = values.reshape(len(values), -1)
        accessor = {
            "bufferView": self.add_bytes(np.ascontiguousarray(values).tobytes(), target),
            "componentType": _COMPONENTS[values.dtype.name],
            "count": len(rows),
            "type": _TYPES[rows.shape[1]],
        }
        if bounds:
            accessor |= {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def write_glb(path: str | Path, skeleton: Skeleton, texture: Picture | None = None) -> None:
    """Write a moving body; the file appears whole or not at all.

    Args:
        skeleton: of a body with texture coordinates.
        texture: colours in them; a plain grey if None.

    Raises:
        InputError: the path cannot be written.
    """
    buffer = _Buffer()
    ground = -float(skeleton.rest_vertices()[:, 1].min())
    document = {
        "asset": {
            "version": "2.0",
            "generator": f"bdmm {__version__}",
            "extras": {"comment": GENERATED},
        },
        "scene": 0,
        "scenes": [{"nodes": [0, len(BONE_NAMES)]}],
        "nodes": [*_bones(skeleton, ground), {"name": "person", "mesh": 0, "skin": 0}],
        "skins": [_skin(skeleton, buffer, ground)],
        "meshes": [{"name": "person", "primitives": [_mesh(skeleton, buffer, ground)]}],
        "animations": [_animation(skeleton, buffer)],
        **_material(texture, buffer),
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    write_whole(Path(path), _packed(document, bytes(buffer.data)))


def skin_weights(body: SkinnedBody, count: int = INFLUENCES) -> tuple[np.ndarray, np.ndarray]:
    """Return ``v c`` the bones that move each vertex most, and their weights, which sum to one."""
    weights, bones = body.weights.topk(count, dim=1)
    weights = weights / weights.sum(dim=1, keepdim=True)
    bones = torch.where(weights > 0, bones, 0)
    return bones.numpy().astype(np.uint8), weights.numpy().astype(np.float32)


def _bones(skeleton: Skeleton, ground: float) -> list[dict[str, Any]]:
    joints, nodes = skeleton.joints, []
    for bone, parent in enumerate(BONE_PARENTS):
        place = joints[bone] - joints[parent] if parent >= 0 else joints.new_tensor([0, ground, 0])
        children = children_of(bone)
        node = {"name": BONE_NAMES[bone], "translation": place.tolist()}
        nodes.append({**node, "children": children} if children else node)
    return nodes


def _skin(skeleton: Skeleton, buffer: _Buffer, ground: float) -> dict[str, Any]:
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(BONE_NAMES), 1, 1))
    inverse[:, 3, :3] = -skeleton.joints.numpy()  # columns one after the other, as glTF has them
    inverse[:, 3, 1] -= ground
    return {
        "inverseBindMatrices": buffer.add(inverse.reshape(-1, 16)),
        "joints": list(range(len(BONE_NAMES))),
        "skeleton": 0,
    }


def _mesh(skeleton: Skeleton, buffer: _Buffer, ground: float) -> dict[str, Any]:
    body = skeleton.body
    assert isinstance(body, AnnyBody)
    corners = torch.stack((body.faces, body.face_uv), dim=-1).reshape(-1, 2)
    pairs, index = torch.unique(corners, dim=0, return_inverse=True)
    vertex = pairs[:, 0].numpy()
    rest = skeleton.rest_vertices()
    normals = vertex_normals(rest, body.faces).numpy()
    places = (rest + rest.new_tensor([0, ground, 0])).numpy()
    bones, weights = skin_weights(body)
    uv = body.uv[pairs[:, 1]].numpy()
    attributes = {
        "POSITION": buffer.add(places[vertex], _ARRAY, bounds=True),
        "NORMAL": buffer.add(normals[vertex], _ARRAY),
        "TEXCOORD_0": buffer.add(uv, _ARRAY),
        "JOINTS_0": buffer.add(bones[vertex], _ARRAY),
        "WEIGHTS_0": buffer.add(weights[vertex], _ARRAY),
    }
    indices = index.numpy().astype(np.uint16 if len(pairs) < 2**16 else np.uint32)
    return {"attributes": attributes, "indices": buffer.add(indices, _ELEMENTS), "material": 0}


def _animation(skeleton: Skeleton, buffer: _Buffer) -> dict[str, Any]:
    """Return rotations of all bones that ever move, and the pelvis's path."""
    times = (np.arange(len(skeleton)) / float(skeleton.fps)).astype(np.float32)
    clock = buffer.add(times, bounds=True)
    samplers, channels = [], []

    def move(bone: int, what: str, values: np.ndarray) -> None:
        channels.append({"sampler": len(samplers), "target": {"node": bone, "path": what}})
        samplers.append({"input": clock, "output": buffer.add(values.astype(np.float32))})

    move(0, "translation", skeleton.path.numpy())
    turns = skeleton.rotations.double()
    still = (turns - torch.eye(3, dtype=turns.dtype)).abs().amax(dim=(0, 2, 3)) < 1e-6
    for bone in torch.nonzero(~still)[:, 0].tolist():
        move(bone, "rotation", _quaternions(turns[:, bone].numpy()))
    return {"name": "motion", "samplers": samplers, "channels": channels}


def _quaternions(turns: np.ndarray) -> np.ndarray:
    """Return ``t 4`` (x, y, z, w); neighbours lie on the same side of the sphere."""
    quaternions = Rotation.from_matrix(turns).as_quat()
    flips = np.sum(quaternions[1:] * quaternions[:-1], axis=1) < 0
    quaternions[1:] *= np.where(np.cumsum(flips) % 2, -1.0, 1.0)[:, None]
    return quaternions


def _material(texture: Picture | None, buffer: _Buffer) -> dict[str, Any]:
    rough: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 0.9}
    if texture is None:
        return {"materials": [{"pbrMetallicRoughness": {**rough, "baseColorFactor": _GREY}}]}
    stored = io.BytesIO()
    Pillow.fromarray(texture).save(stored, format="JPEG", quality=_JPEG_QUALITY, subsampling=0)
    view = buffer.add_bytes(stored.getvalue())
    return {
        "materials": [{"pbrMetallicRoughness": {**rough, "baseColorTexture": {"index": 0}}}],
        "textures": [{"source": 0}],
        "images": [{"bufferView": view, "mimeType": "image/jpeg"}],
    }


def _packed(document: dict[str, Any], data: bytes) -> bytes:
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    data += bytes(-len(data) % 4)
    chunks = struct.pack("<II", len(text), _JSON) + text
    chunks += struct.pack("<II", len(data), _BINARY) + data
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
