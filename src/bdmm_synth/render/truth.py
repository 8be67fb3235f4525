"""Ground truth of a rendered clip: exact flow, visibility, the body and its keypoints."""

from dataclasses import dataclass

import numpy as np
import torch
import warp as wp
from jaxtyping import Bool, Float
from scipy.spatial import KDTree
from torch import Tensor

from bdmm.body.model import SkinnedBody
from bdmm_synth.camera import Camera
from bdmm_synth.render import truth_kernels as kernels
from bdmm_synth.render.draw import EMPTY, Drawn, SkinnedMesh
from bdmm_synth.render.draw_kernels import DEPTH_STEPS
from bdmm_synth.warp_cpu import filled, launch, shared

_EVERY = 7
"""The weak-perspective camera is fitted to every seventh vertex of the body."""


@dataclass(frozen=True)
class TrueFlow:
    """Where the surface points of every frame lie in one source frame.

    Attributes:
        flow: ``t h w 2`` (dx, dy) in pixels from the target pixel's centre to its surface point in
            the source frame; NaN off the person.
        visible: ``t h w`` whether that point is inside the source frame and seen there.
    """

    flow: Float[Tensor, "t h w 2"]
    visible: Bool[Tensor, "t h w"]


@dataclass(frozen=True)
class Trace:
    """A drawn frame, kept to follow its surface points.

    Attributes:
        drawn: its samples.
        owner: ``h w`` int32: of the box's pixels, the number of the face or segment that is seen
            there; -1 where the person covers less than half of the pixel.
    """

    drawn: Drawn
    owner: np.ndarray


def trace(drawn: Drawn) -> Trace:
    """Keep what the nearest sample of each pixel shows."""
    fine = drawn.fine
    height, width = (side // fine for side in drawn.keys.shape)
    blocks = drawn.keys.reshape(height, fine, width, fine)
    covered = (blocks != EMPTY).sum(axis=(1, 3)) * 2 >= fine * fine
    number = (blocks.min(axis=(1, 3)) & (2**32 - 1)).astype(np.int32)
    return Trace(drawn, np.where(covered, number, np.int32(-1)))


def true_flow(
    model: SkinnedMesh, traces: list[Trace], size: tuple[int, int], source: int
) -> TrueFlow:
    """Follow the surface points of all frames into one of them.

    Args:
        model: who was drawn.
        traces: of each frame.
        size: (height, width) of the frames in pixels.
        source: index of the source frame.
    """
    flow = torch.full((len(traces), *size, 2), torch.nan)
    visible = torch.zeros(len(traces), *size, dtype=torch.bool)
    start = traces[source].drawn
    limit = wp.vec2(float(size[1] * start.fine), float(size[0] * start.fine))
    into = filled(
        kernels.Source,
        keys=shared(start.keys, wp.int64),
        left=start.left,
        top=start.top,
        limit=limit,
        seen=start.seen,
    )
    mesh = filled(kernels.Meshes, faces=model.faces, layers=model.layers, segments=model.segments)
    for index, frame in enumerate(traces):
        drawn, (height, width) = frame.drawn, frame.owner.shape
        left, top = drawn.left // drawn.fine, drawn.top // drawn.fine
        own = np.full((height, width, 2), np.nan, np.float32)
        seen = np.zeros((height, width), bool)
        if frame.owner.size:
            target = filled(
                kernels.Target,
                owner=shared(frame.owner, wp.int32),
                left=left,
                top=top,
                fine=float(drawn.fine),
                seen=drawn.seen,
            )
            inputs = [target, into, mesh, shared(own, wp.vec2), shared(seen, wp.bool)]
            launch(kernels.follow, (height, width), inputs)
        flow[index, top : top + height, left : left + width] = torch.from_numpy(own)
        visible[index, top : top + height, left : left + width] = torch.from_numpy(seen)
    return TrueFlow(flow, visible)


def towards_camera(camera: Camera, pelvis: np.ndarray) -> np.ndarray:
    """Return ``3 3``: the scene's axes -> the axes of a camera that looks straight at the pelvis.

    A weak-perspective camera has no position: a person off the optical axis is seen from the
    side, which only a turn of the body can express.
    """
    ray = camera.turn @ (pelvis - camera.position)
    ray = ray / np.linalg.norm(ray)
    axis = np.cross(ray, [0.0, 0, 1])
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return (np.eye(3) + cross + cross @ cross / (1 + ray[2])) @ camera.turn


def weak_perspective(vertices: np.ndarray, pixels: np.ndarray) -> tuple[float, np.ndarray]:
    """Fit ``pixel = scale * X[:2] + translation`` by least squares.

    Args:
        vertices: ``v 3`` metres in camera axes around the pelvis.
        pixels: ``v 2`` where they are seen.

    Returns:
        Pixels per metre, and ``2`` pixels.
    """
    flat = vertices[:, :2]
    around, towards = flat - flat.mean(axis=0), pixels - pixels.mean(axis=0)
    scale = float((around * towards).sum() / (around**2).sum())
    return scale, pixels.mean(axis=0) - scale * flat.mean(axis=0)


@dataclass(frozen=True)
class BodyTruth:
    """The body under the clothes in all frames of a clip.

    Attributes:
        orientation: ``t 3 3`` rotations of the pelvis in weak-perspective camera axes.
        scale: ``t`` pixels per metre.
        translation: ``t 2`` pixels.
        keypoints: ``t 29 3`` pixels, and 1 where the point is in the frame and not occluded.
    """

    orientation: np.ndarray
    scale: np.ndarray
    translation: np.ndarray
    keypoints: np.ndarray


def find_body(
    body: SkinnedBody,
    shape: np.ndarray,
    rotations: np.ndarray,
    pelvis: np.ndarray,
    camera: Camera,
    drawn: list[Drawn],
) -> BodyTruth:
    """Find the body of a drawn person in camera terms.

    Args:
        body: the body model.
        shape: ``s`` its shape components.
        rotations: ``t 24 3 3`` local rotations in the scene's axes.
        pelvis: ``t 3`` in the scene.
        camera: whose size counts samples.
        drawn: what was seen in each frame.
    """
    components = torch.from_numpy(np.asarray(shape, np.float32))
    local = torch.from_numpy(rotations).float()
    some = torch.arange(0, len(body.weights), _EVERY)
    vertices = body.vertices(components, local, some).double().numpy()
    keypoints = body.keypoints(components, local).double().numpy() + pelvis[:, None]
    # Keypoints lie inside the body: this much of it is in front of them at least.
    rest = body.rest_vertices(components).numpy()
    cover = 0.03 + 1.3 * KDTree(rest).query(body.rest_keypoints(components).numpy())[0]
    turns, scales, translations, found = [], [], [], []
    for index, frame in enumerate(drawn):
        turn = towards_camera(camera, pelvis[index])
        pixels = camera.project(vertices[index] + pelvis[index])[:, :2] / frame.fine
        scale, translation = weak_perspective(vertices[index] @ turn.T, pixels)
        points = camera.project(keypoints[index])
        free = _in_front(points, cover, frame, camera.size)
        turns.append(turn @ rotations[index, 0])
        scales.append(scale)
        translations.append(translation)
        found.append(np.column_stack([points[:, :2] / frame.fine, free]))
    return BodyTruth(*(np.stack(values) for values in (turns, scales, translations, found)))


def _in_front(
    points: np.ndarray, cover: np.ndarray, drawn: Drawn, size: tuple[int, int]
) -> np.ndarray:
    """Return ``k`` 1 where no surface lies further than ``cover`` before a point of the frame."""
    column, row = np.floor(points[:, 0]).astype(int), np.floor(points[:, 1]).astype(int)
    framed = (column >= 0) & (row >= 0) & (column < size[1]) & (row < size[0])
    height, width = drawn.keys.shape
    column, row = column - drawn.left, row - drawn.top
    within = framed & (column >= 0) & (row >= 0) & (column < width) & (row < height)
    depth = np.full(len(points), np.inf)
    keys = drawn.keys[row[within], column[within]]
    depth[within] = np.where(keys == EMPTY, np.inf, (keys >> 32) / DEPTH_STEPS)
    return (framed & (points[:, 2] < depth + cover)).astype(float)
