"""How exact exports are: files read back by other readers, against the body's own vertices.

    python tools/measure_export.py

Needs the packages `bvh` and `pygltflib` (extra `dev`). Prints, over the shipped motions, how far
joints and vertices lie from ours in the files, and how far fewer bones per vertex would move them.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bvh import Bvh
from pygltflib import GLTF2
from scipy.spatial.transform import Rotation, Slerp

from bdmm.body.model import load_body
from bdmm.body.rotations import pose_bones
from bdmm.body.skinning import blend_vertices, dense_weights
from bdmm.export.bvh import write_bvh
from bdmm.export.gltf import INFLUENCES, skin_weights, write_glb
from bdmm.export.skeleton import Skeleton, skeleton_of
from bdmm.media.motion_file import load_shipped
from bdmm.media.shipped_motions import shipped_motions
from bdmm.records import BONE_NAMES

_TYPES = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def bvh_positions(path: Path) -> np.ndarray:
    """Return ``t n 3`` where a BVH file's joints are, in the order of `BONE_NAMES`."""
    recording = Bvh(path.read_text())
    orientations: dict[str, np.ndarray] = {}
    places: dict[str, np.ndarray] = {}
    for name in recording.get_joints_names():
        channels = recording.joint_channels(name)
        values = np.array(recording.frames_joint_channels(name, channels))
        turns = [i for i, channel in enumerate(channels) if channel.endswith("rotation")]
        order = "".join(channels[i][0] for i in turns)
        local = Rotation.from_euler(order, values[:, turns], degrees=True).as_matrix()
        parent = recording.joint_parent(name)
        if parent is None:
            orientations[name], places[name] = local, values[:, :3]
            continue
        above = orientations[parent.name]
        offset = np.array(recording.joint_offset(name))
        orientations[name] = above @ local
        places[name] = places[parent.name] + above @ offset
    return np.stack([places[name] for name in BONE_NAMES], axis=1)


class Glb:
    """A glTF file as another reader sees it, and what its animation does.

    Attributes:
        vertex: ``p`` of the mesh, at rest in ``rest``.
    """

    def __init__(self, path: Path) -> None:
        self.file: Any = GLTF2().load(str(path))
        (primitive,) = self.file.meshes[0].primitives
        self.primitive, self._skin = primitive, self.file.skins[0]
        self.rest = self.values(primitive.attributes.POSITION)
        self.times = self.values(self.file.animations[0].samplers[0].input)[:, 0]

    def values(self, number: int) -> np.ndarray:
        """Return ``n c`` the numbers of an accessor."""
        accessor = self.file.accessors[number]
        view = self.file.bufferViews[accessor.bufferView]
        data = self.file.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
        return np.frombuffer(data, _TYPES[accessor.componentType]).reshape(
            accessor.count, _WIDTHS[accessor.type]
        )

    def joints(self, time: float) -> np.ndarray:
        """Return ``n 4 4`` where the joints are at a time in seconds."""
        matrices = [np.eye(4) for _ in self._skin.joints]
        for bone in self._skin.joints:
            node = self.file.nodes[bone]
            matrices[bone][:3, 3] = node.translation
        for channel in self.file.animations[0].channels:
            sampler = self.file.animations[0].samplers[channel.sampler]
            values, matrix = self.values(sampler.output), matrices[channel.target.node]
            if channel.target.path == "translation":
                matrix[:3, 3] = [np.interp(time, self.times, one) for one in values.T]
            else:
                turns = Slerp(self.times, Rotation.from_quat(values))
                matrix[:3, :3] = turns(np.clip(time, 0, self.times[-1])).as_matrix()
        world: dict[int, np.ndarray] = {0: matrices[0]}
        for bone in self._skin.joints:  # parents come first
            for child in self.file.nodes[bone].children or []:
                world[child] = world[bone] @ matrices[child]
        return np.stack([world[bone] for bone in self._skin.joints])

    def vertices(self, time: float) -> np.ndarray:
        """Return ``p 3`` the skinned mesh at a time in seconds."""
        inverse = self.values(self._skin.inverseBindMatrices).reshape(-1, 4, 4)
        moved = self.joints(time) @ inverse.transpose(0, 2, 1)
        attributes = self.primitive.attributes
        bones, weights = self.values(attributes.JOINTS_0), self.values(attributes.WEIGHTS_0)
        blended = np.einsum("pj,pjrc->prc", weights, moved[bones])
        return np.einsum("prc,pc->pr", blended[:, :3, :3], self.rest) + blended[:, :3, 3]


def own_vertices(skeleton: Skeleton, frame: int, count: int | None = None) -> np.ndarray:
    """Return ``v 3`` the body's vertices in a frame, with fewer bones each if a count is given."""
    body = skeleton.body
    weights = body.weights
    if count is not None:
        bones, kept = skin_weights(body, count)
        weights = dense_weights(torch.from_numpy(bones).long(), torch.from_numpy(kept), 24)
    posed = pose_bones(skeleton.rotations[frame : frame + 1], skeleton.joints)
    posed = blend_vertices(skeleton.rest_vertices(), weights, skeleton.joints, posed)[0]
    return (posed + skeleton.path[frame]).numpy()


def main() -> None:
    body = load_body()
    print("motion      frames  BVH joints  glTF joints  glTF vertices  (furthest from ours, mm)")
    fewer = dict.fromkeys(range(1, INFLUENCES + 1), (0.0, 0.0))
    motions = len(shipped_motions())
    for name in shipped_motions():
        skeleton = skeleton_of(load_shipped(name))
        with tempfile.TemporaryDirectory() as folder:
            bvh, glb = Path(folder) / "a.bvh", Path(folder) / "a.glb"
            write_bvh(bvh, skeleton)
            write_glb(glb, skeleton)
            in_bvh, read = bvh_positions(bvh), Glb(glb)
        ours = skeleton.positions().numpy()
        frames = range(0, len(skeleton), 17)
        joints = [read.joints(read.times[t])[:, :3, 3] - ours[t] for t in frames]
        corner = torch.unique(
            torch.stack((body.faces, body.face_uv), dim=-1).reshape(-1, 2), dim=0
        )[:, 0].numpy()
        skins = [read.vertices(read.times[t]) - own_vertices(skeleton, t)[corner] for t in frames]
        print(
            f"{name:12}{len(skeleton):6}{_worst([in_bvh - ours]):12.3f}{_worst(joints):13.3f}"
            f"{_worst(skins):15.3f}"
        )
        for count in fewer:
            moved = [
                np.linalg.norm(own_vertices(skeleton, t, count) - own_vertices(skeleton, t), axis=1)
                for t in frames
            ]
            most, mean = fewer[count]
            fewer[count] = max(most, float(np.max(moved))), mean + float(np.mean(moved)) / motions
    for count, (most, mean) in fewer.items():
        print(
            f"{count} bones per vertex: vertices move {1000 * mean:.3f} mm in the mean, "
            f"{1000 * most:.2f} mm at most"
        )


def _worst(differences: list[np.ndarray]) -> float:
    return 1000 * max(float(np.linalg.norm(one, axis=-1).max()) for one in differences)


if __name__ == "__main__":
    main()
