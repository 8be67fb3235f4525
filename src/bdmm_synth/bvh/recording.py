"""Recorded motions from BVH files: their skeletons read as a person who stands and moves."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bdmm_synth.bvh.file import Recording, read_bvh
from bdmm_synth.bvh.joints import find_bones


@dataclass(frozen=True)
class BvhMotion:
    """A recording with its joints named; axes are a person's: x left, y up, z forward.

    Attributes:
        file: where it comes from.
        fps: frames per second.
        places: bone -> ``t 3`` positions of its joint, in the file's units.
        turned: bone -> ``t 3 3`` how its joint is turned away from the standing pose.
        standing: bone -> ``3`` positions in the standing pose.
    """

    file: str
    fps: float
    places: dict[str, np.ndarray]
    turned: dict[str, np.ndarray]
    standing: dict[str, np.ndarray]

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.places["pelvis"])


def load_bvh(path: Path) -> BvhMotion:
    """Read a BVH file and find our bones in it.

    Args:
        path: the file. Up may be y or z; the person faces the camera in the first frame.

    Raises:
        InputError: the file is damaged, or has no joints that could be legs or arms.
    """
    recording = read_bvh(path)
    names = [joint.name for joint in recording.joints]
    bones = find_bones(recording.file, names, [joint.parent for joint in recording.joints])
    at_rest = _rest(recording)
    axes = _axes(recording.places, bones)
    if _stands(at_rest, bones):
        standing = at_rest @ _axes(at_rest[None], bones).T
        zero = np.tile(_axes(at_rest[None], bones).T, (len(names), 1, 1))
    else:
        standing = recording.places[0] @ axes.T
        zero = np.swapaxes(recording.turned[0], -1, -2) @ axes.T
    places = recording.places @ axes.T
    turned = axes @ recording.turned @ zero
    ends = _wrists(recording, bones)
    return BvhMotion(
        recording.file,
        recording.fps,
        {bone: places[:, index] for bone, index in (bones | ends).items()},
        {bone: turned[:, index] for bone, index in bones.items()},
        {bone: standing[index] for bone, index in (bones | ends).items()},
    )


def _wrists(recording: Recording, bones: dict[str, int]) -> dict[str, int]:
    """Take the end of a forearm for the wrist where no joint is there."""
    parents = [joint.parent for joint in recording.joints]
    ends = {}
    for side in ("left", "right"):
        if f"{side}_wrist" not in bones and bones[f"{side}_elbow"] in parents:
            ends[f"{side}_wrist"] = parents.index(bones[f"{side}_elbow"])
    return ends


def _rest(recording: Recording) -> np.ndarray:
    """Return ``j 3`` positions with all rotations zero."""
    places = np.zeros((len(recording.joints), 3))
    for index, joint in enumerate(recording.joints):
        if joint.parent >= 0:
            places[index] = places[joint.parent] + joint.offset
    return places


def _shoulders(places: np.ndarray, bones: dict[str, int]) -> np.ndarray:
    return 0.5 * (places[..., bones["left_shoulder"], :] + places[..., bones["right_shoulder"], :])


def _feet(places: np.ndarray, bones: dict[str, int]) -> np.ndarray:
    return 0.5 * (places[..., bones["left_ankle"], :] + places[..., bones["right_ankle"], :])


def _axes(places: np.ndarray, bones: dict[str, int]) -> np.ndarray:
    """Return the rotation from the file's axes to the person's, who faces ahead in frame 0."""
    up = np.median(_shoulders(places, bones) - _feet(places, bones), axis=0)
    axis = np.zeros(3)
    axis[np.abs(up).argmax()] = np.sign(up[np.abs(up).argmax()])
    left = places[0, bones["left_hip"]] - places[0, bones["right_hip"]]
    left = left - (left @ axis) * axis
    if np.linalg.norm(left) < 1e-6:
        left = np.eye(3)[np.abs(axis).argmin()]
    left /= np.linalg.norm(left)
    return np.stack([left, axis, np.cross(left, axis)])


def _stands(places: np.ndarray, bones: dict[str, int]) -> bool:
    """Say whether a pose is that of a standing person with straight legs."""
    left = places[bones["left_hip"]] - places[bones["right_hip"]]
    if np.linalg.norm(left) < 1e-6:
        return False
    axes = _axes(places[None], bones)
    body = places @ axes.T
    legs = (
        body[[bones["left_hip"], bones["right_hip"]]]
        - body[[bones["left_ankle"], bones["right_ankle"]]]
    )
    trunk = _shoulders(body, bones) - body[bones["pelvis"]]
    upright = [vector[1] > 0.85 * np.linalg.norm(vector) > 0 for vector in (*legs, trunk)]
    return all(upright)
