"""The options that every command for one photo and one driver shares."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from bdmm.cli.rates import as_rate
from bdmm.errors import InputError

if TYPE_CHECKING:
    from bdmm.inference.driving import Progress
    from bdmm.inference.rehearsal import Rehearsal


@dataclass(frozen=True)
class Staging:
    """How photo and driver are read."""

    motion: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """A shipped motion instead of a driver: dance, squat, star_jump, turn, walk, wave."""
    size: int = 256
    """Working resolution: pixels of the shorter side of the frames."""
    background: Annotated[str | None, tyro.conf.arg(metavar="COLOUR|FILE")] = None
    """Colour, picture or video behind the person, instead of the photo's own background."""
    person: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Which of several people in the driver, from the left from 1 on; the largest otherwise."""
    photo_person: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Which of several people in the photo, likewise."""
    smooth: Annotated[float, tyro.conf.arg(metavar="FRAMES")] = 1.0
    """How much the driver's motion is smoothed over time; 0 for not at all."""
    root: Literal["relative", "absolute", "fixed"] = "relative"
    """Where the person goes: relative moves from the photo's place as the driver moves, absolute
    takes the driver's place in its frame, fixed stays."""
    fps: Annotated[float, tyro.conf.arg(metavar="RATE")] = 25.0
    """Frames per second of a driver that doesn't tell: OpenPose JSON or SMPL parameters."""

    def driving(self, driver: Path | None) -> Path | str:
        """Return who gives the motion.

        Raises:
            InputError: nobody does, or two do.
        """
        given = [one for one in (driver, self.motion) if one is not None]
        if len(given) != 1:
            raise InputError("Give either a driver or --motion NAME.")
        return given[0]

    def rehearse(self, photo: Path, driver: Path | None, progress: "Progress") -> "Rehearsal":
        """Work out photo and driver.

        Raises:
            InputError: a mistake of the user's.
        """
        from bdmm.inference.driving import Reading
        from bdmm.inference.rehearsal import rehearse

        return rehearse(
            photo,
            self.driving(driver),
            Reading(self.person, self.smooth, as_rate(self.fps), progress),
            size=self.size,
            background=self.background,
            photo_person=self.photo_person,
            root=self.root,
        )
