"""The person's silhouette: residuals that fit a body to it, a cleaned foreground."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import KDTree
from torch import Tensor

from bdmm.kernels.warp import warp
from bdmm.perception.gauss_newton import Residuals, robust_weight
from bdmm.perception.pose import Silhouette

CONTOUR_POINTS = 160
"""One for every two to three pixels of the outline of a person 160 pixels tall."""
OUTSIDE_SIGMA = 10.0
"""Pixels outside the silhouette at which the robust loss of a vertex is half its limit."""
CONTOUR_SIGMA = 6.0
"""The same for a contour point far from the body: hair, clothes and held things stay unfilled."""


def spread_vertices(vertices: Float[Tensor, "v 3"], spacing: float = 0.04) -> Int[Tensor, "p"]:
    """Return indices of vertices about ``spacing`` metres apart: one for each cube that has any."""
    cubes = (vertices / spacing).floor().long()
    cubes = cubes - cubes.min(0).values
    sides = cubes.max(0).values + 1
    keys = (cubes[:, 0] * sides[1] + cubes[:, 1]) * sides[2] + cubes[:, 2]
    order = torch.arange(len(vertices) - 1, -1, -1, device=vertices.device)
    first = torch.full((int(keys.max()) + 1,), -1, device=vertices.device)
    first[keys[order]] = order
    return first[first >= 0]


class SilhouetteTerm:
    """Residuals of projected vertices against the silhouettes of some frames.

    Args:
        silhouettes: of ``m`` frames.
        origin: (x, y) pixels of the frame at zero of the fit's coordinates.
        unit: pixels of the frame per pixel of the fit.
    """

    def __init__(
        self, silhouettes: Sequence[Silhouette], origin: Float[Tensor, "2"], unit: float
    ) -> None:
        fields, contours = [], []
        size = max(max(one.foreground.shape) for one in silhouettes)
        for one in silhouettes:
            inside = (one.foreground[0].cpu().numpy() > 0.5).astype(np.uint8)
            pad = ((0, size - inside.shape[0]), (0, size - inside.shape[1]))
            inside = np.pad(inside, pad)
            distance = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
            fields.append(torch.from_numpy(distance) / (one.scale * unit))
            points = torch.from_numpy(_contour(inside)) / one.scale
            contours.append((points + torch.tensor(one.origin) - origin) / unit)
        self.size = size
        self.fields = torch.stack(fields)[:, None]
        self.contours = torch.stack(contours)
        scales = torch.tensor([one.scale for one in silhouettes])
        self.scale = scales * unit
        self.shift = (origin - torch.tensor([one.origin for one in silhouettes])) * scales[:, None]

    def residuals(
        self, points: Float[Tensor, "m p 2"], coordinates: Int[Tensor, "m p 2"]
    ) -> tuple[Residuals, Residuals]:
        """Return how far vertices lie outside, and contour points from the nearest vertex.

        Each frame's robust squares have a mean over its vertices and one over its contour.

        Args:
            points: projected vertices in pixels of the fit.
            coordinates: their numbers.
        """
        distance, direction = self._outside(points)
        weight = robust_weight(distance.square(), OUTSIDE_SIGMA) / points.shape[1]
        there = distance > 0
        outside = Residuals(coordinates[there], direction[there], distance[there], weight[there])
        nearest = self._nearest(points)[..., None].expand(-1, -1, 2)
        gap = points.gather(1, nearest) - self.contours
        weight = robust_weight(gap.square().sum(-1, keepdim=True), CONTOUR_SIGMA) / CONTOUR_POINTS
        numbers = coordinates.gather(1, nearest)
        return outside, Residuals.single(numbers, gap, weight.expand_as(gap))

    def _outside(
        self, points: Float[Tensor, "m p 2"]
    ) -> tuple[Float[Tensor, "m p"], Float[Tensor, "m p 2"]]:
        """Return distances from the silhouettes, 0 inside, and their gradients."""
        with torch.enable_grad():
            points = points.detach().requires_grad_()
            cropped = points * self.scale[:, None, None] + self.shift[:, None]
            rim = 1 - 1 / self.size  # the centre of the last pixel: beyond it the field goes on
            grid = (cropped * (2 / self.size) - 1).clamp(-rim, rim)
            distance = warp(self.fields, grid[:, :, None])[:, 0, :, 0]
            (gradient,) = torch.autograd.grad(distance.sum(), points)
        return distance.detach(), gradient

    def _nearest(self, points: Float[Tensor, "m p 2"]) -> Int[Tensor, "m q"]:
        """Return the vertex nearest to each contour point."""
        frames = zip(self.contours.numpy(), searchable(points), strict=True)
        return torch.from_numpy(np.stack([tree.query(contour)[1] for contour, tree in frames]))


def searchable(points: Float[Tensor, "m p 2"]) -> Iterator[KDTree]:
    """Yield what finds the nearest of each frame's points; points that are no numbers lie at 0."""
    for frame in points.detach().nan_to_num().numpy():
        yield KDTree(frame, compact_nodes=False, balanced_tree=False)


def _contour(inside: np.ndarray) -> np.ndarray:
    """Return evenly spread points on the largest piece's rim, ``p 2`` (x, y) in pixels."""
    found, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not found:
        return np.zeros((CONTOUR_POINTS, 2), np.float32)
    longest = max(found, key=len)[:, 0].astype(np.float32) + 0.5
    return longest[np.linspace(0, len(longest) - 1, CONTOUR_POINTS).round().astype(int)]


FADE = (0.3, 0.8)
"""The estimator's values that become 0 and 1: its rim reaches a pixel into the surroundings."""
PINHOLE = 0.002
"""Holes up to this share of the person's area are closed."""


def clean_foreground(soft: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Drop islands, close pinholes and tighten the rim."""
    piece = largest_piece(soft > 0.5)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    near = cv2.dilate(piece.astype(np.uint8), disc) > 0
    holes = piece & (soft <= 0.5)
    low, high = FADE
    tight = ((soft - low) / (high - low)).clip(0, 1)
    return np.where(holes, 1.0, np.where(near, tight, 0.0)).astype(np.float32)


def largest_piece(inside: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Return the largest connected piece, its pinholes closed."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8))
    if count < 2:
        return inside
    piece = pieces == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    count, pieces, stats, _ = cv2.connectedComponentsWithStats((~piece).astype(np.uint8))
    most = max(4.0, PINHOLE * float(piece.sum()))
    pinholes = [hole for hole in range(1, count) if stats[hole, cv2.CC_STAT_AREA] < most]
    return piece | np.isin(pieces, pinholes)
