"""Point tracks: points on the person tracked by optical flow, and their residuals in a fit.

A detector's keypoints are off by about two pixels, and by much the same in the next frames. Point
tracks move with the surface and measure how one pose differs from another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from scipy.spatial import KDTree
from torch import Tensor

from bdmm.perception.gauss_newton import Residuals, robust_weight
from bdmm.perception.pose import FrameArray, PackedTracks, PointTrack, Silhouette
from bdmm.perception.silhouette import searchable
from bdmm.perception.tracking import Square, crop

SIDE = 224
"""Pixels along the side of the square views between which flow is computed."""
SPACING = 9
"""Pixels of a view between points."""
EVERY = 4
"""New points start in every N-th frame."""
REACHES = (2, 4, 8, 16)
"""Frames after its start at which a track gives a correspondence."""
RETURN = 0.5
"""Forward-backward error in pixels of a view from which a point is lost."""
FEWEST = 6
"""Points that a correspondence must have to be kept."""


@dataclass(frozen=True)
class _View:
    """The square around the person; pixel (x, y) of the frame is at ``scale * (x, y) + shift``."""

    frame: int
    grey: UInt8[np.ndarray, "h w"]
    inside: Bool[np.ndarray, "h w"]
    scale: float
    shift: Float[np.ndarray, "2"]

    def holds(self, points: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
        """Tell which positions in the frame lie on the person, away from the silhouette's rim."""
        cells = np.floor(points * self.scale + self.shift).astype(int)
        within = ((cells >= 0) & (cells < SIDE)).all(axis=1)
        column, row = cells.clip(0, SIDE - 1).T
        return within & self.inside[row, column]


@dataclass
class _Group:
    """Points that started in one frame, where they are now, and which are still tracked.

    Attributes:
        stored: ``start`` as its tracks store it.
    """

    frame: int
    stored: Float[np.ndarray, "n 2"]
    start: Float[np.ndarray, "n 2"]
    now: Float[np.ndarray, "n 2"]
    held: Bool[np.ndarray, "n"]


class PointTracker:
    """Tracks points through a clip, given frame by frame, in memory for two frames."""

    def __init__(self) -> None:
        self.point_tracks = PackedTracks()
        # The medium preset's finest scale with fewer iterations: hardly less accurate, much faster.
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._flow.setFinestScale(1)
        self._flow.setVariationalRefinementIterations(2)
        self._last: _View | None = None
        self._groups: list[_Group] = []

    def step(self, frame: FrameArray, silhouette: Silhouette) -> None:
        """Advance to a frame; after skipped frames all points are lost."""
        view = _square_view(frame, silhouette)
        if self._last is None or self._last.frame != view.frame - 1:
            self._groups = []
        elif self._groups:
            self._advance(self._last, view)
        if view.frame % EVERY == 0:
            points = _new_points(view)
            held = np.ones(len(points), bool)
            self._groups.append(
                _Group(view.frame, points.astype(np.float32), points, points.copy(), held)
            )
        self._last = view

    def _advance(self, before: _View, view: _View) -> None:
        there = _in_square_of(view, before)
        onward = self._flow.calc(before.grey, there, np.zeros((SIDE, SIDE, 2), np.float32))
        back = self._flow.calc(there, before.grey, np.zeros((SIDE, SIDE, 2), np.float32))
        for group in self._groups:
            positions = group.now * before.scale + before.shift
            step = _sample(onward, positions)
            error = step + _sample(back, positions + step)
            group.now = group.now + step / before.scale
            group.held &= np.linalg.norm(error, axis=1) < RETURN
            group.held &= view.holds(group.now)
            self._record(group, view.frame)
        self._groups = [one for one in self._groups if view.frame - one.frame < max(REACHES)]

    def _record(self, group: _Group, frame: int) -> None:
        if frame - group.frame in REACHES and group.held.sum() >= FEWEST:
            moved = (group.now - group.start)[group.held]
            self.point_tracks.append((group.frame, frame), group.stored, group.held, moved)


def _square_view(frame: FrameArray, silhouette: Silhouette) -> _View:
    (x, y), across = silhouette.origin, silhouette.foreground.shape[-1] / silhouette.scale
    part = Square(round(x), round(y), max(round(across), 1))
    square = crop(frame, part, SIDE)
    square = cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    scale = SIDE / part.side
    inside = (silhouette.foreground[0].numpy() > 0.5).astype(np.uint8)
    inside = cv2.erode(inside, np.ones((3, 3), np.uint8))
    inside = cv2.resize(inside, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) > 0
    shift = -scale * np.array([part.x, part.y], float)
    return _View(silhouette.frame, cv2.cvtColor(square, cv2.COLOR_RGB2GRAY), inside, scale, shift)


def _in_square_of(view: _View, other: _View) -> UInt8[np.ndarray, "h w"]:
    """Return a view resampled to another's square."""
    zoom = other.scale / view.scale
    matrix = np.array([[zoom, 0, 0], [0, zoom, 0]])
    matrix[:, 2] = other.shift - zoom * view.shift + 0.5 * zoom - 0.5
    return cv2.warpAffine(view.grey, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)


def _new_points(view: _View) -> Float[np.ndarray, "n 2"]:
    rows, columns = np.mgrid[SPACING // 2 : SIDE : SPACING, SPACING // 2 : SIDE : SPACING]
    points = (np.stack([columns.ravel(), rows.ravel()], axis=1) + 0.5 - view.shift) / view.scale
    return points[view.holds(points)]


def _sample(
    field: Float[np.ndarray, "h w 2"], positions: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n 2"]:
    if len(positions) == 0:
        return np.zeros((0, 2))
    x, y = (positions.astype(np.float32) - 0.5).T
    return cv2.remap(field, x[None], y[None], cv2.INTER_LINEAR)[0].astype(np.float64)


SIGMA = 2.0
"""Pixels of the fit at which the robust loss is half its limit: clothes and points slip."""
NEAR = 6.0
"""Pixels of the fit between a point and the vertex that carries it."""


class PointTrackTerm:
    """Residuals: the difference in displacement between tracked points and the body's surface.

    A point is not drawn onto the vertex that carries it; only displacements count.

    Args:
        point_tracks: between frames of the fit.
        origin: (x, y) pixels of the frame at zero of the fit's coordinates.
        unit: pixels of the frame per pixel of the fit.
    """

    def __init__(
        self, point_tracks: Sequence[PointTrack], origin: Float[Tensor, "2"], unit: float
    ) -> None:
        counts = torch.tensor([len(one.points) for one in point_tracks])
        self.start = torch.tensor([one.start for one in point_tracks]).repeat_interleave(counts)
        self.end = torch.tensor([one.end for one in point_tracks]).repeat_interleave(counts)
        self.points = (torch.cat([one.points for one in point_tracks]) - origin) / unit
        self.moved = torch.cat([one.moved for one in point_tracks]) / unit

    def residuals(
        self, vertices: Float[Tensor, "t p 3"], coordinates: Int[Tensor, "t p 3"]
    ) -> Residuals:
        """Return by how much the surface moves otherwise than the tracked points.

        Args:
            vertices: projected vertices (x, y, depth) of all frames in pixels of the fit.
            coordinates: their numbers.
        """
        carriers = self._find_carriers(vertices)
        held = carriers >= 0
        ends, starts = ((frame[held], carriers[held]) for frame in (self.end, self.start))
        gap = (vertices[ends] - vertices[starts])[:, :2] - self.moved[held]
        weight = robust_weight(gap.square().sum(-1, keepdim=True), SIGMA).expand_as(gap)
        numbers = torch.stack((coordinates[ends], coordinates[starts]), dim=-1)[:, :2].flatten(0, 1)
        factors = gap.new_tensor([1.0, -1.0]).expand(len(numbers), 2)
        return Residuals(numbers, factors, gap.flatten(), weight.flatten())

    def _find_carriers(self, vertices: Float[Tensor, "t p 3"]) -> Int[Tensor, "n"]:
        """Return the foremost vertex near each point, -1 where there is none."""
        carriers = torch.full_like(self.start, -1)
        frames = self.start.unique()
        trees = searchable(vertices[frames, :, :2])
        for frame, depth, tree in zip(frames, vertices[frames, :, 2], trees, strict=True):
            chosen = torch.nonzero(self.start == frame)[:, 0]
            points = KDTree(self.points[chosen].numpy())
            pairs = points.sparse_distance_matrix(tree, NEAR, output_type="ndarray")
            point, vertex = torch.from_numpy(pairs["i"]), torch.from_numpy(pairs["j"])
            cost = depth[vertex] + torch.from_numpy(pairs["v"])
            # Written from the hindmost on, so that the foremost one stays.
            order = cost.argsort(descending=True)
            best = np.full(len(chosen), -1)
            best[point[order].numpy()] = vertex[order].numpy()
            carriers[chosen] = torch.from_numpy(best)
        return carriers
