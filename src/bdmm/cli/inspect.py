"""`bdmm inspect`: what perception finds in a photo or a video."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from bdmm.cli.report import Report, say
from bdmm.cli.resources import keep_network_blocks, use_one_thread
from bdmm.errors import InputError

_PHOTOS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".jp2", ".ppm")


@dataclass(frozen=True)
class Inspect:
    """Show what is found in a photo or a driving video: keypoints, body, foreground.

    $ bdmm inspect photo.jpg
    $ bdmm inspect dance.mp4 -o seen.mp4
    $ bdmm inspect front.jpg --more back.jpg
    $ bdmm inspect me.person
    """

    input: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """A photo, a video, or a .person file."""
    more: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PHOTO")] = ()
    """Further photos of the same person: shows what each one gave, and what was completed."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Picture or video to write; NAME_seen.png or NAME_seen.mp4 in the current folder otherwise."""
    person: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Which of several people, from the left from 1 on; the largest otherwise."""
    smooth: Annotated[float, tyro.conf.arg(metavar="FRAMES")] = 1.0
    """Temporal smoothing of a video's motion, a standard deviation in frames; 0 for none."""
    max_minutes: Annotated[float, tyro.conf.arg(metavar="MINUTES")] = 60.0
    """Refuse longer driving videos."""
    quiet: bool = False
    """Show no progress."""

    def run(self) -> None:
        """Find the person, and draw what was found."""
        if not self.input.is_file():
            raise InputError(f"The file {self.input} does not exist or is not a file.")
        keep_network_blocks()
        use_one_thread()
        if self.more or self.input.suffix.lower() == ".person":
            self._person()
        elif self.input.suffix.lower() in _PHOTOS:
            self._photo()
        else:
            self._video()

    def _photo(self) -> None:
        from bdmm.files.output_file import check_output
        from bdmm.media.image import IMAGE_SUFFIXES, write_image

        output = self.output or Path(f"{self.input.stem}_seen.png")
        check_output(output, IMAGE_SUFFIXES, [self.input])
        from bdmm.inference.inspect import inspect_photo

        picture = inspect_photo(self.input, self.person)
        write_image(output, picture)
        say(f"{output}: the photo, its foreground, the keypoints and the fitted body.")

    def _person(self) -> None:
        from bdmm.files.output_file import check_output
        from bdmm.media.image import IMAGE_SUFFIXES, write_image

        output = self.output or Path(f"{self.input.stem}_seen.png")
        check_output(output, IMAGE_SUFFIXES, [self.input])
        from bdmm.inference.inspect_person import COLOURS, inspect_person
        from bdmm.inference.person import Person

        if not self.more:
            person = Person.load(self.input)
            names = [f"photo {number + 1}" for number in range(len(person.photos))]
        elif self.input.suffix.lower() in _PHOTOS:
            photos = (self.input, *self.more)
            person = Person.from_photos(photos, photo_person=self.person)
            names = [one.name for one in photos]
        else:
            raise InputError(f"--more takes further photos of a photo, and {self.input} is none.")
        picture, shares = inspect_person(person)
        write_image(output, picture)
        given = zip(names, shares, COLOURS, strict=False)
        parts = [f"{name} {share:.0%} ({colour})" for name, share, colour in given]
        say(
            f"{output}: photos and atlas, the person from four sides, and what gave each point.\n"
            f"Of the body's surface: {', '.join(parts)}, completed {1 - sum(shares):.0%} (grey)."
        )

    def _video(self) -> None:
        from bdmm.media.video_writer import check_video_output, create_video

        output = self.output or Path(f"{self.input.stem}_seen.mp4")
        check_video_output(output, [self.input])
        from bdmm.inference.driving import DrivingOptions, VideoDriver
        from bdmm.inference.inspect import inspect_video
        from bdmm.perception.smooth import gaps

        with Report(self.quiet) as report:
            options = DrivingOptions(self.person, self.smooth, max_minutes=self.max_minutes)
            driver = VideoDriver(self.input, options, report)
            detection = driver.detect()
            motion = driver.fit(detection)
            with create_video(output, driver.frames.fps, note=None) as video:
                for picture in inspect_video(driver.frames, detection, motion, report):
                    video.write(picture)
        runs = ((first, end - 1) for first, end in gaps(~motion.flagged))
        bridged = ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in runs) or "none"
        say(f"{output}: {len(motion)} frames; bridged: {bridged}.")
