"""Hair as strands that grow from the scalp: loose or tied hair, brows and lashes."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from bdmm.body.model import PART_NAMES
from bdmm.records import BONE_NAMES
from bdmm_synth.figure import Figure, unit
from bdmm_synth.noise import solid, step
from bdmm_synth.people.skin import Face, find_face


@dataclass(frozen=True)
class Haircut:
    """How hair grows; lengths in metres.

    Attributes:
        count: number of strands.
        points: points along each.
        top, sides: length on the crown and around the ears.
        comb: direction (x, y, z) in which it is combed on the top.
        lift: how steeply it leaves the scalp, 0 flat to 1 upright.
        weight: how strongly gravity bends it, per metre.
        curl: amplitude of waves.
        parting: x of the parting; strands are combed away from it by ``part``.
        part: strength of the parting.
        over: metres that it lies over the shoulders, for the clothes under it.
        volume: metres that the outermost strands stay off the head.
        line: metres by which the hairline lies above (positive) the usual one.
    """

    count: int
    points: int
    top: float
    sides: float
    comb: tuple[float, float, float]
    lift: float
    weight: float
    curl: float
    parting: float
    part: float
    line: float
    volume: float
    over: float = 0.015


@dataclass(frozen=True)
class Hair:
    """Strands in the identity pose.

    Attributes:
        strands: ``n p 3`` points from root to tip, metres.
        tone: ``n`` factors on the colour.
        weights: ``n p 24`` skinning weights; None where all hangs on the head bone.
    """

    strands: np.ndarray
    tone: np.ndarray
    weights: np.ndarray | None = None


def growth(figure: Figure, points: np.ndarray, cut: Haircut) -> np.ndarray:
    """Return how densely hair grows at points of the head's skin, in [0, 1]."""
    dense = np.zeros(len(points))
    eye = find_face(figure).eyes[0]
    high = np.flatnonzero(points[:, 1] < eye[1] + 0.13)
    dense[high] = _growth(figure, points[high], cut, eye)
    return dense


def _growth(figure: Figure, points: np.ndarray, cut: Haircut, eye: np.ndarray) -> np.ndarray:
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    up = eye[1] - y
    back = z - eye[2]
    # The hairline: over the forehead, down before the ear, around it, and across the nape.
    recess = 0.008 * np.exp(-(((x - 0.045) / 0.016) ** 2))
    forehead = 0.064 + cut.line + recess - 2.5 * (x - 0.060).clip(0)
    temple = 0.062 - 0.95 * (back - 0.045).clip(0)
    nape = -0.055 - 0.30 * (back - 0.11)
    line = np.where(back < 0.045, forehead, np.maximum(np.minimum(forehead, temple), nape))
    rough = 0.004 * solid(points * 160) + 0.003 * solid(points * 60)
    dense = step(-0.006, 0.008, up - line + rough)
    ear = figure.rest[figure.parts == PART_NAMES.index("ears")]
    middle = np.abs(ear[ear[:, 0] > 0]).mean(axis=0) * [1, -1, 1]
    middle[2] = ear[ear[:, 0] > 0][:, 2].mean()
    around = np.hypot((y - middle[1]) / 0.034, (z - middle[2]) / 0.020)
    dense *= np.where(x > 0.055, step(0.95, 1.15, around), 1)
    return dense


def grow(figure: Figure, cut: Haircut, seed: int = 0) -> Hair:
    """Grow a haircut on a figure."""
    random = np.random.default_rng(seed)
    roots, normals = scatter_roots(figure, cut, random)
    face = find_face(figure)
    crown = step(-0.01, 0.07, face.eyes[0][1] - roots[:, 1] - 0.015)
    length = (cut.sides + (cut.top - cut.sides) * crown) * random.uniform(0.75, 1.08, len(roots))
    aside = np.sign(roots[:, 0] - cut.parting)[:, None] * np.array([1.0, 0.25, 0])
    comb = np.array(cut.comb) + cut.part * aside
    swirl = np.column_stack([solid(roots * 28), solid(roots * 28 + 40), solid(roots * 28 + 80)])
    comb = unit(comb + 0.35 * swirl + 0.12 * random.normal(size=roots.shape))
    comb = unit(comb - (comb * normals).sum(-1, keepdims=True) * normals)
    lift = cut.lift * (0.35 + 0.65 * crown)[:, None]
    heading = unit(comb * (1 - lift) + normals * lift)
    head = head_surface(figure)
    neck = figure.joints[BONE_NAMES.index("neck")]
    clump = np.column_stack(
        [solid(roots * 120 + 7), solid(roots * 120 + 31), solid(roots * 120 + 53)]
    )
    phase = 4 * np.column_stack([solid(roots * 45 + k) for k in (3, 60, 90)])
    layer = cut.volume * (0.3 + 0.7 * crown) * random.random(len(roots)) ** 0.7
    points = [roots]
    step_length = (length / (cut.points - 1))[:, None]
    for index in range(1, cut.points):
        part = index / (cut.points - 1)
        fall = cut.weight * length[:, None] * part * np.array([0, 1.0, 0])
        wave = 0.6 * cut.curl * np.sin(part * 9 + 6 * clump + phase) * [1, 0.5, 1]
        wave = wave * min(1.0, 0.25 + 2 * part)
        wave[:, 1] = np.maximum(wave[:, 1], -0.5 * lift[:, 0])
        inward = np.zeros_like(roots)
        low = step(neck[1] - 0.02, neck[1] + 0.06, points[-1][:, 1])
        inward[:, 0] = -0.9 * low * np.sign(points[-1][:, 0]) * (np.abs(points[-1][:, 0]) > 0.075)
        heading = unit(
            heading
            + (comb * (1 - lift) * 0.25 + fall + inward + wave + 0.25 * clump * part)
            / (cut.points / 6)
        )
        off = 0.0015 + layer * min(part * 3, 1)
        off = off + cut.over * step(neck[1] + 0.03, neck[1] + 0.08, points[-1][:, 1])
        here = _aside(points[-1] + heading * step_length, roots[:, 0] - cut.parting, face)
        points.append(push_out(here, head, off))
        heading = unit(points[-1] - points[-2])
    tone = 0.85 + 0.30 * random.random(len(roots)) + 0.12 * solid(roots * 70)
    strands = np.stack(points, axis=1)
    return Hair(strands, tone, hanging(figure, strands))


def hanging(figure: Figure, strands: np.ndarray) -> np.ndarray | None:
    """Return ``n p 24`` skinning weights: on the head, below the neck on neck and back.

    None where nothing hangs so low.
    """
    neck = figure.joints[BONE_NAMES.index("neck"), 1]
    low = step(neck - 0.04, neck + 0.10, strands[..., 1])
    if not low.max() > 0:
        return None
    weights = np.zeros((*strands.shape[:2], len(BONE_NAMES)), np.float32)
    weights[..., BONE_NAMES.index("head")] = 1 - low
    weights[..., BONE_NAMES.index("neck")] = 0.3 * low
    weights[..., BONE_NAMES.index("spine3")] = 0.7 * low
    return weights


def _aside(points: np.ndarray, side: np.ndarray, face: Face) -> np.ndarray:
    """Move long hair that hangs before the face to its sides."""
    eye = face.eyes[0]
    front = step(eye[2] + 0.065, eye[2] + 0.03, points[:, 2])
    need = 0.066 * front * step(eye[1] - 0.055, eye[1] - 0.02, points[:, 1])
    x = np.where(side < 0, np.minimum(points[:, 0], -need), np.maximum(points[:, 0], need))
    x = np.where(need > 1e-4, x, points[:, 0])
    z = np.maximum(points[:, 2], eye[2] + 0.02 - 0.2 * (1 - need / 0.066))
    return np.column_stack([x, points[:, 1], z])


def brows(figure: Figure, thick: float) -> Hair:
    """Grow eyebrows."""
    random = np.random.default_rng(1)
    face = find_face(figure)
    strands = []
    for eye, sign in zip(face.eyes, (1, -1), strict=True):
        count = int(170 * thick)
        s = random.beta(1.3, 1.5, count)
        x = np.abs(eye[0]) - 0.019 + 0.045 * s
        arch = 0.0152 + 0.0048 * np.sin(np.pi * 0.85 * s**0.9)
        tall = 0.0032 * (1 - s) ** 0.6 + 0.0010
        y = eye[1] - arch + tall * (random.random(count) - 0.5) * 2 * min(thick, 1.2)
        lay = np.stack([0.35 + 0.8 * s, -0.75 + 1.1 * s, np.zeros(count)], axis=-1)
        strands.append(
            _lay(figure, np.stack([x * sign, y], -1), lay * [sign, 1, 1], 0.0075, random)
        )
    both = np.concatenate(strands)
    return Hair(both, 0.75 + 0.4 * random.random(len(both)))


def lashes(figure: Figure, long: float) -> Hair:
    """Grow upper lashes of length ``long`` along the rims of the lids, and a faint lower row."""
    random = np.random.default_rng(2)
    face = find_face(figure)
    of_eye = figure.body.face_parts.numpy() == PART_NAMES.index("eyes")
    shared = np.intersect1d(figure.faces[of_eye], figure.faces[~of_eye])
    part = np.linspace(0, 1, 5)[None, :, None]
    strands = []
    for eye in face.eyes:
        rim = figure.rest[shared]
        rim = rim[np.abs(rim[:, 0] - eye[0]) < 1.3 * face.radius]
        for upper, count, size in ((True, 110, long), (False, 40, 0.45 * long)):
            x = eye[0] + face.radius * random.uniform(-0.86, 0.90, count)
            root = np.array([_rim_point(rim, eye, value, upper) for value in x])
            out = (x - eye[0]) / face.radius
            rise = np.full(count, -0.55 if upper else 0.6)
            direction = unit(np.column_stack([0.8 * out, rise, np.full(count, -0.8)]))
            curve = direction[:, None] * part * size
            curve[..., 1] -= (0.35 if upper else -0.1) * size * part[..., 0] ** 2
            strands.append(root[:, None] + curve - [0, 0, 0.001])
    both = np.concatenate(strands)
    return Hair(both, np.full(len(both), 0.5))


def _rim_point(rim: np.ndarray, eye: np.ndarray, x: float, upper: bool) -> np.ndarray:
    """Return the point of a lid's edge at ``x``, between the two nearest vertices."""
    half = rim[(rim[:, 1] < eye[1]) == upper]
    half = half[np.argsort(half[:, 0])]
    return np.array([x, *(np.interp(x, half[:, 0], half[:, k]) for k in (1, 2))])


def _lay(
    figure: Figure, roots: np.ndarray, along: np.ndarray, length: float, random: np.random.Generator
) -> np.ndarray:
    """Lay short strands on the front of the face, starting at (x, y)."""
    face = figure.rest[:, 2] < figure.joints[BONE_NAMES.index("head"), 2]
    face &= figure.rest[:, 1] < figure.joints[BONE_NAMES.index("head"), 1]
    face &= figure.parts != PART_NAMES.index("eyes")
    tree = KDTree(figure.rest[face][:, :2])
    surface, normals = figure.rest[face], figure.normals[face]
    points = []
    direction = unit(along + 0.18 * random.normal(size=along.shape) * [1, 1, 0])
    size = length * random.uniform(0.6, 1.1, (len(roots), 1))
    for part in np.linspace(0, 1, 6):
        place = roots + direction[:, :2] * size * part
        _, index = tree.query(place, k=6)
        weight = 1 / (np.linalg.norm(surface[index][..., :2] - place[:, None], axis=-1) + 1e-4)
        weight /= weight.sum(axis=1, keepdims=True)
        base, normal = (
            np.einsum("nk,nki->ni", weight, values[index]) for values in (surface, normals)
        )
        slope = ((place - base[:, :2]) * normal[:, :2]).sum(-1) / np.minimum(normal[:, 2], -0.3)
        z = base[:, 2] - slope
        points.append(np.column_stack([place, z - 0.0008 - 0.0015 * np.sin(np.pi * part)]))
    return np.stack(points, axis=1)


def scatter_roots(
    figure: Figure, cut: Haircut, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Scatter roots over the skin of the head, as densely as hair grows."""
    of_head = figure.weights[:, BONE_NAMES.index("head")] > 0.3
    of_head |= figure.weights[:, BONE_NAMES.index("neck")] > 0.3
    of_head &= ~np.isin(
        figure.parts, [PART_NAMES.index(name) for name in ("eyes", "mouth", "lips", "ears")]
    )
    faces = figure.faces[of_head[figure.faces].all(axis=1)]
    a, b, c = (figure.rest[faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    area = area * (growth(figure, (a + b + c) / 3, cut) + 1e-3 > 0.01)
    chosen = random.choice(len(faces), 3 * cut.count, p=area / area.sum())
    share = random.dirichlet((1, 1, 1), 3 * cut.count)
    roots = np.einsum("nk,nki->ni", share, figure.rest[faces[chosen]])
    normals = unit(np.einsum("nk,nki->ni", share, figure.normals[faces[chosen]]))
    keep = growth(figure, roots, cut) > random.random(len(roots))
    return roots[keep][: cut.count], normals[keep][: cut.count]


def head_surface(figure: Figure) -> tuple[KDTree, np.ndarray, np.ndarray]:
    """Return head and shoulders: a tree of their vertices, the vertices, their normals."""
    above = figure.rest[:, 1] < figure.joints[BONE_NAMES.index("left_shoulder"), 1] + 0.12
    above &= np.abs(figure.rest[:, 0]) < 0.2
    return KDTree(figure.rest[above]), figure.rest[above], figure.normals[above]


def push_out(points: np.ndarray, head: tuple, clearance: np.ndarray) -> np.ndarray:
    """Move points (``n 3``) so far out of the head that they clear it by ``n`` metres."""
    tree, surface, normals = head
    _, index = tree.query(points, eps=0.4)
    off = ((points - surface[index]) * normals[index]).sum(-1)
    return points + np.clip(clearance - off, 0, 0.03)[:, None] * normals[index]


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
