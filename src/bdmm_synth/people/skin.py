"""Skin, lips and eyes, painted by the rest position on the body."""

from dataclasses import dataclass

import numpy as np

from bdmm.body.model import PART_NAMES
from bdmm.records import BONE_NAMES
from bdmm_synth.figure import Figure, Layer, Surface, grid_faces, mix, unit
from bdmm_synth.noise import layered, solid, step

_MASKS = ("lips", "ears", "hands", "face")


@dataclass(frozen=True)
class Complexion:
    """Colours of a face; RGB linear albedos."""

    skin: tuple[float, float, float]
    blush: tuple[float, float, float]
    lips: tuple[float, float, float]
    iris: tuple[float, float, float]
    beard: float = 0.0
    """How dark the shaven beard shows, 0 to 1."""
    lash: float = 0.8
    """How dark the edges of the upper lids are, 0 to 1."""
    eye_shadow: float = 0.0
    """How dark the lids are painted, 0 to 1."""


@dataclass(frozen=True)
class Face:
    """Places on a face at rest: eye centres and radius, mouth and nose tip."""

    eyes: np.ndarray
    radius: float
    mouth: np.ndarray
    nose: np.ndarray


def find_face(figure: Figure) -> Face:
    """Measure a figure's face."""
    eyes, radii = [], []
    for sign in (1, -1):
        ball = figure.rest[
            (figure.parts == PART_NAMES.index("eyes")) & (figure.rest[:, 0] * sign > 0)
        ]
        system = np.column_stack([2 * ball, np.ones(len(ball))])
        solved = np.linalg.lstsq(system, (ball**2).sum(axis=1), rcond=None)[0]
        eyes.append(solved[:3])
        radii.append(np.sqrt(solved[3] + solved[:3] @ solved[:3]))
    lips = figure.rest[figure.parts == PART_NAMES.index("lips")]
    face = figure.rest[figure.parts == PART_NAMES.index("face")]
    near = face[np.abs(face[:, 0]) < 0.02]
    mouth = np.array([0, np.median(lips[:, 1]), lips[:, 2].min()])
    return Face(np.array(eyes), float(np.mean(radii)), mouth, near[near[:, 2].argmin()])


def skin_layers(figure: Figure) -> list[Layer]:
    """Return the bare body and the eyeballs."""
    masks = []
    for name in _MASKS:
        mask = (figure.parts == PART_NAMES.index(name)).astype(float)
        for _ in range(1 if name == "lips" else 6):
            mask = 0.5 * mask + 0.5 * figure.smoother @ mask
        masks.append(mask)
    coords = np.column_stack([figure.rest, *masks])
    of_eye = figure.body.face_parts.numpy() == PART_NAMES.index("eyes")
    skin = figure.faces[~of_eye]
    return [
        Layer("skin", figure.rest, skin, figure.weights, coords),
        eyeballs(figure),
    ]


def eyeballs(figure: Figure) -> Layer:
    """Return two balls that fill the sockets."""
    face = find_face(figure)
    ring, around = np.mgrid[0:25, 0:48]
    polar, turn = ring.ravel() / 24 * np.pi, around.ravel() / 48 * 2 * np.pi
    ball = np.stack(
        [np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), -np.cos(polar)], -1
    )
    quads = grid_faces(25, 48)
    rest = np.concatenate([eye + 0.97 * face.radius * ball for eye in face.eyes])
    faces = np.concatenate([quads, quads + len(ball)])
    if (
        np.cross(ball[quads[60, 1]] - ball[quads[60, 0]], ball[quads[60, 2]] - ball[quads[60, 0]])
        @ ball[quads[60, 0]]
    ) < 0:
        faces = faces[:, ::-1].copy()
    weights = np.zeros((len(rest), len(BONE_NAMES)))
    weights[:, BONE_NAMES.index("head")] = 1
    return Layer("eyes", rest, faces, weights, rest)


def paint_skin(
    coords: np.ndarray, face: Face, look: Complexion, scalp: np.ndarray, root: tuple
) -> Surface:
    """Colour skin.

    Args:
        coords: ``n 7`` of the layer "skin": rest position, lips, ears, hands, face.
        face: where its features are.
        look: its colours.
        scalp: ``n`` how much hair grows there, which darkens the ground.
        root: RGB of that ground.
    """
    rest, lips, ears, hands, on_face = coords[:, :3], *coords[:, 3:7].T
    tone = np.tile(np.array(look.skin), (len(rest), 1))
    mottle = layered(rest * 45, 2)
    fine = solid(rest * 170)
    tone = tone * (1 + (0.05 * mottle + 0.03 * fine)[:, None] * [0.7, 1.0, 1.1])
    height = 0.0003 * solid(rest * 90) * (1 - 0.5 * on_face)
    rough = 0.50 - 0.06 * on_face + 0.08 * mottle + 0.1 * hands
    knuckles = hands > 0.02
    blood = step(0.2, 0.7, solid(rest[knuckles] * 55) * 0.5 + 0.4)
    tone[knuckles] = mix(tone[knuckles], look.blush, 0.26 * hands[knuckles] * blood)
    head = np.flatnonzero(rest[:, 1] < face.mouth[1] + 0.10)
    tone[head] = _face_tone(
        tone[head], rest[head], face, look, (lips[head], ears[head], fine[head])
    )
    tone = mix(tone, root, 0.9 * scalp)
    mouth = np.flatnonzero(lips > 0.2)
    lined = step(0.25, 0.6, lips[mouth])
    height[mouth] += 0.0004 * lined * solid(rest[mouth] * [700, 90, 200])
    rough[mouth] -= 0.10 * lined
    return Surface(
        albedo=tone.clip(0.005, 0.95),
        height=height,
        roughness=rough,
        gloss=np.full(len(rest), 0.028),
        fuzz=np.full(len(rest), 0.03),
        wrap=np.tile([0.30, 0.12, 0.07], (len(rest), 1)),
    )


def _face_tone(
    tone: np.ndarray,
    rest: np.ndarray,
    face: Face,
    look: Complexion,
    masks: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> np.ndarray:
    """Colour cheeks, lids, beard and lips."""
    lips, ears, fine = masks
    tone = mix(tone, look.blush, 0.75 * _warmth(rest, face, ears))
    lids = _lids(rest, face)
    tone = mix(tone, np.array(look.skin) * [0.80, 0.68, 0.66], 0.5 * lids)
    if look.eye_shadow:
        tone = mix(tone, (0.10, 0.05, 0.05), look.eye_shadow * lids)
    if look.beard:
        shaven = np.array(look.skin) * [0.42, 0.44, 0.5]
        tone = mix(tone, shaven, look.beard * _beard(rest, face, lips) * (0.75 + 0.35 * fine))
    tone = mix(tone, (0.012, 0.008, 0.007), look.lash * _lid_edge(rest, face))
    mouth = step(0.25, 0.6, lips)
    line = np.exp(-(((rest[:, 1] - face.mouth[1]) / 0.0012) ** 2)) * mouth
    tone = mix(tone, look.lips, 0.85 * mouth)
    return mix(tone, np.array(look.lips) * 0.25, 0.5 * line)


def _warmth(rest: np.ndarray, face: Face, ears: np.ndarray) -> np.ndarray:
    """Where blood shows: cheeks, nose, ears."""
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    eye = face.eyes[0]
    cheek = np.exp(-(((x - eye[0] * 1.25) / 0.020) ** 2) - ((y - eye[1] - 0.036) / 0.017) ** 2) * (
        z < eye[2] + 0.05
    )
    nose = np.exp(-(((rest - face.nose) / 0.014) ** 2).sum(axis=1))
    return np.clip(0.75 * cheek + 0.7 * nose + 0.65 * ears, 0, 1)


def _lids(rest: np.ndarray, face: Face) -> np.ndarray:
    total = np.zeros(len(rest))
    for eye in face.eyes:
        away = (rest - eye) / face.radius
        ring = np.exp(-((away[:, 0] / 1.15) ** 4) - ((away[:, 1] + 0.15) / 0.75) ** 4)
        total += ring * (rest[:, 2] < eye[2])
    return np.clip(total, 0, 1)


def _lid_edge(rest: np.ndarray, face: Face) -> np.ndarray:
    total = np.zeros(len(rest))
    for eye in face.eyes:
        away = (rest - eye) / face.radius
        edge = step(1.13, 1.04, np.linalg.norm(away, axis=1)) * (away[:, 2] < -0.2)
        total += edge * np.where(away[:, 1] < 0.05, 1.0, 0.35)
    return np.clip(total, 0, 1)


def _beard(rest: np.ndarray, face: Face, lips: np.ndarray) -> np.ndarray:
    x, y = np.abs(rest[:, 0]), rest[:, 1] - face.mouth[1]
    front = step(0.02, -0.02, rest[:, 2] - (face.mouth[2] + 0.095))
    jaw = step(-0.028, 0.004, y + 0.012 - 0.25 * x + 0.10 * np.clip(0.02 - x, 0, 1))
    throat = step(0.085, 0.05, y)
    return np.clip(jaw * throat * front * (1 - lips * 1.5), 0, 1)


def paint_eyes(
    coords: np.ndarray, face: Face, look: Complexion, gaze: tuple[float, float]
) -> Surface:
    """Colour eyeballs: white, limbal ring, iris with rays, pupil; wet."""
    side = (coords[:, 0] < 0).astype(int)
    away = unit(coords[:, :3] - face.eyes[side])
    towards = unit(np.array([gaze[0], gaze[1], -1.0]))
    angle = np.arccos(np.clip(away @ towards, -1, 1))
    turn = np.arctan2(away[:, 1] - towards[1], away[:, 0] - towards[0])
    iris = (
        np.array(look.iris)
        * (0.75 + 0.45 * np.abs(np.sin(9 * turn + 3 * np.sin(5 * turn))))[:, None]
    )
    iris *= (0.6 + 0.8 * step(0.40, 0.20, angle))[:, None]
    white = np.array([0.50, 0.455, 0.43]) * (1 - 0.3 * step(0.5, 1.0, angle))[:, None]
    tone = mix(white, np.array(look.iris) * 0.18, step(0.44, 0.40, angle))
    tone = mix(tone, iris, step(0.40, 0.36, angle))
    tone = mix(tone, (0.004, 0.004, 0.004), step(0.18, 0.15, angle))
    count = len(angle)
    return Surface(
        tone, np.zeros(count), np.full(count, 0.12), np.full(count, 0.04), np.zeros(count),
        np.tile([0.25, 0.12, 0.10], (count, 1)),
    )  # fmt: skip
