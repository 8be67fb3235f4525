"""A recorded motion on a body of ours: turned bone by bone, the way scaled by the legs.

A recorded skeleton's bones point other ways at rest than ours. So a pose of the recording is taken
in which people stand plainly (its rest where that is a standing body, else its first frame), our
body is put into that pose limb by limb, and from there each of our bones turns as its joint does.
"""

from itertools import pairwise

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d, minimum_filter1d

from bdmm.body.rotations import rotation_between, unchain
from bdmm.records import BONE_NAMES, BONE_PARENTS
from bdmm_synth.bvh.recording import BvhMotion
from bdmm_synth.motion.rig import BONE, SIDES, TO_CAMERA, Rate, Rig, halfway, resampled

_ROOM = np.array([0.8, 1.5])
"""Metres across and along the floor that an excerpt may cover."""
_JUMP = 1.0
"""Seconds that both feet are off the floor at most."""
_ENDS = {"hip": "knee", "knee": "ankle", "shoulder": "elbow",
         "elbow": "wrist"}  # fmt: skip


def retarget(motion: BvhMotion, rig: Rig, fps: Rate) -> tuple[np.ndarray, np.ndarray]:
    """Let a body of ours do what was recorded.

    Args:
        motion: the recording.
        rig: the body.
        fps: frames per second of the result.

    Returns:
        ``t 24 3 3`` local rotations in camera axes and ``t 3`` pelvis positions in person axes,
        the floor at y = 0, as `rig.perform` gives them. The recording's place on the floor is kept
        relative to its first frame.
    """
    fps = float(fps)
    world = _orientations(motion, rig)
    pelvis = _pelvis(motion, rig, world)
    local = unchain(torch.from_numpy(world)).numpy()
    local = local * TO_CAMERA[:, None] * TO_CAMERA
    count = max(1, round(len(motion) / motion.fps * fps))
    at = np.minimum(np.arange(count) * motion.fps / fps, len(motion) - 1)
    return resampled(local, pelvis, at)


def excerpt(
    motion: BvhMotion, rig: Rig, random: np.random.Generator, frames: int, fps: Rate
) -> tuple[np.ndarray, np.ndarray]:
    """Take a random piece of a recording, around the origin; a short one goes back and forth.

    Args:
        motion: the recording.
        rig: the body.
        random: decides where the piece begins.
        frames: its length.
        fps: frames per second.

    Returns:
        Rotations and pelvis as `retarget` gives them.
    """
    rotations, pelvis = retarget(motion, rig, fps)
    count = len(pelvis)
    start = int(random.integers(max(1, count - frames + 1)))
    there_and_back = np.concatenate([np.arange(count), np.arange(count - 2, 0, -1)])
    at = there_and_back[(start + np.arange(frames)) % len(there_and_back)]
    way = pelvis[at] - [1, 0, 1] * (pelvis[at].max(axis=0) + pelvis[at].min(axis=0)) / 2
    reach = np.abs(way[:, [0, 2]]).max(axis=0)
    part = min(1.0, *(_ROOM / reach.clip(1e-6)))
    return rotations[at], way * [part, 1, part]


def _orientations(motion: BvhMotion, rig: Rig) -> np.ndarray:
    """Return ``t 24 3 3`` world orientations of our bones in person axes."""
    own = _standing(motion, rig)
    frames = len(motion)
    world: dict[str, np.ndarray] = {}
    for index, name in enumerate(BONE_NAMES):
        parent = BONE_NAMES[BONE_PARENTS[index]]
        if name in motion.turned:
            world[name] = motion.turned[name] @ own[name]
        elif name.endswith("_hand") or index == 0:
            world[name] = world[parent]
        else:
            # What was not recorded keeps its angle to its parent.
            world[name] = world[parent] @ (own[parent].T @ own[name])
    if "spine1" not in motion.turned:
        chest = halfway(world["pelvis"], world["spine3"], 0.5)
        world["spine1"] = world["spine2"] = chest
    stacked = np.stack([world[name] for name in BONE_NAMES], axis=1)
    assert stacked.shape == (frames, 24, 3, 3)
    return stacked


def _standing(motion: BvhMotion, rig: Rig) -> dict[str, np.ndarray]:
    """Return our bones' orientations in the recording's standing pose."""
    theirs, ours = motion.standing, {name: rig.joints[BONE[name]] for name in BONE_NAMES}
    pelvis = _trunk(theirs, "hip") @ _trunk(ours, "hip").T
    chest = _trunk(theirs, "shoulder") @ _trunk(ours, "shoulder").T
    own = {"pelvis": pelvis, "spine1": halfway(pelvis[None], chest[None], 0.5)[0], "spine2": chest,
           "spine3": chest, "neck": chest, "head": chest}  # fmt: skip
    for side in SIDES:
        parent = chest
        own[f"{side}_collar"] = chest
        for part in ("shoulder", "elbow"):
            parent = own[f"{side}_{part}"] = _aligned(theirs, ours, side, part, parent)
        own[f"{side}_wrist"] = own[f"{side}_hand"] = parent
        parent = pelvis
        for part in ("hip", "knee"):
            parent = own[f"{side}_{part}"] = _aligned(theirs, ours, side, part, parent)
        own[f"{side}_ankle"] = own[f"{side}_foot"] = _flat_foot(theirs, ours, side)
    return own


def _trunk(joints: dict[str, np.ndarray], part: str) -> np.ndarray:
    """Return axes as columns: left between two joints, upwards, forward."""
    left = joints[f"left_{part}"] - joints[f"right_{part}"]
    middle = 0.5 * (joints["left_shoulder"] + joints["right_shoulder"])
    up = middle - 0.5 * (joints["left_hip"] + joints["right_hip"])
    left = left / np.linalg.norm(left).clip(1e-9)
    up = up - (up @ left) * left
    up = up / np.linalg.norm(up).clip(1e-9)
    return np.stack([left, up, np.cross(left, up)], axis=-1)


def _aligned(
    theirs: dict[str, np.ndarray],
    ours: dict[str, np.ndarray],
    side: str,
    part: str,
    parent: np.ndarray,
) -> np.ndarray:
    """Turn a bone the least from how its parent is turned, so that it points as theirs does."""
    start, end = f"{side}_{part}", f"{side}_{_ENDS[part]}"
    if start not in theirs or end not in theirs:
        return parent
    goal = theirs[end] - theirs[start]
    if np.linalg.norm(goal) < 1e-6:
        return parent
    way = parent @ (ours[end] - ours[start])
    return rotation_between(torch.from_numpy(way), torch.from_numpy(goal)).numpy() @ parent


def _flat_foot(theirs: dict[str, np.ndarray], ours: dict[str, np.ndarray], side: str) -> np.ndarray:
    """Put a foot flat on the floor, its toes as far out as theirs."""
    if f"{side}_foot" not in theirs:
        return np.eye(3)
    goal = (theirs[f"{side}_foot"] - theirs[f"{side}_ankle"]) * [1, 0, 1]
    way = (ours[f"{side}_foot"] - ours[f"{side}_ankle"]) * [1, 0, 1]
    if np.linalg.norm(goal) < 1e-6:
        return np.eye(3)
    return rotation_between(torch.from_numpy(way), torch.from_numpy(goal)).numpy()


def _pelvis(motion: BvhMotion, rig: Rig, world: np.ndarray) -> np.ndarray:
    """Return ``t 3`` pelvis positions: the hips' way scaled by the legs, feet on the floor."""
    scale = rig.leg / _leg(motion.standing)
    middle = 0.5 * (motion.places["left_hip"] + motion.places["right_hip"]) * scale
    hips = 0.5 * (rig.joints[BONE["left_hip"]] + rig.joints[BONE["right_hip"]]) - rig.joints[0]
    pelvis = middle - (world[:, 0] @ hips)
    pelvis = pelvis - pelvis[:1] * [1, 0, 1]
    low = np.full(len(pelvis), np.inf)
    for side in SIDES:
        foot = pelvis
        chain = ("pelvis", f"{side}_hip", f"{side}_knee", f"{side}_ankle", f"{side}_foot")
        for above, name in pairwise(chain):
            step = rig.joints[BONE[name]] - rig.joints[BONE[above]]
            foot = foot + world[:, BONE[above]] @ step
        toes = foot[:, 1] - rig.joints[BONE[f"{side}_foot"], 1]
        sole = rig.heel[side] - rig.joints[BONE[f"{side}_foot"]]
        heel = foot + world[:, BONE[f"{side}_ankle"]] @ sole
        low = np.minimum(low, np.minimum(toes, heel[:, 1]))
    return pelvis - np.array([0, 1, 0]) * _floor(low, motion.fps)[:, None]


def _floor(low: np.ndarray, fps: float) -> np.ndarray:
    """Return ``t`` where the floor is: suits drift, so it follows the lowest foot, but no jump."""
    floor = minimum_filter1d(low, max(1, round(_JUMP * fps)), mode="nearest")
    return gaussian_filter1d(floor, 0.5 * _JUMP * fps, mode="nearest")


def _leg(joints: dict[str, np.ndarray]) -> float:
    lengths = [
        np.linalg.norm(joints[f"{side}_{start}"] - joints[f"{side}_{end}"])
        for side in SIDES
        for start, end in (("hip", "knee"), ("knee", "ankle"))
    ]
    return float(max(sum(lengths) / 2, 1e-9))
