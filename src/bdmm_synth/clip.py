"""A rendered clip: a random person who moves in a random place, with exact ground truth.

`render_clip` turns a `ClipRequest` into a `RenderedClip`. Nothing is downloaded, recorded or
learned: the package draws everything from the shipped body and a seed.

    people/   a random body with skin, hair, shoes and an outfit of garments/
    motion/   random moves as targets for feet, hands and trunk, solved by inverse kinematics
    bvh/      recorded moves from BVH files
    light/    lamps and light setups
    places/   studio, rooms and outdoors as one camera sees them
    render/   the person rasterised, textured, lit, and its exact flow; kernels run on the CPU

Each of person, motion and place has its own random stream, so that a new garment leaves motions
and places as they were. Axes are a camera's: x right, y down, z away; lengths are metres; colours
are linear RGB until `render.renderer.tone_map`. The page docs/synth.md shows how to add a
garment, a place and a move.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from bdmm.body.model import AnnyBody
from bdmm.records import Motion
from bdmm_synth.camera import frame_view, random_view
from bdmm_synth.figure import pose
from bdmm_synth.motion.random_motion import random_motion
from bdmm_synth.motion.rig import TO_CAMERA, Rig, stand_up
from bdmm_synth.people.person import Person, sole_height
from bdmm_synth.people.random_person import random_person
from bdmm_synth.people.shoes import SOLE
from bdmm_synth.places.place import random_place
from bdmm_synth.render.renderer import Renderer
from bdmm_synth.render.truth import BodyTruth, TrueFlow, find_body, trace, true_flow

Moves = Callable[[Rig, np.random.Generator, int, Fraction], tuple[np.ndarray, np.ndarray]]
"""(rig, random, frames, fps) -> local rotations and pelvis as `moves.rig.perform` gives them."""

_FINE = 2
"""Samples along a pixel's side."""
_AT_ONCE = 64
"""Frames that are drawn before what they show is painted."""
_STRANDS = 0.12
"""Of all hair; see `random_person`."""


@dataclass(frozen=True)
class ClipRequest:
    """What clip to render.

    Attributes:
        seed: decides the person, the motion and the place.
        size: pixels along the sides of the square frames.
        frames: length.
        fps: frames per second.
        motion: makes the motion; a random one by default.
        background: where the person is.
    """

    seed: int
    size: int = 256
    frames: int = 48
    fps: Fraction = Fraction(30)
    motion: Moves | None = None
    background: Literal["studio", "natural", "random"] = "random"


@dataclass(frozen=True)
class RenderedClip:
    """A clip with its ground truth.

    Attributes:
        frames_uint8: ``t h w 3``.
        foregrounds: ``t h w`` uint8, 255 where the person (body, clothes, hair, shoes) covers all
            of the pixel.
        motion: the body's true parameters; the weak-perspective camera is the one that fits the
            pinhole camera best.
        keypoints: ``t 29 3`` `records.KEYPOINT_NAMES`: x and y in pixels as the pinhole camera
            sees them, and 1 where the point is in the frame and not occluded, else 0.
        flow: returns the exact flow of all rendered surfaces from every frame to a source frame,
            which is given by its index; negative ones count from the end.
    """

    frames_uint8: np.ndarray
    foregrounds: np.ndarray
    motion: Motion
    keypoints: Tensor
    flow: Callable[[int], TrueFlow] = field(repr=False)


def render_clip(request: ClipRequest, body: AnnyBody) -> RenderedClip:
    """Render a clip; the same request gives the same bytes on the same machine.

    Args:
        request: what to render.
        body: the shipped body.
    """
    streams = [np.random.default_rng([request.seed, kind]) for kind in range(3)]
    person = random_person(body, streams[0], strands=_STRANDS)
    moves = request.motion or random_motion
    rig = stand_up(person.figure.rest, person.figure.joints)
    rotations, pelvis = moves(rig, streams[1], request.frames, request.fps)
    return render_motion(
        person, rotations, in_scene(pelvis, sole_height(person)), request, streams[2]
    )


def in_scene(pelvis: np.ndarray, sole: float = SOLE) -> np.ndarray:
    """Return ``t 3`` pelvis positions in camera axes above a floor at y = 0.

    Args:
        pelvis: ``t 3`` as `moves.rig.perform` gives them, for bare feet.
        sole: metres by which shoes raise the feet.
    """
    return pelvis * TO_CAMERA - [0, sole, 0]


def render_motion(
    person: Person,
    rotations: np.ndarray,
    pelvis: np.ndarray,
    request: ClipRequest,
    random: np.random.Generator,
) -> RenderedClip:
    """Render a given person in a given motion.

    Args:
        person: who.
        rotations: ``t 24 3 3`` local rotations in camera axes.
        pelvis: ``t 3`` in the scene, see `in_scene`.
        request: size, fps and background.
        random: decides camera, place and grain.
    """
    size = (request.size, request.size)
    middle = (pelvis.min(axis=0) + pelvis.max(axis=0)) / 2
    pelvis = pelvis - middle * [1, 0, 1]
    joints = pose(person.figure, rotations)[..., 3] + pelvis[:, None]
    camera = frame_view(random_view(random), size, joints)
    clear = float(joints[..., 2].max()) + 0.3
    place = random_place(random, camera, request.background, clear)
    renderer = Renderer(person, camera, _FINE, place.banks, place.scenery, place.film)
    grain = int(random.integers(1 << 30))
    frames = np.zeros((len(pelvis), *size, 3), np.uint8)
    foregrounds = np.zeros((len(pelvis), *size), np.uint8)
    traces = []
    for start in range(0, len(pelvis), _AT_ONCE):
        some = range(start, min(start + _AT_ONCE, len(pelvis)))
        views = renderer.draw_poses(
            rotations[some.start : some.stop], pelvis[some.start : some.stop]
        )
        renderer.paint(views)
        for index, view in zip(some, views, strict=True):
            picture = renderer.shade(view, grain + index)
            frames[index], foregrounds[index] = picture.frame_uint8, picture.foreground
            traces.append(trace(view.drawn))
    figure, drawn = person.figure, [one.drawn for one in traces]
    truth = find_body(figure.body, figure.shape, rotations, pelvis, renderer.camera, drawn)
    motion = _motion(person, rotations, truth, size, request.fps)
    keypoints = torch.from_numpy(truth.keypoints).float()
    flow = partial(true_flow, renderer.model, traces, size)
    return RenderedClip(frames, foregrounds, motion, keypoints, flow)


def _motion(
    person: Person,
    rotations: np.ndarray,
    truth: BodyTruth,
    size: tuple[int, int],
    fps: Fraction,
) -> Motion:
    seen = rotations.copy()
    seen[:, 0] = truth.orientation
    return Motion(
        rotations=torch.from_numpy(seen).float(),
        scale=torch.from_numpy(truth.scale).float(),
        translation=torch.from_numpy(truth.translation).float(),
        shape=torch.from_numpy(np.asarray(person.figure.shape)).float(),
        flagged=torch.zeros(len(rotations), dtype=torch.bool),
        size=size,
        fps=fps,
        body=person.figure.body.name,
    )
