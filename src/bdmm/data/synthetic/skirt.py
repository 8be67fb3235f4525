"""A flared skirt: rings around hips and legs, with soft pleats."""

from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import ConvexHull, KDTree

from bdmm.data.synthetic.camera import Camera, Seen
from bdmm.data.synthetic.cloth import of_bones
from bdmm.data.synthetic.geometry import Figure, Layer
from bdmm.data.synthetic.light import Surface
from bdmm.data.synthetic.noise import layered, solid, step
from bdmm.data.synthetic.relief import Relief
from bdmm.records import BONE_NAMES

_ROWS = 70
_AROUND = 180
_DOTS = 30


def skirt(figure: Figure, waist: float, hem: float, flare: float) -> Layer:
    """Cut a skirt.

    Args:
        figure: who wears it.
        waist: metres above the pelvis joint.
        hem: metres below it.
        flare: metres that the hem stands off more than the hips.

    Coordinates: rest position, sine and cosine of the angle, metres from the hem and from the
    waist.
    """
    height = np.linspace(-waist, hem, _ROWS)
    turn = np.arange(_AROUND) / _AROUND * 2 * np.pi
    outward = np.stack([np.sin(turn), -np.cos(turn)], axis=-1)
    arm = sum(
        of_bones(figure, ("shoulder", "elbow", "wrist", "hand"), side) for side in ("left", "right")
    )
    body = figure.rest[np.asarray(arm) < 0.1]
    radius = np.stack([_support(body, level, outward) for level in height])
    radius = np.maximum.accumulate(gaussian_filter1d(radius, 1.5, axis=0), axis=0)
    down = ((height + waist) / (hem + waist))[:, None]
    radius = radius + 0.014 + 0.009 * down + flare * down**1.4
    grid = np.stack(
        np.broadcast_arrays(np.cos(turn) * 1.3, height[:, None] * 0.6, np.sin(turn) * 1.3), -1
    )
    drift = solid(grid.reshape(-1, 3) * 1.6).reshape(_ROWS, _AROUND)
    pleats = np.cos(turn * 15 + 2.4 * drift) * 0.6 + np.cos(turn * 26 + 5 * drift) * 0.25
    radius += 0.020 * pleats * step(0.05, 1.0, down)
    rest = np.stack(
        np.broadcast_arrays(radius * outward[:, 0], height[:, None], radius * outward[:, 1]), -1
    ).reshape(-1, 3)
    rest[:, 2] += _middle(body)
    index = np.arange(_ROWS * _AROUND).reshape(_ROWS, _AROUND)
    a, b = index[:-1], index[1:]
    c, d = np.roll(b, -1, axis=1), np.roll(a, -1, axis=1)
    faces = np.stack([a, d, c, a, c, b], axis=-1).reshape(-1, 3)
    p, q, r = (rest[faces[_AROUND, k]] for k in range(3))
    if np.cross(q - p, r - p) @ (p * [1, 0, 1]) < 0:
        faces = faces[:, ::-1].copy()
    weights = np.zeros((len(rest), len(BONE_NAMES)))
    legs = 0.88 * step(0.0, 0.24, rest[:, 1])
    left = step(-0.13, 0.13, rest[:, 0])
    weights[:, BONE_NAMES.index("left_hip")] = legs * left
    weights[:, BONE_NAMES.index("right_hip")] = legs * (1 - left)
    weights[:, 0] = 1 - legs
    # From the hips up it moves with the body under it, so that it and the top stay together.
    trunk = np.flatnonzero(np.asarray(arm) < 0.1)
    _, near = KDTree(figure.rest[trunk]).query(rest, k=12)
    own = figure.weights[trunk][near].mean(axis=1)
    part = step(0.05, -0.02, rest[:, 1])[:, None]
    weights = weights * (1 - part) + own * part
    inside = np.minimum(hem - rest[:, 1], rest[:, 1] + waist) + 1e-4
    turned = np.tile(turn, _ROWS)
    coords = np.column_stack(
        [rest, np.sin(turned), np.cos(turned), hem - rest[:, 1], rest[:, 1] + waist]
    )
    return Layer("skirt", rest, faces, weights, coords, inside)


def _middle(body: np.ndarray) -> float:
    near = body[np.abs(body[:, 1]) < 0.05]
    return float((near[:, 2].min() + near[:, 2].max()) / 2)


def _support(body: np.ndarray, level: float, outward: np.ndarray) -> np.ndarray:
    """Return how far the hull of a slice of the body reaches in each direction."""
    piece = body[np.abs(body[:, 1] - level) < 0.03][:, [0, 2]] - [0, _middle(body)]
    hull = piece[ConvexHull(piece).vertices]
    ring = np.concatenate([hull, hull[:1]])
    reach = np.zeros(len(outward))
    for start, end in pairwise(ring):
        # Where the ray along `outward` crosses this edge of the hull.
        edge = end - start
        across = outward[:, 0] * edge[1] - outward[:, 1] * edge[0]
        across = np.where(np.abs(across) < 1e-9, 1e-9, across)
        distance = (start[0] * edge[1] - start[1] * edge[0]) / across
        along = (start[0] * outward[:, 1] - start[1] * outward[:, 0]) / across
        reach = np.where((along >= -1e-6) & (along <= 1 + 1e-6), np.maximum(reach, distance), reach)
    return reach


def paint_skirt(seen: Seen, camera: Camera, base: tuple, dots: tuple) -> Surface:
    """Colour a skirt: dots in offset rows, a stitched hem, a waistband."""
    rest, sine, cosine, hem, top = seen.coords[:, :3], *seen.coords[:, 3:7].T
    turn = np.arctan2(sine, cosine)
    radius = rest[:, 0] * sine - rest[:, 2] * cosine
    row = np.floor(hem / 0.046)
    column = turn / (2 * np.pi) * _DOTS + 0.5 * (row % 2)
    gap = np.hypot(
        (column - np.round(column)) * 2 * np.pi / _DOTS * radius, (hem / 0.046 - row - 0.5) * 0.046
    )
    size = 0.0062 + 0.0035 * step(0.13, 0.26, radius)
    band = step(-0.001, 0.001, top - 0.030)
    spot = step(1.0, 0.90, gap / size) * (hem > 0.028) * band
    tone = np.array(base) * (1 - spot)[:, None] + np.array(dots) * spot[:, None]
    tone = tone * (0.75 + 0.25 * band)[:, None]
    ends = np.exp(-(((hem - 0.020) / 0.0010) ** 2)) + np.exp(-(((top - 0.030) / 0.0009) ** 2))
    tone = tone * (1 - 0.3 * ends + 0.05 * layered(rest * 30, 2))[:, None]
    tone = np.where(seen.back[:, None], tone * 0.45, tone)
    height = (
        0.0010 * step(0, 0.003, hem)
        - 0.0014 * band
        - 0.0006 * ends
        + 0.001 * layered(rest * [30, 12, 30], 2)
    )
    count = len(hem)
    return Surface(
        tone.clip(0.005, 0.9), Relief(camera, seen).bump(height), np.full(count, 0.7),
        np.full(count, 0.03), np.full(count, 0.25), np.full((count, 3), 0.10),
    )  # fmt: skip
