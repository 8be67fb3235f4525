"""Photo and driver worked out once, for any number of renderers that shall animate them."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from bdmm.body.model import load_body
from bdmm.body.retarget import Root, retarget
from bdmm.inference.animate import Animation
from bdmm.inference.backdrop import Backdrop, open_backdrop
from bdmm.inference.driving import Driver, Reading, Sound, VideoDriver, open_driver
from bdmm.inference.framing import check_size
from bdmm.inference.overlay import draw_body
from bdmm.inference.renderers import Renderer
from bdmm.inference.scene import Scene, set_scene
from bdmm.media.image import Picture, picture_size
from bdmm.media.panels import contain
from bdmm.records import Motion

_STAGE = 238
"""Grey behind a driver that is drawn."""


@dataclass(frozen=True)
class Rehearsal:
    """Everything that the frames of a clip depend on, but for what renders them.

    Attributes:
        scene: the photo.
        motion: on the photo's person.
        driving: the same on the mover's own body.
        driver: who gave it.
        backdrop: what lies behind the person; the photo's own background if None.
    """

    scene: Scene
    motion: Motion
    driving: Motion
    driver: Driver
    backdrop: Backdrop | None = None

    @property
    def photo(self) -> Picture:
        """The photo as frames show it."""
        return self.scene.photo

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the frames."""
        return picture_size(self.scene.photo)

    @property
    def fps(self) -> Fraction:
        """Frames per second."""
        return self.motion.fps

    @property
    def sound(self) -> Sound | None:
        """The sound that goes with the motion, if there is any."""
        return self.driver.sound

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.motion)

    def animation(self, renderer: Renderer) -> Animation:
        """Return the frames that a renderer makes of this, as they are asked for."""
        return Animation(self.scene, self.motion, renderer, self.backdrop)

    def driving_pictures(self) -> Iterator[Picture]:
        """Yield the driver's own frames at the frames' size, or its body where it is no video."""
        for picture in self._driver_frames():
            yield contain(picture, self.size)

    def _driver_frames(self) -> Iterator[Picture]:
        if isinstance(self.driver, VideoDriver):
            yield from self.driver.frames
            return
        body = load_body(self.driving.body)
        stage = np.full((*self.driving.size, 3), _STAGE, np.uint8)
        for i in range(len(self.driving)):
            yield draw_body(stage, self.driving[i : i + 1], body, opacity=1.0)


def rehearse(
    source: str | Path | Picture,
    motion: str | Path | Motion,
    reading: Reading,
    *,
    size: int = 256,
    background: str | Path | Picture | None = None,
    photo_person: int | None = None,
    root: Root = "relative",
) -> Rehearsal:
    """Look at the photo, work out the driver's motion and bring it onto the photo's person.

    Args:
        source: the photo, as for `animate`.
        motion: who gives the motion, as for `animate`.
        reading: how it is read, and who is told the progress.
        size: pixels of the shorter side of the frames.
        background: behind the person, as for `animate`.
        photo_person: which of several people of the photo, from the left from 1 on.
        root: where the person goes, as for `retarget`.

    Raises:
        InputError: a mistake of the user's, in one sentence.
    """
    check_size(size)
    backdrop = None if background is None else open_backdrop(background)
    driver = open_driver(motion, reading)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        scene = set_scene(source, size, photo_person, False, reading.progress)
        driving = driver.motion()
    return Rehearsal(scene, retarget(driving, scene.source.pose, root), driving, driver, backdrop)
