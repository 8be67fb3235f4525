"""Surroundings of boxes, ellipsoids and cylinders, ray-cast and lit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

import cv2
import numpy as np
import warp as wp

from bdmm_synth.camera import Camera
from bdmm_synth.figure import unit
from bdmm_synth.light.lamps import Bank, join
from bdmm_synth.places import solid_kernels as kernels
from bdmm_synth.places.scenery import COARSE, Scenery, within_reach
from bdmm_synth.warp_cpu import Struct, array, filled, launch, vectors, zeros

BOX, ELLIPSOID = kernels.BOX, kernels.ELLIPSOID
CYLINDER, LEAVES = kernels.CYLINDER, kernels.LEAVES


@dataclass(frozen=True)
class SurfacePoints:
    """Points of one solid that the camera sees.

    Attributes:
        flat: ``n 2`` metres on the face: across and down (upright faces), or x and z (level ones).
        position: ``n 3`` in the scene.
        normal: ``n 3`` in the solid's own axes.
        footprint: ``n`` metres that one sample covers there.
    """

    flat: np.ndarray
    position: np.ndarray
    normal: np.ndarray
    footprint: np.ndarray


Triple = Sequence[float | int]
"""Three numbers: metres or a colour."""
Material = Callable[[SurfacePoints], np.ndarray]
"""SurfacePoints -> ``n 3`` RGB linear albedo."""


@dataclass(frozen=True)
class Solid:
    """One thing that stands around.

    Attributes:
        centre: ``3`` metres in the scene; up is negative y.
        half: ``3`` half its width, height and depth.
        material: how it is coloured.
        kind: `BOX`, `ELLIPSOID`, `CYLINDER` (upright) or `LEAVES` (a ragged ball).
        yaw: radians by which it is turned about the upright axis.
        glow: light that it sends out, RGB.
        blocks: whether it casts shadows.
    """

    centre: Triple
    half: Triple
    material: Material
    kind: int = BOX
    yaw: float = 0.0
    glow: Triple = (0.0, 0.0, 0.0)
    blocks: bool = True


@dataclass(frozen=True)
class World:
    """Everything around a person.

    Attributes:
        solids: what stands there, the floor included.
        sky: ``n 3`` directions -> ``n 3`` RGB linear light where nothing stands.
        bounce: RGB ambient light, added to that of the lamps.
        reach: metres within which solids cast shadows.
        haze: RGB of the air and the distance in metres at which it hides two thirds.
    """

    solids: list[Solid]
    sky: Callable[[np.ndarray], np.ndarray]
    bounce: Triple = (0.1, 0.1, 0.1)
    reach: float = 4.0
    haze: tuple[Triple, float] = field(default_factory=lambda: ((0.6, 0.7, 0.8), 1e9))


@dataclass(frozen=True)
class _Hits:
    number: np.ndarray
    distance: np.ndarray
    local: np.ndarray
    own_normal: np.ndarray
    normal: np.ndarray


def render_scenery(world: World, camera: Camera, banks: list[Bank], focus: float) -> Scenery:
    """Render surroundings.

    Args:
        world: what stands there.
        camera: with the size of the picture in pixels.
        banks: the lamps that light the person and it.
        focus: how much of the blur of what is far away is shown, 0 none to about 2.
    """
    fine = camera.finer(2)
    height, width = fine.size
    rows, columns = np.mgrid[:height, :width].reshape(2, -1).astype(float)
    rays = fine.rays(rows, columns)
    hits = _cast(world, fine, rays)
    albedo = np.zeros_like(rays)
    open_ = np.flatnonzero(hits.number < 0)
    if len(open_):
        albedo[open_] = world.sky(unit(rays[open_]))
    shining = np.zeros_like(albedo)
    for number, solid in enumerate(world.solids):
        own = np.flatnonzero(hits.number == number)
        if len(own):
            albedo[own] = solid.material(_surface_points(hits, fine, rays, own))
            shining[own] = solid.glow
    light = _light(world, camera, hits, rays, banks)
    colour = np.where((hits.number >= 0)[:, None], albedo * (light + shining), albedo)
    tint, distance = world.haze
    fog = (1 - np.exp(-hits.distance.clip(0, 1e6) / distance)) * (hits.number >= 0)
    colour += fog[:, None] * (np.array(tint) - colour)
    picture = cv2.resize(
        colour.reshape(height, width, 3).astype(np.float32),
        camera.size[::-1],
        interpolation=cv2.INTER_AREA,
    )
    depth = _at_pixels(hits.distance.reshape(height, width, 1))[..., 0]
    picture = _defocus(picture, depth, -float(camera.position[2]), focus)
    return _with_shadows(picture, camera, hits, rays)


def _cast(world: World, camera: Camera, rays: np.ndarray) -> _Hits:
    count = len(rays)
    hits = filled(
        kernels.Hits,
        number=zeros(count, wp.int32),
        distance=zeros(count, wp.float32),
        local=zeros(count, wp.vec3),
        own_normal=zeros(count, wp.vec3),
        normal=zeros(count, wp.vec3),
    )
    inputs = [wp.vec3(*camera.position), vectors(rays), _packed(world.solids), hits]
    launch(kernels.cast, count, inputs)
    return _Hits(*(getattr(hits, one.name).numpy() for one in fields(_Hits)))


def _packed(solids: list[Solid]) -> Struct:
    yaws = np.array([[np.cos(solid.yaw), np.sin(solid.yaw)] for solid in solids], np.float32)
    return filled(
        kernels.Solids,
        kinds=array(np.array([solid.kind for solid in solids], np.int32), wp.int32),
        centres=vectors(np.array([solid.centre for solid in solids]).reshape(-1, 3)),
        halves=vectors(np.array([solid.half for solid in solids]).reshape(-1, 3)),
        yaws=array(yaws.reshape(-1, 2), wp.vec2),
    )


def _surface_points(
    hits: _Hits, camera: Camera, rays: np.ndarray, own: np.ndarray
) -> SurfacePoints:
    local, normal = hits.local[own].astype(float), hits.own_normal[own]
    side, level = np.abs(normal[:, 0]) > 0.7, np.abs(normal[:, 1]) > 0.7
    across = np.where(side, local[:, 2], local[:, 0])
    down = np.where(level, local[:, 2], local[:, 1])
    distance = hits.distance[own].astype(float)
    position = camera.position + rays[own] * distance[:, None]
    facing = np.abs((hits.normal[own] * rays[own]).sum(axis=1)).clip(0.08)
    footprint = distance / camera.focal / np.sqrt(facing)
    return SurfacePoints(np.stack([across, down], axis=-1), position, normal, footprint)


def _light(
    world: World, camera: Camera, hits: _Hits, rays: np.ndarray, banks: list[Bank]
) -> np.ndarray:
    """Return ``n 3`` light on what each sample shows; found pixel by pixel, then widened."""
    height, width = camera.size
    shape = (2 * height, 2 * width)
    pick = np.arange(4 * height * width).reshape(shape)[::2, ::2].ravel()
    own = pick[hits.number[pick] >= 0]
    position = camera.position + rays[own] * hits.distance[own, None]
    total = zeros(len(own), wp.vec3)
    lamps = join(*(bank.lamps for bank in banks))
    wide = np.concatenate([np.full(len(one.lamps.towards), _width(one)) for one in banks])
    blocking = [solid for solid in world.solids if solid.blocks]
    inputs = [
        vectors(position), vectors(hits.normal[own]), vectors(lamps.towards),
        vectors(lamps.strength), array(wide, wp.float32), _packed(blocking), world.reach, total,
    ]  # fmt: skip
    launch(kernels.light, len(own), inputs)
    coarse = np.zeros((4 * height * width, 3), np.float32)
    coarse[own] = total.numpy().reshape(-1, 3)
    coarse = coarse.reshape(*shape, 3)[::2, ::2]
    number = hits.number.reshape(shape)
    # Smooth the grain of few lamps, but not across the edges of things.
    key = number[::2, ::2] * 7 + (hits.own_normal.reshape(*shape, 3)[::2, ::2] @ [1, 2, 4])
    smooth = _within(coarse, key.astype(np.float32))
    wide = np.repeat(np.repeat(smooth, 2, axis=0), 2, axis=1)
    return wide.reshape(-1, 3) + np.array(world.bounce)


def _width(bank: Bank) -> float:
    """Return how far, in radians, the light of one of a bank's lamps is spread."""
    count = len(bank.lamps.towards)
    return 0.5 * bank.spread if count == 1 else float(np.sqrt(4 / count))


def _within(values: np.ndarray, key: np.ndarray, rounds: int = 7) -> np.ndarray:
    """Average each pixel with neighbours of the same key, some times."""
    for _ in range(rounds):
        total, count = values.copy(), np.ones(key.shape, np.float32)
        for shift in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            same = np.abs(np.roll(key, shift, (0, 1)) - key) < 1e-3
            total += np.roll(values, shift, (0, 1)) * same[..., None]
            count += same
        values = total / count[..., None]
    return values


def _at_pixels(fine: np.ndarray) -> np.ndarray:
    return fine[::2, ::2]


def _defocus(picture: np.ndarray, depth: np.ndarray, sharp: float, focus: float) -> np.ndarray:
    """Blur what is further away than ``sharp`` metres, as a lens would."""
    if focus <= 0:
        return picture
    circle = focus * picture.shape[0] / 256 * (1 - sharp / depth.clip(sharp, 1e6))
    for sigma in (0.6, 1.2):
        soft = cv2.GaussianBlur(picture, (0, 0), sigma)
        part = np.clip((circle - sigma * 0.5) / (sigma * 0.5), 0, 1)[..., None]
        picture = picture * (1 - part) + soft * part
    return picture


def _with_shadows(picture: np.ndarray, camera: Camera, hits: _Hits, rays: np.ndarray) -> Scenery:
    height, width = camera.size
    step = 2 * COARSE
    pick = np.arange(4 * height * width).reshape(2 * height, 2 * width)
    pick = pick[step // 2 - 1 :: step, step // 2 - 1 :: step]
    position = camera.position + rays[pick] * hits.distance[pick][..., None]
    rows, columns = np.nonzero(within_reach(position) & (hits.number[pick] >= 0))
    normal = hits.normal[pick][rows, columns]
    place = position[rows, columns] + 0.004 * normal
    return Scenery(picture, rows, columns, place, normal, np.ones(len(rows), np.float32))
