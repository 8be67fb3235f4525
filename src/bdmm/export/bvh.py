"""BVH files: the skeleton and its motion, for Blender and other programs.

Metres, y up. The root has its position and rotation, other joints their rotation, all in the order
z, x, y: a joint's matrix is ``Rz Rx Ry``. Zero rotations are the body's rest pose.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from bdmm.export.skeleton import Skeleton, children_of
from bdmm.files.output_file import appearing, writing
from bdmm.records import BONE_NAMES, BONE_PARENTS

_ORDER = "ZXY"
_ROTATIONS = " ".join(f"{axis}rotation" for axis in _ORDER)
_POSITIONS = "Xposition Yposition Zposition"
_AT_ONCE = 4096
"""Frames whose lines are made at once."""


def write_bvh(path: str | Path, skeleton: Skeleton) -> None:
    """Write a skeleton's motion; the file appears whole or not at all.

    Raises:
        InputError: the path cannot be written.
    """
    path = Path(path)
    with appearing(path) as part, writing(path), part.open("w", encoding="ascii") as file:
        file.write("HIERARCHY\n")
        file.writelines(_joint(skeleton, _tips(skeleton), 0, 0))
        file.write(f"MOTION\nFrames: {len(skeleton)}\n")
        file.write(f"Frame Time: {float(1 / skeleton.fps):.9g}\n")
        file.writelines(_frames(skeleton))


def _in_file_order(bone: int = 0) -> list[int]:
    """Return the bones from one on as the hierarchy lists them: depth first."""
    return [bone, *(one for child in children_of(bone) for one in _in_file_order(child))]


def _joint(skeleton: Skeleton, tips: np.ndarray, bone: int, depth: int) -> Iterator[str]:
    indent, parent, children = "\t" * depth, BONE_PARENTS[bone], children_of(bone)
    joints = skeleton.joints.numpy()
    offset = joints[bone] - (joints[parent] if parent >= 0 else 0)
    channels = f"3 {_ROTATIONS}" if parent >= 0 else f"6 {_POSITIONS} {_ROTATIONS}"
    yield f"{indent}{'JOINT' if parent >= 0 else 'ROOT'} {BONE_NAMES[bone]}\n{indent}{{\n"
    yield f"{indent}\tOFFSET {_numbers(offset)}\n{indent}\tCHANNELS {channels}\n"
    for child in children:
        yield from _joint(skeleton, tips, child, depth + 1)
    if not children:
        yield f"{indent}\tEnd Site\n{indent}\t{{\n"
        yield f"{indent}\t\tOFFSET {_numbers(tips[bone])}\n{indent}\t}}\n"
    yield f"{indent}}}\n"


def _tips(skeleton: Skeleton) -> np.ndarray:
    """Return ``n 3`` the mesh's ends beyond each joint, along the bone that leads there."""
    vertices, joints = skeleton.rest_vertices().numpy(), skeleton.joints.numpy()
    tips = np.zeros_like(joints)
    for bone, parent in enumerate(BONE_PARENTS):
        along = joints[bone] - joints[parent] if parent >= 0 else np.zeros(3)
        along = along / max(np.linalg.norm(along), 1e-6)
        own = vertices[skeleton.body.vertex_bones.numpy() == bone] - joints[bone]
        tips[bone] = along * max((own @ along).max(initial=0.0), 0.01)
    return tips


def _frames(skeleton: Skeleton) -> Iterator[str]:
    """Yield a line for each frame: degrees that turn on without jumps over 180."""
    before, order = None, _in_file_order()
    for start in range(0, len(skeleton), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        turns = skeleton.rotations[part, order].double().numpy()
        angles = Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_euler(_ORDER, degrees=True)
        angles = angles.reshape(len(turns), -1)
        joined = angles if before is None else np.concatenate((before, angles))
        angles = np.unwrap(joined, period=360, axis=0)[len(joined) - len(angles) :]
        before = angles[-1:]
        for place, turn in zip(skeleton.path[part].numpy(), angles, strict=True):
            yield f"{_numbers(place)} {_numbers(turn)}\n"


def _numbers(values: Float[np.ndarray, "c"]) -> str:
    return " ".join(f"{float(value) + 0.0:.6g}" for value in values)
