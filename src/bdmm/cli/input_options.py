"""The options that every command for one photo and one driver shares."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from bdmm.cli.rates import as_rate
from bdmm.errors import InputError, Progress

if TYPE_CHECKING:
    from bdmm.inference import prepare
    from bdmm.inference.prepare import Inputs


@dataclass(frozen=True)
class InputOptions:
    """Photo and driver, how they are read, and where the work is done."""

    photo: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO")] = None
    """Picture of one whole person."""
    driver: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[DRIVER]")] = None
    """Who gives the motion: a video, a .motion file, a folder of OpenPose JSON files, or SMPL
    parameters (.npz, .pkl)."""
    _: KW_ONLY
    more: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PHOTO")] = ()
    """Further photos of the same person, up to seven, in any order: each pixel comes from the photo
    that shows it best."""
    wear: Annotated[tuple[str, ...], tyro.conf.arg(metavar="PERSON:PART")] = ()
    """Clothes of another person, a photo or a .person file: upper, lower or shoes, such as
    other.jpg:upper."""
    motion: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """A shipped motion instead of a driver: dance, squat, star_jump, turn, walk, wave."""
    size: Annotated[int | None, tyro.conf.arg(metavar="PIXELS")] = None
    """Pixels of the shorter side of the frames, never more than the photo has; 512 by default."""
    background: Annotated[str | None, tyro.conf.arg(metavar="COLOUR|FILE")] = None
    """Colour, picture or video behind the person, instead of the photo's own background. animate
    takes transparent too, for .webm, .mov, .gif and PNG files."""
    person: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Which of several people in the driver, from the left from 1 on; the largest otherwise."""
    photo_person: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Which of several people in the photo, likewise."""
    smooth: Annotated[float, tyro.conf.arg(metavar="FRAMES")] = 1.0
    """Temporal smoothing of the driver's motion, a standard deviation in frames; 0 for none."""
    root: Literal["relative", "absolute", "fixed"] = "relative"
    """Where the person goes: relative moves from the photo's place as the driver moves, absolute
    takes the driver's place in its frame, fixed stays."""
    view: Annotated[float, tyro.conf.arg(metavar="DEGREES")] = 0.0
    """Carry the camera around the person, to the right: 30 shows them from half right, 180 from
    behind. The background stays the photo's."""
    orbit: bool = False
    """Carry the camera once around the person while the motion lasts."""
    shadow: Literal["contact", "none"] = "contact"
    """A soft shadow under the feet, on the photo's own background, or none."""
    fps: Annotated[float, tyro.conf.arg(metavar="RATE")] = 25.0
    """Frames per second of a driver that does not say: OpenPose JSON or SMPL parameters."""
    max_minutes: Annotated[float, tyro.conf.arg(metavar="MINUTES")] = 60.0
    """Refuse longer driving videos."""
    max_frames: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Refuse drivers of more frames."""
    device: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """cpu, cuda, cuda:1 and so on; by default a GPU if there is one."""
    quiet: bool = False
    """Show no progress."""

    def source(self) -> Path:
        """Return the photo.

        Raises:
            InputError: there is none.
        """
        if self.photo is None:
            raise InputError("Give a photo.")
        return self.photo

    def driving(self) -> Path | str:
        """Return who gives the motion.

        Raises:
            InputError: nobody does, or two do.
        """
        given = [one for one in (self.driver, self.motion) if one is not None]
        if len(given) != 1:
            raise InputError("Give either a driver or --motion NAME.")
        if self.motion is not None:
            from bdmm.media.shipped_motions import check_shipped

            check_shipped(self.motion)
        return given[0]

    def garments(self) -> "list[prepare.Garment]":
        """Return the clothes of other people.

        Raises:
            InputError: one is not PERSON:PART, or there is no such file or part.
        """
        from bdmm.inference.prepare import Garment
        from bdmm.inference.wearing import check_part

        garments = []
        for text in self.wear:
            path, colon, part = text.rpartition(":")
            if not colon or not path:
                raise InputError(
                    f"--wear takes PERSON:PART, such as other.jpg:upper, not {text!r}."
                )
            check_part(part)
            if not Path(path).exists():
                raise InputError(f"The file {path} does not exist.")
            garments.append(Garment(path, part))
        return garments

    def prepare(
        self,
        progress: Progress,
        *,
        paste_back: bool = False,
        seed: int = 0,
        keep_video: bool = False,
        most: int | None = None,
        transparent: bool = False,
    ) -> "Inputs":
        """Read photo and driver.

        Args:
            most: pixels of the shorter side where no size is given, instead of 512.
            transparent: the background may be.

        Raises:
            InputError: a mistake of the user's.
        """
        from bdmm.inference.prepare import prepare

        options = self.checked(paste_back=paste_back, seed=seed, most=most, transparent=transparent)
        return prepare(self.source(), self.driving(), options, progress, keep_video)

    def checked(
        self,
        *,
        paste_back: bool = False,
        seed: int = 0,
        most: int | None = None,
        transparent: bool = False,
    ) -> "prepare.InputOptions":
        """Return these options as `prepare.prepare` takes them; see there.

        Raises:
            InputError: a number is out of range, or two options exclude each other.
        """
        from bdmm.inference import prepare
        from bdmm.inference.driving import DrivingOptions
        from bdmm.media.video_types import TRANSPARENT

        if self.background == TRANSPARENT and not transparent:
            raise InputError("A transparent background is for bdmm animate alone: name a colour.")
        return prepare.InputOptions(
            size=self.size,
            background=self.background,
            photo_person=self.photo_person,
            root=self.root,
            paste_back=paste_back,
            seed=seed,
            driving=DrivingOptions(
                self.person, self.smooth, as_rate(self.fps), self.max_minutes, self.max_frames
            ),
            most=most or prepare.InputOptions.most,
            more=self.more,
            view=self.view,
            orbit=self.orbit,
            shadow=self.shadow,
            wear=self.garments(),
        )
