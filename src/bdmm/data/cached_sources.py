"""Which frames of a clip serve as sources, their warps onto all frames, and errors of their fits.

A fit errs as fits do: whole body parts turned, another shape, a shift.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bdmm.body.camera import project
from bdmm.body.model import SkinnedBody
from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.body.source_geometry import prepare_geometry
from bdmm.conditioning import condition
from bdmm.data.clip_store import CachedSource
from bdmm.data.warp_codec import RUN, WarpPacker, Warps
from bdmm.records import BONE_NAMES, Motion
from bdmm.shapes import Foreground

MAX_SOURCES = 16
_TIME = 0.6
"""How far apart the first and the last frame count, where opposite views count 2."""
_LOOSE = ("shoulder", "elbow", "hip", "knee")
_TURN = 0.12
"""Radians, standard deviation, of a loose bone's turn before all is scaled to the wanted error."""
_STIFF_SHARE = 0.4
"""Of that, what other bones turn."""
_SHAPE = 0.35
_SHIFT = 0.008
"""Shift and change of size, as shares of the person's pixels per metre."""
_LARGEST = 8.0
"""Times that the first guess is enlarged at most."""


def choose_sources(motion: Motion, usable: Bool[np.ndarray, "t"], count: int) -> tuple[int, ...]:
    """Return frames that show the person from sides and at times as different as can be.

    The first is the first usable one; each further one is the one least like those before it.

    Args:
        usable: frames that may serve: the person is whole and the pose trusted.
        count: how many; fewer where there are fewer usable frames.
    """
    facing = motion.rotations[:, 0, :, 2].numpy()
    yaw = np.arctan2(facing[:, 0], facing[:, 2])
    times = np.linspace(0, _TIME, len(motion))
    places = np.stack([np.cos(yaw), np.sin(yaw), times], axis=1)
    left = np.nonzero(usable)[0]
    chosen: list[int] = []
    nearest = np.full(len(left), np.inf)
    for _ in range(min(count, len(left))):
        pick = int(left[int(nearest.argmax())])
        chosen.append(pick)
        apart = np.linalg.norm(places[left] - places[pick], axis=1)
        nearest = np.minimum(nearest, apart)
        nearest[left == pick] = -1
    return tuple(chosen)


def pack_warps(
    body: SkinnedBody,
    motion: Motion,
    source: CachedSource,
    foreground: Foreground,
    random: np.random.Generator,
    packer: WarpPacker,
) -> list[bytes]:
    """Return blocks of the warps of one source frame onto all frames.

    Args:
        body: that the motion belongs to.
        motion: of the clip: the pose that the network is given in every frame.
        source: the frame, and the error that its fit is given.
    """
    frame = motion[source.frame : source.frame + 1]
    pose = perturb_fit(frame, body, source.error, random)
    geometry = prepare_geometry(body, pose, foreground)
    driven = replace(motion, shape=pose.shape)
    blocks: list[bytes] = []
    for start in range(0, len(motion), RUN):
        made = condition(body, geometry, driven[start : start + RUN])
        warps = Warps(source.frame, made.source_grid[0], made.state[0], made.fallback[0])
        blocks.append(packer.pack(warps))
    return blocks


def as_foreground(grey: np.ndarray) -> Float[Tensor, "1 h w"]:
    """Return a foreground of 0..255 as a tensor in [0, 1]."""
    return torch.from_numpy(grey.astype(np.float32) / 255)[None]


def plan_errors(
    frames: Sequence[int], span: tuple[float, float], random: np.random.Generator
) -> list[CachedSource]:
    """Give each source frame's fit an error drawn evenly from a span, in pixels."""
    return [CachedSource(frame, round(float(random.uniform(*span)), 2)) for frame in frames]


def perturb_fit(
    pose: Motion, body: SkinnedBody, error: float, random: np.random.Generator
) -> Motion:
    """Return the pose with an error of a given mean size over the keypoints.

    Args:
        error: mean distance of the keypoints from where they were, in pixels.
    """
    if error <= 0:
        return pose
    turns = random.normal(0, _TURN, (len(BONE_NAMES), 3))
    turns[[not name.endswith(_LOOSE) for name in BONE_NAMES]] *= _STIFF_SHARE
    shape = random.normal(0, _SHAPE, pose.shape.shape)
    shift, growth = random.normal(0, _SHIFT, 2), random.normal(0, _SHIFT)
    wrong = tuple(torch.from_numpy(part).float() for part in (turns, shape, shift))

    def moved(amount: float) -> Motion:
        return replace(
            pose,
            rotations=pose.rotations @ axis_angle_to_matrix(amount * wrong[0]),
            shape=pose.shape + amount * wrong[1],
            translation=pose.translation + amount * pose.scale[:, None] * wrong[2],
            scale=pose.scale * float(np.exp(amount * growth)),
        )

    before = _places(pose, body)
    least, most = 0.0, _LARGEST
    for _ in range(14):
        middle = (least + most) / 2
        apart = float((_places(moved(middle), body) - before).norm(dim=-1).mean())
        least, most = (middle, most) if apart < error else (least, middle)
    return moved(least)


def _places(pose: Motion, body: SkinnedBody) -> Float[Tensor, "t k 2"]:
    points = body.keypoints(pose.shape, pose.rotations)
    return project(points, pose.scale, pose.translation)[..., :2]
