"""Skirts: rings around hips and legs, with soft pleats."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter1d, map_coordinates
from scipy.spatial import ConvexHull, KDTree

from bdmm.records import BONE_NAMES
from bdmm_synth.figure import Figure, Layer, joint, of_arms
from bdmm_synth.garments.wear import Shell
from bdmm_synth.noise import solid, step


@dataclass(frozen=True)
class SkirtCut:
    """How a skirt is cut; lengths in metres.

    Attributes:
        waist: above the pelvis joint.
        hem: below it.
        flare: how much further than the hips the hem stands off.
        pleats: their depth at the hem.
        number: of pleats.
        rows, around: vertices down and around.
    """

    waist: float
    hem: float
    flare: float
    pleats: float = 0.020
    number: int = 15
    rows: int = 56
    around: int = 168


def skirt(figure: Figure, cut: SkirtCut) -> Shell:
    """Cut a skirt for a body.

    Coordinates: rest position, 0, metres from the waist, metres from the nearer rim.
    """
    height = np.linspace(-cut.waist, cut.hem, cut.rows)
    turn = np.arange(cut.around) / cut.around * 2 * np.pi
    outward = np.stack([np.sin(turn), -np.cos(turn)], axis=-1)
    trunk = np.flatnonzero(of_arms(figure) < 0.1)
    body = figure.rest[trunk]
    radius = np.stack([support(body, level, outward, _middle(body)) for level in height])
    radius = np.maximum.accumulate(gaussian_filter1d(radius, 1.5, axis=0), axis=0)
    down = ((height + cut.waist) / (cut.hem + cut.waist))[:, None]
    radius = radius + 0.014 + 0.009 * down + cut.flare * down**1.4
    radius += cut.pleats * _pleats(height, turn, cut.number) * step(0.05, 1.0, down)
    flat = radius[..., None] * outward
    rest = np.stack(
        np.broadcast_arrays(flat[..., 0], height[:, None], flat[..., 1] + _middle(body)), -1
    ).reshape(-1, 3)
    near = KDTree(body).query(rest, k=12)[1]
    weights = _weights(figure, rest, figure.weights[trunk][near].mean(axis=1))
    inside = np.minimum(cut.hem - rest[:, 1], rest[:, 1] + cut.waist) + 1e-4
    coords = np.column_stack([rest, np.zeros(len(rest)), rest[:, 1] + cut.waist, inside])
    layer = Layer("skirt", rest, _rings(cut, rest), weights, coords, inside)
    under = np.minimum(cut.hem - figure.rest[:, 1], figure.rest[:, 1] + cut.waist)
    cover = np.full(len(figure.rest), -1.0)
    cover[trunk] = under[trunk]
    return Shell(layer, cover, _level(figure, cut, radius, cover))


def _pleats(height: np.ndarray, turn: np.ndarray, number: int) -> np.ndarray:
    grid = np.stack(
        np.broadcast_arrays(np.cos(turn) * 1.3, height[:, None] * 0.6, np.sin(turn) * 1.3), -1
    )
    drift = solid(grid.reshape(-1, 3) * 1.6).reshape(len(height), len(turn))
    second = round(1.75 * number)
    return np.cos(turn * number + 2.4 * drift) * 0.6 + np.cos(turn * second + 5 * drift) * 0.25


def _rings(cut: SkirtCut, rest: np.ndarray) -> np.ndarray:
    index = np.arange(cut.rows * cut.around).reshape(cut.rows, cut.around)
    a, b = index[:-1], index[1:]
    c, d = np.roll(b, -1, axis=1), np.roll(a, -1, axis=1)
    faces = np.stack([a, d, c, a, c, b], axis=-1).reshape(-1, 3)
    p, q, r = (rest[faces[cut.around, k]] for k in range(3))
    return faces if np.cross(q - p, r - p) @ (p * [1, 0, 1]) > 0 else faces[:, ::-1].copy()


def _weights(figure: Figure, rest: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Hang the skirt on thighs and shins, smoothly from left to right; at the top on the body."""
    weights = np.zeros((len(rest), len(BONE_NAMES)))
    knee = joint(figure, "left_knee")[1]
    legs = 0.88 * step(0.0, 0.24, rest[:, 1])
    shins = 0.7 * step(knee - 0.06, knee + 0.26, rest[:, 1])
    left = step(-0.13, 0.13, rest[:, 0])
    for side, part in (("left", left), ("right", 1 - left)):
        weights[:, BONE_NAMES.index(f"{side}_hip")] = legs * part * (1 - shins)
        weights[:, BONE_NAMES.index(f"{side}_knee")] = legs * part * shins
    weights[:, 0] = 1 - legs
    part = step(0.05, -0.02, rest[:, 1])[:, None]
    return weights * (1 - part) + own * part


def _level(figure: Figure, cut: SkirtCut, radius: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Return ``v`` how far the skirt stands off each vertex of the body."""
    x, y, z = figure.rest.T
    z = z - _middle(figure.rest[cover > -1])
    row = (y + cut.waist) / (cut.hem + cut.waist) * (cut.rows - 1)
    column = np.arctan2(x, -z) % (2 * np.pi) / (2 * np.pi) * cut.around
    ring = np.concatenate([radius, radius[:, :1]], axis=1)
    outer = map_coordinates(ring, [row, column], order=1, mode="nearest")
    return np.where(cover > -0.01, np.clip(outer - np.hypot(x, z), 0, 0.05), 0.0)


def _middle(body: np.ndarray) -> float:
    near = body[np.abs(body[:, 1]) < 0.05]
    return float((near[:, 2].min() + near[:, 2].max()) / 2)


def support(body: np.ndarray, level: float, outward: np.ndarray, middle: float) -> np.ndarray:
    """Return how far the hull of a slice of the body reaches in each direction.

    Args:
        body: ``v 3`` points.
        level: y of the slice.
        outward: ``n 2`` directions (x, z).
        middle: z of the point from which the reach is measured; its x is 0.
    """
    piece = body[np.abs(body[:, 1] - level) < 0.03][:, [0, 2]] - [0, middle]
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
