"""Renders pictures of a dressed person: pose, rasterisation, light, surroundings, film."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import warp as wp

from bdmm_synth.camera import Camera, Film
from bdmm_synth.light.lamps import Bank, Lamps, exact_banks
from bdmm_synth.people.person import Person
from bdmm_synth.places.scenery import Scenery
from bdmm_synth.places.studio import Backdrop, seamless
from bdmm_synth.render.draw import EMPTY, Drawn, SkinnedMesh, draw
from bdmm_synth.render.lighting import contact, empty_samples, illuminate, make_ground
from bdmm_synth.render.mesh import bone_frames, merge
from bdmm_synth.render.texture import Texture
from bdmm_synth.render.texture_kernels import Posed, Shown, look_up
from bdmm_synth.warp_cpu import Struct, filled, launch, shared

_STRAND = 0.0003
"""Radius of a strand of hair that is near enough, metres."""
_TEXEL = 1.0
"""Samples across a texel."""


@dataclass(frozen=True)
class PersonView:
    """A person in a pose before the camera, not lit yet.

    Attributes:
        posed: ``v 3`` vertices in the scene, in the kernels' memory.
        pelvis: ``3`` where the person is.
        drawn: what the samples of the person's box show.
        place: ``n`` int32 indices of the box's samples that show the person.
        number: ``n`` int32 the face or segment that each shows.
    """

    posed: wp.array
    pelvis: np.ndarray
    drawn: Drawn
    place: np.ndarray
    number: np.ndarray


@dataclass(frozen=True)
class Picture:
    """A photograph with what was seen of the person.

    Attributes:
        frame_uint8: ``h w 3`` sRGB.
        foreground: ``h w`` uint8, 255 where the person covers all of the pixel.
    """

    frame_uint8: np.ndarray
    foreground: np.ndarray


class Renderer:
    """Renders many pictures of one person before one camera.

    Call `draw_poses` for some poses, `paint` with what is seen in them, and `shade` for each; or
    `render` for a single picture. What pictures share is made once.

    Args:
        person: who.
        camera: with its size in pixels.
        fine: samples along a pixel's side.
        banks: the lamps.
        scenery: the surroundings as the camera sees them.
        film: exposure and grain.
    """

    def __init__(
        self,
        person: Person,
        camera: Camera,
        fine: int,
        banks: list[Bank],
        scenery: Scenery,
        film: Film,
    ) -> None:
        self.camera = camera.finer(fine)
        self._fine, self._banks, self._scenery, self._film = fine, banks, scenery, film
        metres = -camera.position[2] / self.camera.focal
        self._strand = max(0.5, _STRAND / metres)
        self.model = SkinnedMesh(merge(person, 2 * self._strand * metres))
        self._texture = Texture(person, self.model.mesh, _TEXEL * metres)
        self._ground = make_ground(banks, scenery.position, scenery.normal)

    def render(self, rotations: np.ndarray, pelvis: np.ndarray, seed: int = 0) -> Picture:
        """Take one picture; see `draw_poses` and `shade`."""
        views = self.draw_poses(rotations[None], pelvis[None])
        self.paint(views)
        return self.shade(views[0], seed)

    def draw_poses(self, rotations: np.ndarray, pelvis: np.ndarray) -> list[PersonView]:
        """Find what the camera sees of the person in some poses.

        Args:
            rotations: ``t 24 3 3`` local rotations in the scene's axes.
            pelvis: ``t 3`` in the scene: the floor is y = 0, up is negative.
        """
        frames = bone_frames(self.model.mesh.figure, rotations, pelvis)
        return [self._view_of(own, place) for own, place in zip(frames, pelvis, strict=True)]

    def _view_of(self, frames: np.ndarray, pelvis: np.ndarray) -> PersonView:
        posed = self.model.pose(frames)
        drawn = draw(self.model, posed, self.camera, self._fine, self._strand)
        place = np.flatnonzero(drawn.keys != EMPTY).astype(np.int32)
        number = (drawn.keys.ravel()[place] & (2**32 - 1)).astype(np.int32)
        return PersonView(posed, pelvis, drawn, place, number)

    def paint(self, views: Sequence[PersonView]) -> None:
        """Paint whatever is seen in some poses and was not painted before."""
        faces = len(self.model.faces)
        seen = np.zeros(faces + len(self.model.segments), bool)
        for view in views:
            seen[view.number] = True
        self._texture.paint(np.flatnonzero(seen[:faces]))

    def shade(self, view: PersonView, seed: int = 0) -> Picture:
        """Light a person and map the light to a picture.

        Args:
            view: what is seen; must be painted.
            seed: of the grain.
        """
        model, eye = self.model, self.camera.position
        squares = self._scenery.around(view.pelvis)
        ground = self._ground.part(squares)
        light, shadow = illuminate(
            self._banks,
            model,
            view.posed,
            view.pelvis,
            eye,
            self._look_up(view),
            ground,
        )
        solid = view.posed.numpy()[model.solid]
        shadow *= contact(solid, view.pelvis, ground.position)[:, None]
        picture = self._scenery.shaded(view.pelvis, squares, shadow)
        foreground = np.zeros(picture.shape[:2], np.uint8)
        if len(view.place):
            colour = self._gather(view, light)
            top, left = view.drawn.top // self._fine, view.drawn.left // self._fine
            box = slice(top, top + colour.shape[0]), slice(left, left + colour.shape[1])
            picture[box] = picture[box] * (1 - colour[..., 3:]) + colour[..., :3]
            foreground[box] = (colour[..., 3] * 255 + 0.5).astype(np.uint8)
        frame = tone_map(picture * self._film.exposure, self._film.grain, seed)
        return Picture(frame, foreground)

    def _look_up(self, view: PersonView) -> Struct:
        model, drawn, count = self.model, view.drawn, len(view.place)
        shown = filled(
            Shown,
            sample=shared(view.place, wp.int32),
            number=shared(view.number, wp.int32),
            width=drawn.keys.shape[1],
            left=drawn.left,
            top=drawn.top,
            seen=drawn.seen,
        )
        mesh = filled(
            Posed,
            posed=view.posed,
            normals=model.normals(view.posed),
            faces=model.faces,
            segments=model.segments,
            tint=model.tint,
        )
        samples = empty_samples(count)
        if count:
            eye = wp.vec3(*self.camera.position)
            launch(look_up, count, [shown, eye, mesh, self._texture.texels, samples])
        return samples

    def _gather(self, view: PersonView, light: np.ndarray) -> np.ndarray:
        """Return ``h w 4``: what samples add to the box's pixels, and how much they cover."""
        height, width = view.drawn.keys.shape
        values = np.zeros((height * width, 4), np.float32)
        values[view.place, :3] = light.reshape(-1, 3)
        values[view.place, 3] = 1
        size = (width // self._fine, height // self._fine)
        return cv2.resize(values.reshape(height, width, 4), size, interpolation=cv2.INTER_AREA)


_FINEST = 4096
_BRIGHTEST = 8.0


@functools.cache
def _curve() -> np.ndarray:
    """Return sRGB values of light, by the square root of the light."""
    light = np.linspace(0, 1, _FINEST) ** 2 * _BRIGHTEST
    # A filmic shoulder (rational), scaled so that mid grey stays put.
    a, b, c, d, e = 2.20, 0.10, 2.0, 0.75, 0.12
    curve = np.clip((light * (a * light + b)) / (light * (c * light + d) + e), 0, 1)
    low = curve <= 0.0031308
    encoded = np.where(low, 12.92 * curve, 1.055 * curve.clip(0.0031308) ** (1 / 2.4) - 0.055)
    return encoded.astype(np.float32)


@functools.lru_cache(maxsize=4)
def _vignette(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    dark = 1 - 0.10 * np.clip(x**2 + 0.6 * y**2, 0, 2) ** 1.5
    return dark[..., None].astype(np.float32)


def tone_map(linear: np.ndarray, grain: float, seed: int = 0) -> np.ndarray:
    """Turn linear light into an 8-bit sRGB picture: film curve, a little grain and vignette.

    Args:
        linear: ``h w 3`` float32 light; about 0.6 becomes white.
        grain: standard deviation of the grain, of 1.
        seed: of the grain.
    """
    height, width = linear.shape[:2]
    part = np.sqrt((linear * _vignette(height, width)).clip(0, _BRIGHTEST * 0.999) / _BRIGHTEST)
    encoded = _curve()[(part * (_FINEST - 1) + 0.5).astype(np.int32)]
    random = np.random.default_rng(seed)
    rough = random.standard_normal((height, width), np.float32)
    rough = cv2.GaussianBlur(rough, (3, 3), 0.7)
    encoded = encoded + grain * rough[..., None]
    return (encoded.clip(0, 1) * 255 + 0.5).astype(np.uint8)


@dataclass(frozen=True)
class Shot:
    """How a picture is taken in the studio.

    Attributes:
        size: (height, width) of the picture.
        scale: pixels per metre at the person.
        ground: row of the floor under the person.
        fine: samples along a pixel's side.
        lamps: each with a shadow map of its own.
        backdrop: what is behind the person.
        exposure: factor on the light.
        grain: strength of the film's grain.
        side: of the shadow maps.
    """

    size: tuple[int, int]
    scale: float
    ground: float
    fine: int
    lamps: Lamps
    backdrop: Backdrop
    exposure: float = 0.8
    grain: float = 0.006
    side: int = 1024


_DISTANCE = 4.4
_EYE_HEIGHT = 1.0


def camera_of(shot: Shot) -> Camera:
    """Return the camera that sees the floor's origin at the shot's ground row."""
    centre = (shot.size[1] / 2, shot.ground - _EYE_HEIGHT * shot.scale)
    position = np.array([0, -_EYE_HEIGHT, -_DISTANCE])
    return Camera(shot.size, shot.scale * _DISTANCE, centre, position)


def renderer_of(person: Person, shot: Shot) -> Renderer:
    """Return who takes such pictures of a person."""
    camera = camera_of(shot)
    return Renderer(
        person,
        camera,
        shot.fine,
        exact_banks(shot.lamps, shot.side),
        seamless(camera, shot.backdrop),
        Film(shot.exposure, shot.grain),
    )


def photograph(
    person: Person, rotations: np.ndarray, pelvis: np.ndarray, shot: Shot, seed: int = 0
) -> np.ndarray:
    """Take one picture in the studio.

    Args:
        person: who.
        rotations: ``24 3 3`` local rotations in camera axes.
        pelvis: ``3`` in the scene: the floor is y = 0, up is negative.
        shot: how.
        seed: of the grain.

    Returns:
        ``h w 3`` uint8 sRGB.
    """
    return renderer_of(person, shot).render(rotations, pelvis, seed).frame_uint8
