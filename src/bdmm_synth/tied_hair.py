"""Hair tied at the back of the head: combed close to the scalp, then a tail or a bun."""

from dataclasses import dataclass

import numpy as np

from bdmm.body.model import PART_NAMES
from bdmm_synth.geometry import Figure, unit
from bdmm_synth.hair import (
    Hair,
    Haircut,
    hanging,
    head_surface,
    push_out,
    scatter_roots,
)  # fmt: skip
from bdmm_synth.noise import solid
from bdmm_synth.skin import find_face

_ON_SCALP = 9
_BEYOND = 12


@dataclass(frozen=True)
class Knot:
    """Where and how hair is tied; lengths in metres.

    Attributes:
        height: of the knot above the eyes.
        length: of the tail; 0 for a bun.
        bun: radius of the bun.
        off: how far the combed hair stays off the scalp.
    """

    height: float
    length: float
    bun: float = 0.035
    off: float = 0.005


def tie(figure: Figure, cut: Haircut, knot: Knot, seed: int) -> Hair:
    """Grow hair that is tied.

    Args:
        figure: on whose head.
        cut: says where hair grows, and how many strands.
        knot: how it is tied.
        seed: of chance.
    """
    random = np.random.default_rng(seed)
    roots, _ = scatter_roots(figure, cut, random)
    scalp = figure.rest[figure.parts == PART_NAMES.index("scalp")]
    eye = find_face(figure).eyes[0]
    level = eye[1] - knot.height
    near = scalp[np.abs(scalp[:, 1] - level) < 0.02]
    back = np.array([0.0, level, near[:, 2].max() + 0.008])
    centre = np.array([0.0, 0.5 * (scalp[:, 1].min() + scalp[:, 1].max()) + 0.02,
                       0.5 * (scalp[:, 2].min() + scalp[:, 2].max())])  # fmt: skip
    combed = _combed(figure, roots, centre, back, knot.off, random)
    ends = combed[:, -1]
    rest = _tail(figure, ends, knot, random) if knot.length else _bun(ends, back, knot, random)
    strands = np.concatenate([combed, rest], axis=1)
    tone = 0.85 + 0.30 * random.random(len(roots)) + 0.12 * solid(roots * 70)
    return Hair(strands, tone, hanging(figure, strands))


def _combed(
    figure: Figure,
    roots: np.ndarray,
    centre: np.ndarray,
    back: np.ndarray,
    off: float,
    random: np.random.Generator,
) -> np.ndarray:
    """Lead strands from their roots over the scalp to the knot, ``n 9 3``."""
    start, end = unit(roots - centre), unit(back - centre)
    angle = np.arccos(np.clip(start @ end, -0.99, 0.999))[:, None]
    far = np.linalg.norm(roots - centre, axis=1, keepdims=True)
    head = head_surface(figure)
    lift = off * random.uniform(0.3, 1.0, len(roots))
    points = [roots]
    for part in np.linspace(0, 1, _ON_SCALP)[1:]:
        way = (np.sin((1 - part) * angle) * start + np.sin(part * angle) * end) / np.sin(angle)
        reach = far * (1 - part) + np.linalg.norm(back - centre) * part
        spread = 0.010 * random.normal(size=(len(roots), 3)).clip(-1, 1) * part**4
        point = push_out(centre + unit(way) * reach + spread, head, lift)
        points.append(point)
    return np.stack(points, axis=1)


def _tail(figure: Figure, start: np.ndarray, knot: Knot, random: np.random.Generator) -> np.ndarray:
    """Let strands leave the knot backwards and hang down, ``n 12 3``."""
    head = head_surface(figure)
    size = (knot.length * random.uniform(0.75, 1.05, len(start)) / _BEYOND)[:, None]
    aside = random.normal(size=(len(start), 3)).clip(-2, 2) * [1, 0.6, 0.6]
    heading = unit(np.array([0.0, 0.15, 1.0]) + 0.25 * aside)
    clump = np.column_stack([solid(start * 90 + k) for k in (7, 31, 53)])
    points, here = [], start
    for index in range(_BEYOND):
        heading = unit(heading + [0, 0.30, -0.06] + 0.05 * aside * np.exp(-index / 4)
                       + 0.06 * clump)  # fmt: skip
        here = push_out(here + heading * size, head, np.full(len(start), 0.028))
        points.append(here)
    return np.stack(points, axis=1)


def _bun(
    start: np.ndarray, back: np.ndarray, knot: Knot, random: np.random.Generator
) -> np.ndarray:
    """Wind strands around a ball behind the knot, ``n 12 3``."""
    middle = back + np.array([0, 0, 0.75 * knot.bun])
    axis = unit(random.normal(size=(len(start), 3)) + np.array([0, 0, 1.5]))
    first = unit(np.cross(axis, random.normal(size=(len(start), 3))))
    second = np.cross(axis, first)
    turn = np.linspace(0.3, 4.5, _BEYOND)[None, :, None]
    radius = knot.bun * random.uniform(0.8, 1.05, (len(start), 1, 1))
    ring = np.cos(turn) * first[:, None] + np.sin(turn) * second[:, None]
    return middle + radius * (0.92 * ring + 0.25 * axis[:, None])
