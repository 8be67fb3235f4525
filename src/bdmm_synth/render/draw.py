"""A posed person rasterised into one z-buffer: the face or strand of each sample."""

from dataclasses import dataclass

import numpy as np
import warp as wp

from bdmm_synth.camera import Camera
from bdmm_synth.render import draw_kernels as kernels
from bdmm_synth.render.mesh import Mesh
from bdmm_synth.warp_cpu import array, launch, shared, vectors

EMPTY = kernels.EMPTY
_MARKERS = 0.016
"""Metres between the vertices that stand for the person in rough shadow maps."""


class SkinnedMesh:
    """A merged mesh in the kernels' memory.

    Args:
        mesh: what moves.
    """

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.rest = vectors(mesh.rest)
        self.bones = array(mesh.bones, wp.int32)
        self.shares = array(mesh.shares, wp.float32)
        self.faces = array(mesh.faces, wp.vec3i)
        self.layers = array(mesh.layer, wp.int32)
        self.two_sided = array(mesh.two_sided, wp.int32)
        self.inside = array(mesh.inside, wp.float32)
        self.recede = array(mesh.recede, wp.float32)
        self.segments = array(mesh.segments, wp.vec2i)
        self.growing = array(mesh.segments[mesh.growing], wp.vec2i)
        self.markers = array(_markers(mesh), wp.int32)
        self.tint = vectors(mesh.tint)
        self.solid = slice(0, mesh.first[-1] + len(mesh.coords[-1]))

    def pose(self, frames: np.ndarray) -> wp.array:
        """Return ``v 3`` posed vertices in the scene.

        Args:
            frames: ``24 3 4`` of the bones; see `mesh.bone_frames`.
        """
        columns = array(np.ascontiguousarray(frames.transpose(0, 2, 1)), wp.vec3)
        posed = wp.empty_like(self.rest)
        inputs = [self.rest, self.bones, self.shares, columns, posed]
        launch(kernels.pose_vertices, len(posed), inputs)
        return posed

    def normals(self, posed: wp.array) -> wp.array:
        """Return ``v 3`` outward normals, longer where faces are larger; zeros for hair."""
        normals = wp.zeros_like(posed)
        inputs = [posed, self.faces, normals]
        launch(kernels.add_normals, len(self.faces), inputs)
        return normals


def _markers(mesh: Mesh) -> np.ndarray:
    """Return vertices, dense enough to mark rough shadow maps."""
    on_faces = np.unique(mesh.faces)
    points = np.concatenate([on_faces[mesh.inside[on_faces] > 0], mesh.segments[mesh.growing, 1]])
    cells = np.floor(mesh.rest[points] / _MARKERS).astype(np.int64)
    _, kept = np.unique(cells, axis=0, return_index=True)
    return points[kept].astype(np.int32)


@dataclass(frozen=True)
class Drawn:
    """What a picture's samples show of a person.

    Attributes:
        left, top: the first sample of the person's box, multiples of ``fine``.
        fine: samples along a pixel's side.
        keys: ``h w`` int64, depth in steps * 2**32 + number of face or (beyond the faces) segment;
            `EMPTY` off the person.
        seen: ``v 3`` float32 vertices: x, y in samples of the picture, metres of depth.
    """

    left: int
    top: int
    fine: int
    keys: np.ndarray
    seen: wp.array


def draw(model: SkinnedMesh, posed: wp.array, camera: Camera, fine: int, strand: float) -> Drawn:
    """Draw a posed person.

    Args:
        model: who.
        posed: ``v 3`` vertices in the scene.
        camera: whose size counts samples.
        fine: samples along a pixel's side.
        strand: radius of hair in samples.
    """
    seen = wp.empty_like(posed)
    inputs = [
        posed, wp.mat33(*camera.turn.ravel()), wp.vec3(*camera.position), float(camera.focal),
        wp.vec2(*camera.centre), model.recede, seen,
    ]  # fmt: skip
    launch(kernels.project_vertices, len(posed), inputs)
    left, top, right, bottom = _box(seen.numpy(), camera.size, fine, strand)
    keys = np.full((bottom - top, right - left), EMPTY)
    buffer = shared(keys, wp.int64)
    if keys.size:
        inputs = [seen, model.faces, model.two_sided, model.inside, left, top, buffer]
        launch(kernels.draw_faces, len(model.faces), inputs)
        if len(model.segments):
            inputs = [seen, model.segments, strand, len(model.faces), left, top, buffer]
            launch(kernels.draw_strands, len(model.segments), inputs)
    return Drawn(left, top, fine, keys, seen)


def _box(
    seen: np.ndarray, size: tuple[int, int], fine: int, margin: float
) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what may be seen, at whole pixels."""
    x, y = seen[:, 0], seen[:, 1]
    low = np.floor((np.array([x.min(), y.min()]) - margin) / fine).astype(int) * fine
    high = np.ceil((np.array([x.max(), y.max()]) + margin) / fine).astype(int) * fine
    left, top = np.clip(low, 0, (size[1], size[0]))
    right, bottom = np.clip(high, (left, top), (size[1], size[0]))
    return int(left), int(top), int(right), int(bottom)
