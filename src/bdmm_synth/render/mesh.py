"""Body, clothes and hair of a person merged into one skinned mesh."""

from dataclasses import dataclass

import numpy as np

from bdmm.records import BONE_NAMES
from bdmm_synth.figure import Figure, Layer, pose
from bdmm_synth.people.hair import Hair
from bdmm_synth.people.person import Person

_BONES = 6
_ENOUGH = 11.5
"""Metres of strands, side by side, that cover a head."""
_THIN = 0.0003
"""Metres across a lash, with what it shades."""
_HAIR_NEARER = 0.004
"""Metres by which hair is drawn nearer than it is, so that it lies over the scalp."""


@dataclass(frozen=True)
class Mesh:
    """A person's drawn faces and strands over one list of vertices, in the identity pose.

    Vertices of faces come first, points of hair follow, strand by strand.

    Attributes:
        figure: the body.
        rest: ``v 3`` float32 metres.
        bones, shares: ``v 6`` the bones that carry each vertex, int32, and how much, float32.
        faces: ``f 3`` int32; what is surely hidden is left out.
        layer: ``f`` int32 index among the person's layers.
        two_sided: ``f`` int32, 1 where the inner side can be seen (cloth).
        inside: ``v`` float32, positive where the layer exists; linear over a face.
        recede: ``v`` float32 metres by which it is drawn further away than it is.
        coords: per layer, ``n k`` what it is painted by; ``first`` is each layer's first vertex.
        segments: ``s 2`` int32 vertices at the ends of each piece of hair.
        tint: ``s 3`` float32 their RGB linear albedo.
        growing: ``s`` bool, True for what grows on the head and casts shadows (brows do not).
    """

    figure: Figure
    rest: np.ndarray
    bones: np.ndarray
    shares: np.ndarray
    faces: np.ndarray
    layer: np.ndarray
    two_sided: np.ndarray
    inside: np.ndarray
    recede: np.ndarray
    coords: list[np.ndarray]
    first: list[int]
    segments: np.ndarray
    tint: np.ndarray
    growing: np.ndarray


@dataclass(frozen=True)
class _Part:
    rest: np.ndarray
    weights: np.ndarray
    faces: np.ndarray
    inside: np.ndarray
    recede: np.ndarray
    coords: np.ndarray


def merge(person: Person, thick: float = 0.0) -> Mesh:
    """Merge all layers and all hair of a person, once per person.

    Args:
        person: who.
        thick: metres across each strand as it will be drawn; where that is more than hair has,
            fewer strands and points are kept.
    """
    parts = [_visible_part(person, layer) for layer in person.layers]
    first = np.cumsum([0, *(len(part.rest) for part in parts)])
    faces = [part.faces + start for part, start in zip(parts, first, strict=False)]
    counts = [len(own) for own in faces]
    open_ = [int(layer.inside is not None) for layer in person.layers]
    hair, hair_weights, segments, tint, growing = _hair(person, thick, int(first[-1]))
    rest = np.concatenate([*(part.rest for part in parts), hair])
    weights = np.concatenate([*(part.weights for part in parts), hair_weights])
    bones, shares = strongest(weights)
    return Mesh(
        figure=person.figure,
        rest=rest.astype(np.float32),
        bones=bones,
        shares=shares,
        faces=np.concatenate(faces).astype(np.int32),
        layer=np.repeat(np.arange(len(parts), dtype=np.int32), counts),
        two_sided=np.repeat(np.array(open_, np.int32), counts),
        inside=np.concatenate([*(part.inside for part in parts), np.ones(len(hair))]).astype(
            np.float32
        ),
        recede=np.concatenate(
            [*(part.recede for part in parts), np.full(len(hair), -_HAIR_NEARER)]
        ).astype(np.float32),
        coords=[part.coords for part in parts],
        first=[int(start) for start in first[:-1]],
        segments=segments,
        tint=tint,
        growing=growing,
    )


def strongest(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``v 6`` bones that carry most of each vertex, and their shares (sum 1)."""
    bones = np.argpartition(-weights, _BONES, axis=1)[:, :_BONES]
    shares = np.take_along_axis(weights, bones, axis=1)
    shares = shares / shares.sum(axis=1, keepdims=True).clip(1e-9)
    return bones.astype(np.int32), shares.astype(np.float32)


def bone_frames(figure: Figure, rotations: np.ndarray, pelvis: np.ndarray) -> np.ndarray:
    """Return ``*t 24 3 4``: what takes points at rest into the scene with each bone.

    Args:
        figure: the body.
        rotations: ``*t 24 3 3`` local rotations.
        pelvis: ``*t 3`` where the pelvis joint is in the scene.
    """
    bones = pose(figure, rotations)
    offset = bones[..., 3] - (bones[..., :3] @ figure.joints[..., None])[..., 0]
    offset += pelvis[..., None, :]
    return np.concatenate([bones[..., :3], offset[..., None]], axis=-1).astype(np.float32)


def _visible_part(person: Person, layer: Layer) -> _Part:
    """Leave out the faces that are under something else or beyond the hem."""
    kept = ~person.hidden(layer.name, layer.coords)[layer.faces].all(axis=1)
    inside = np.ones(len(layer.rest)) if layer.inside is None else layer.inside
    kept &= (inside[layer.faces] > 0).any(axis=1)
    used, faces = np.unique(layer.faces[kept], return_inverse=True)
    recede = np.zeros(len(layer.rest)) if layer.recede is None else layer.recede
    return _Part(
        layer.rest[used],
        layer.weights[used],
        faces.reshape(-1, 3),
        inside[used],
        recede[used],
        layer.coords[used],
    )


def thinned(hair: Hair, thick: float, growing: bool) -> Hair:
    """Keep so much hair that it looks as dense with strands ``thick`` metres across.

    Args:
        hair: all of it.
        thick: as drawn.
        growing: it covers the head; brows and lashes are single hairs.
    """
    count, along = hair.strands.shape[:2]
    kept = _ENOUGH / max(thick, 1e-5) if growing else count * _THIN / max(thick, _THIN)
    rows = np.unique(np.linspace(0, count - 1, min(int(np.ceil(kept)), count)).round().astype(int))
    points = along if thick < 0.002 else min(along, max(3, int(np.ceil(along * 0.6))))
    columns = np.linspace(0, along - 1, points).round().astype(int)
    weights = None if hair.weights is None else hair.weights[rows][:, columns]
    return Hair(hair.strands[rows][:, columns], hair.tone[rows], weights)


def _hair(person: Person, thick: float, start: int) -> tuple[np.ndarray, ...]:
    """Return points, weights, segments, tints of all hair, and what of it grows on the head."""
    rest, weights = [np.zeros((0, 3))], [np.zeros((0, len(BONE_NAMES)))]
    segments, tint = [np.zeros((0, 2), np.int64)], [np.zeros((0, 3))]
    growing: list[bool] = []
    for kind, (all_hair, colour) in enumerate(person.hair):
        hair = thinned(all_hair, thick, kind == 0)
        count, along = hair.strands.shape[:2]
        own = np.zeros((count * along, len(BONE_NAMES)))
        own[:, BONE_NAMES.index("head")] = 1
        if hair.weights is not None:
            own = hair.weights.reshape(count * along, -1)
        index = start + np.arange(count * along).reshape(count, along)
        start += count * along
        rest.append(hair.strands.reshape(-1, 3))
        weights.append(own)
        segments.append(np.stack([index[:, :-1], index[:, 1:]], axis=-1).reshape(-1, 2))
        tint.append(np.outer(np.repeat(hair.tone, along - 1), colour))
        growing += [kind == 0] * (count * (along - 1))
    return (
        np.concatenate(rest),
        np.concatenate(weights),
        np.concatenate(segments).astype(np.int32),
        np.concatenate(tint).astype(np.float32),
        np.array(growing, bool),
    )
