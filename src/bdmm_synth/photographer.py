"""Takes pictures of a dressed person: posing, drawing, light, surroundings, film."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import warp as wp

from bdmm_synth import texture_kernels
from bdmm_synth.camera import Camera
from bdmm_synth.contact import contact
from bdmm_synth.develop import develop
from bdmm_synth.draw import EMPTY, Drawn, Puppet, draw
from bdmm_synth.light import Bank, Samples, illuminate, make_ground
from bdmm_synth.mesh import bone_frames, merge
from bdmm_synth.person import Person
from bdmm_synth.scenery import Scenery
from bdmm_synth.texture import Texture

_STRAND = 0.0003
"""Radius of a strand of hair that is near enough, metres."""
_TEXEL = 1.0
"""Samples across a texel."""


@dataclass(frozen=True)
class Film:
    """How light becomes a picture.

    Attributes:
        exposure: factor on the light.
        grain: standard deviation of the film's grain, of 1.
    """

    exposure: float = 0.8
    grain: float = 0.006


@dataclass(frozen=True)
class Aim:
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


class Photographer:
    """Takes many pictures of one person from one place: what can be made once, is.

    `aim` at some poses, `paint` what is seen in any of them, then `expose` each; or `shoot`.

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
        self.puppet = Puppet(merge(person, 2 * self._strand * metres))
        self._texture = Texture(person, self.puppet.mesh, _TEXEL * metres)
        self._ground = make_ground(banks, scenery.position, scenery.normal)

    def shoot(self, rotations: np.ndarray, pelvis: np.ndarray, seed: int = 0) -> Picture:
        """Take one picture; see `aim` and `expose`."""
        aims = self.aim(rotations[None], pelvis[None])
        self.paint(aims)
        return self.expose(aims[0], seed)

    def aim(self, rotations: np.ndarray, pelvis: np.ndarray) -> list[Aim]:
        """Find what the camera sees of the person in some poses.

        Args:
            rotations: ``t 24 3 3`` local rotations in the scene's axes.
            pelvis: ``t 3`` in the scene: the floor is y = 0, up is negative.
        """
        frames = bone_frames(self.puppet.mesh.figure, rotations, pelvis)
        return [self._aim_at(own, place) for own, place in zip(frames, pelvis, strict=True)]

    def _aim_at(self, frames: np.ndarray, pelvis: np.ndarray) -> Aim:
        posed = self.puppet.pose(frames)
        drawn = draw(self.puppet, posed, self.camera, self._fine, self._strand)
        place = np.flatnonzero(drawn.keys != EMPTY).astype(np.int32)
        number = (drawn.keys.ravel()[place] & (2**32 - 1)).astype(np.int32)
        return Aim(posed, pelvis, drawn, place, number)

    def paint(self, aims: Sequence[Aim]) -> None:
        """Paint whatever is seen in some poses and was not painted before."""
        faces = len(self.puppet.faces)
        seen = np.zeros(faces + len(self.puppet.segments), bool)
        for aim in aims:
            seen[aim.number] = True
        self._texture.paint(np.flatnonzero(seen[:faces]))

    def expose(self, aim: Aim, seed: int = 0) -> Picture:
        """Light a person and develop the picture.

        Args:
            aim: what is seen; must be painted.
            seed: of the grain.
        """
        puppet, eye = self.puppet, self.camera.position
        squares = self._scenery.around(aim.pelvis)
        ground = self._ground.part(squares)
        light, shadow = illuminate(
            self._banks, puppet, aim.posed, aim.pelvis, eye, self._look_up(aim), ground
        )
        solid = aim.posed.numpy()[puppet.solid]
        shadow *= contact(solid, aim.pelvis, ground.position)[:, None]
        picture = self._scenery.shaded(aim.pelvis, squares, shadow)
        foreground = np.zeros(picture.shape[:2], np.uint8)
        if len(aim.place):
            colour = self._gather(aim, light)
            top, left = aim.drawn.top // self._fine, aim.drawn.left // self._fine
            box = slice(top, top + colour.shape[0]), slice(left, left + colour.shape[1])
            picture[box] = picture[box] * (1 - colour[..., 3:]) + colour[..., :3]
            foreground[box] = (colour[..., 3] * 255 + 0.5).astype(np.uint8)
        frame = develop(picture * self._film.exposure, self._film.grain, seed)
        return Picture(frame, foreground)

    def _look_up(self, aim: Aim) -> Samples:
        puppet, texture, drawn = self.puppet, self._texture, aim.drawn
        count = len(aim.place)
        found = [wp.zeros(count, dtype=wp.vec3, device="cpu") for _ in range(6)]
        inputs = [
            wp.array(aim.place, dtype=wp.int32, device="cpu", copy=False),
            wp.array(aim.number, dtype=wp.int32, device="cpu", copy=False),
            drawn.keys.shape[1], drawn.left, drawn.top, wp.vec3(*self.camera.position), drawn.seen,
            aim.posed, puppet.normals(aim.posed), puppet.faces, puppet.segments, puppet.tint,
            texture.first, texture.steps, texture.texels, texture.height, *found,
        ]  # fmt: skip
        if count:
            wp.launch(texture_kernels.look_up, count, inputs=inputs, device="cpu")
        return Samples(*found)

    def _gather(self, aim: Aim, light: np.ndarray) -> np.ndarray:
        """Return ``h w 4``: what samples add to the box's pixels, and how much they cover."""
        height, width = aim.drawn.keys.shape
        values = np.zeros((height * width, 4), np.float32)
        values[aim.place, :3] = light.reshape(-1, 3)
        values[aim.place, 3] = 1
        size = (width // self._fine, height // self._fine)
        return cv2.resize(values.reshape(height, width, 4), size, interpolation=cv2.INTER_AREA)
