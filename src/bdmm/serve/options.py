"""The options of a request, and the command line that they become."""

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bdmm.errors import InputError, require_size, require_within
from bdmm.media.video_types import TRANSPARENT, check_transparent
from bdmm.serve.crew import RESULT
from bdmm.serve.settings import Limits

SMALLEST = 64
SMOOTHEST = 30.0
VIEWS = (-360.0, 360.0)
SEEDS = range(-(2**63), 2**64)
MOST_PEOPLE = 100
_COLOUR = re.compile(r"[a-zA-Z]{3,20}|#[0-9a-fA-F]{6}")

PRESET_SIZES = {"fast": 384, "standard": 512, "fine": 1080}
"""Pixels of the shorter side that each preset has at most."""


class AnimationOptions(BaseModel):
    """How an animation is made; the options of `bdmm animate` have the same names."""

    model_config = ConfigDict(extra="forbid")

    preset: Annotated[
        Literal["fast", "standard", "fine"],
        Field(
            description="fast has 384 pixels and no network, standard 512, fine up to 1080; never "
            "more than the photo."
        ),
    ] = "standard"
    size: Annotated[
        int | None,
        Field(description="Pixels of the shorter side, an even number; the preset's otherwise."),
    ] = None
    background: Annotated[
        str | None,
        Field(
            description="A colour such as white or #20a040; transparent for webm, mov and gif; "
            "the photo's own otherwise."
        ),
    ] = None
    person: Annotated[
        int | None,
        Field(description="Which of several people of the driving video, from the left."),
    ] = None
    photo_person: Annotated[
        int | None, Field(description="Which of several people of the photo, from the left.")
    ] = None
    smooth: Annotated[
        float, Field(description="Temporal smoothing of a driving video's motion, in frames.")
    ] = 1.0
    root: Annotated[
        Literal["relative", "absolute", "fixed"],
        Field(description="How the driving person's path is used."),
    ] = "relative"
    view: Annotated[
        float, Field(description="Degrees by which the camera is carried around, to the right.")
    ] = 0.0
    orbit: Annotated[bool, Field(description="Carry the camera once around the person.")] = False
    shadow: Annotated[
        Literal["contact", "none"],
        Field(description="A soft shadow under the feet, on the photo's own background."),
    ] = "contact"
    paste_back: Annotated[
        bool, Field(description="Put the person back into the full-size photo.")
    ] = False
    sound: Annotated[
        Literal["keep", "none"], Field(description="Whether the driving video's sound is kept.")
    ] = "keep"
    format: Annotated[
        Literal["mp4", "mov", "webm", "gif"], Field(description="File type of the video.")
    ] = "mp4"
    model: Annotated[
        bool, Field(description="Also make the moving person for 3-D programs, glTF 2.0.")
    ] = False
    seed: Annotated[int, Field(description="The same seed gives the same video.")] = 0

    def check(self, limits: Limits) -> None:
        """Check what the command line would refuse.

        Raises:
            InputError: a value is out of range; the sentence names it.
        """
        if self.size is not None:
            require_size(self.size, SMALLEST, limits.size)
        require_within("smoothing", self.smooth, 0, SMOOTHEST)
        require_within("view", self.view, *VIEWS)
        require_within("seed", self.seed, SEEDS.start, SEEDS.stop - 1)
        for label, person in (("person", self.person), ("photo's person", self.photo_person)):
            if person is not None and not 1 <= person <= MOST_PEOPLE:
                raise InputError(f"The {label} is {person}; people are counted from 1 on.")
        if self.background is not None and not _COLOUR.fullmatch(self.background):
            raise InputError(
                f"The background {self.background} is no colour such as white or #20a040."
            )
        if self.background == TRANSPARENT:
            check_transparent(f"video.{self.format}")
        if self.paste_back and self.background is not None:
            raise InputError("Putting the person back into the photo excludes another background.")

    def words(
        self, photos: Sequence[str], driving: str | None, motion: str | None, limits: Limits
    ) -> list[str]:
        """Return the command line, for a job's folder that holds the files.

        Args:
            photos: names of the photos, the main one first.
            driving: name of the driving file, None for a shipped motion.
            motion: name of the shipped motion.
        """
        words = ["animate", photos[0]]
        words += [] if driving is None else [driving]
        words += [] if motion is None else ["--motion", motion]
        words += [] if driving is None else ["--save-motion", f"{RESULT}/motion.motion"]
        words += ["-o", f"{RESULT}/video.{self.format}", "--sheet", f"{RESULT}/sheet.jpg"]
        words += ["--more", *photos[1:]] if len(photos) > 1 else []
        words += ["--preset", self.preset, "--max-frames", str(limits.frames)]
        size = self.size
        if size is None and PRESET_SIZES[self.preset] > limits.size:
            size = limits.size
        words += [] if size is None else ["--size", str(size)]
        named = (
            "background",
            "person",
            "photo_person",
            "smooth",
            "root",
            "view",
            "shadow",
            "sound",
        )
        for option in named:
            value = getattr(self, option)
            if value is not None:
                words += [f"--{option.replace('_', '-')}", str(value)]
        words += ["--export", f"{RESULT}/model.glb"] if self.model else []
        words += ["--orbit"] if self.orbit else []
        words += ["--paste-back"] if self.paste_back else []
        return [*words, "--seed", str(self.seed)]
