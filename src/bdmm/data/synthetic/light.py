"""Studio light as many small lamps, each with its own shadow map: soft shadows fall out."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import warp as wp

from bdmm.body.rasterize import rasterize
from bdmm.data.synthetic import kernels
from bdmm.data.synthetic.geometry import unit

REACH = 1.3
"""Half the side of the square that shadow maps cover around the person, metres."""


@dataclass(frozen=True)
class Lamps:
    """Distant lamps: ``n 3`` unit directions towards them, ``n 3`` RGB strengths."""

    towards: np.ndarray
    strength: np.ndarray


@dataclass(frozen=True)
class Surface:
    """How samples take light; RGB linear in [0, 1].

    Attributes:
        albedo: ``n 3``.
        normal: ``n 3`` with its bumps.
        roughness: ``n`` of the gloss.
        gloss: ``n`` reflectance at normal incidence.
        fuzz: ``n`` strength of the light edge of cloth.
        wrap: ``n 3`` how far red, green and blue light creeps around an edge (skin).
    """

    albedo: np.ndarray
    normal: np.ndarray
    roughness: np.ndarray
    gloss: np.ndarray
    fuzz: np.ndarray
    wrap: np.ndarray


@dataclass(frozen=True)
class Strands:
    """Points of hair: ``n 3`` positions, unit tangents and RGB albedos."""

    position: np.ndarray
    tangent: np.ndarray
    albedo: np.ndarray


def cone(towards: tuple, angle: float, strength: tuple, count: int, seed: int) -> Lamps:
    """A round softbox: directions within ``angle`` (radians), sharing one strength (RGB)."""
    axis = unit(np.array(towards, float))
    helper = np.array([0.0, 1, 0]) if abs(axis[1]) < 0.9 else np.array([1.0, 0, 0])
    u = unit(np.cross(axis, helper))
    w = np.cross(axis, u)
    index = np.arange(count) + 0.5
    radius = np.sqrt(index / count) * np.tan(angle)
    turn = index * 2.399963 + seed
    spread = radius[:, None] * (np.cos(turn)[:, None] * u + np.sin(turn)[:, None] * w)
    return Lamps(unit(axis + spread), np.tile(np.array(strength) / count, (count, 1)))


def dome(sky: tuple, ground: tuple, count: int) -> Lamps:
    """Light from everywhere: ``sky`` (RGB) from above, fading to ``ground`` from below."""
    index = np.arange(count) + 0.5
    height = 1 - 2 * index / count
    turn = index * 2.399963
    ring = np.sqrt(1 - height**2)
    towards = np.stack([ring * np.cos(turn), -height, ring * np.sin(turn)], axis=-1)
    part = (0.5 + 0.5 * height)[:, None]
    strength = (np.array(sky) * part + np.array(ground) * (1 - part)) * 2 / count
    return Lamps(towards, strength)


def join(*lamps: Lamps) -> Lamps:
    """Put lamps into one rig."""
    return Lamps(
        np.concatenate([lamp.towards for lamp in lamps]),
        np.concatenate([lamp.strength for lamp in lamps]),
    )


@dataclass(frozen=True)
class Scene:
    """What stands in the light.

    Attributes:
        vertices, faces: everything solid, posed.
        hair: ``n 3`` points of hair, which dims instead of blocking.
        centre: ``3`` the middle of the person.
        eye: ``3`` where the camera is.
    """

    vertices: np.ndarray
    faces: np.ndarray
    hair: np.ndarray
    centre: np.ndarray
    eye: np.ndarray


@dataclass(frozen=True)
class Lit:
    """Linear light of samples (``n 3``) and strands (``m 3``), and how much the floor gets."""

    surface: np.ndarray
    strands: np.ndarray
    floor: np.ndarray


def illuminate(
    lamps: Lamps,
    scene: Scene,
    surface: Surface,
    position: np.ndarray,
    plain: np.ndarray,
    strands: Strands,
    floor: np.ndarray,
    side: int = 1024,
) -> Lit:
    """Add up the light of all lamps, one shadow map at a time.

    Args:
        lamps: the rig.
        scene: what casts shadows.
        surface: material of ``n`` samples.
        position: ``n 3`` where they are.
        plain: ``n 3`` their normals without bumps.
        strands: points of hair to be lit.
        floor: ``m 3`` points of the floor (y = 0).
        side: samples along a shadow map's side.
    """
    start = position + 0.003 * plain
    view = unit(scene.eye - position)
    gloss = np.column_stack([surface.roughness.clip(0.05, 1) ** 2, surface.gloss, surface.fuzz])
    skin = [
        _vectors(start), _vectors(surface.normal), _vectors(view), _vectors(surface.albedo),
        _vectors(gloss),
        _vectors(surface.wrap),
    ]  # fmt: skip
    hair = [
        _vectors(strands.position), _vectors(strands.tangent),
        _vectors(unit(scene.eye - strands.position)), _vectors(strands.albedo),
    ]  # fmt: skip
    ground = [_vectors(floor)]
    sums = [wp.zeros(len(array[0]), dtype=wp.vec3, device="cpu") for array in (skin, hair, ground)]
    triangles = torch.from_numpy(scene.faces.astype(np.int32))
    locks = _vectors(scene.hair)
    for towards, strength in zip(lamps.towards, lamps.strength, strict=True):
        axes = _axes(towards)
        solid = _depth_map(axes, scene, triangles, side)
        place = [wp.mat33(*axes.T.ravel()), wp.vec3(*scene.centre), float(side / (2 * REACH))]
        veil = _hair_map(place, locks, side)
        common = [
            wp.vec3(*towards), wp.vec3(*strength), *place,
            wp.array(solid, dtype=wp.float32, device="cpu"),
            wp.array(veil, dtype=wp.float32, device="cpu"),
        ]  # fmt: skip
        adding = (kernels.surface, kernels.strand, kernels.floor)
        for kernel, arrays, total in zip(adding, (skin, hair, ground), sums, strict=True):
            if len(arrays[0]):
                wp.launch(kernel, len(arrays[0]), inputs=[*common, *arrays, total], device="cpu")
    surface_light, strand_light, floor_light = (total.numpy().reshape(-1, 3) for total in sums)
    flat = np.clip(-lamps.towards[:, 1:2], 0, None) * lamps.strength
    return Lit(surface_light, strand_light, floor_light / flat.sum(axis=0))


def _vectors(values: np.ndarray) -> wp.array:
    return wp.array(
        np.ascontiguousarray(values, np.float32).reshape(-1, 3), dtype=wp.vec3, device="cpu"
    )


def _to_map(axes: np.ndarray, points: np.ndarray, scene: Scene, side: int) -> np.ndarray:
    mapped = (points - scene.centre) @ axes * (side / (2 * REACH))
    return mapped + np.array([side / 2, side / 2, 0])


def _depth_map(axes: np.ndarray, scene: Scene, triangles: torch.Tensor, side: int) -> np.ndarray:
    points = torch.from_numpy(_to_map(axes, scene.vertices, scene, side))[None].float()
    return rasterize(points, triangles, (side, side)).depth[0].numpy()


def _hair_map(place: list, hair: wp.array, side: int) -> np.ndarray:
    nearest = wp.full((side, side), np.inf, dtype=wp.float32, device="cpu")
    if len(hair):
        wp.launch(kernels.hair_depth, len(hair), inputs=[*place, hair, nearest], device="cpu")
    return cv2.erode(np.asarray(nearest.numpy(), np.float32), np.ones((3, 3), np.uint8))


def _axes(towards: np.ndarray) -> np.ndarray:
    """Return map axes as columns; the third goes away from the lamp."""
    away = -towards
    helper = np.array([0.0, 1, 0]) if abs(away[1]) < 0.9 else np.array([1.0, 0, 0])
    right = unit(np.cross(helper, away))
    return np.stack([right, np.cross(away, right), away], axis=-1)
