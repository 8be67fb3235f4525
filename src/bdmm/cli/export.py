"""`bdmm export`: a motion, or a moving person, for programs of 3-D pictures."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from bdmm.cli.rates import as_rate
from bdmm.cli.report import Report, say
from bdmm.cli.resources import use_one_thread
from bdmm.errors import InputError
from bdmm.files.output_file import check_output

if TYPE_CHECKING:
    from bdmm.records import Person

EXPORT_SUFFIXES = (".bvh", ".glb")
"""Skeleton and motion; skinned body, texture and motion."""


@dataclass(frozen=True)
class Export:
    """Export a motion to a skeleton (.bvh) or a skinned, textured, moving body (.glb, glTF 2.0).

    $ bdmm export dance.motion -o dance.bvh
    $ bdmm export dance.motion --person me.person -o dance.glb
    $ bdmm export dance --person front.jpg back.jpg -o dance.glb
    """

    driver: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DRIVER")]
    """Who gives the motion: a .motion file, the name of a shipped motion, a video, a folder of
    OpenPose JSON files, or SMPL parameters (.npz, .pkl)."""
    _: KW_ONLY
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")]
    """File to write: .bvh or .glb."""
    person: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PHOTO")] = ()
    """Who moves: a .person file, or one to eight photos of one person. The driver's own proportions
    without a texture by default."""
    driver_person: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Which of several people of a driving video, from the left from 1 on; else the largest."""
    photo_person: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Which of several people of the first photo, likewise."""
    smooth: Annotated[float, tyro.conf.arg(metavar="FRAMES")] = 1.0
    """Temporal smoothing of a video's motion, a standard deviation in frames; 0 for none."""
    fps: Annotated[float, tyro.conf.arg(metavar="RATE")] = 25.0
    """Frames per second of OpenPose JSON or SMPL parameters, which do not say."""
    seed: int = 0
    """The same seed gives the same file."""
    quiet: bool = False
    """Show no progress."""

    def run(self) -> None:
        """Read motion and person, and write the file."""
        check_output(self.output, EXPORT_SUFFIXES, (self.driver, *self.person))
        use_one_thread()
        from bdmm.export.files import export_motion
        from bdmm.inference.driving import DrivingOptions, open_driver

        with Report(self.quiet) as report:
            options = DrivingOptions(self.driver_person, self.smooth, as_rate(self.fps))
            driver = open_driver(self.driver, options, report)
            person = self._person(report) if self.person else None
            skeleton = export_motion(self.output, driver.motion(), person)
        say(
            f"{self.output}: {len(skeleton)} frames at {float(skeleton.fps):.5g} fps, "
            f"{self.output.stat().st_size / 1000:.0f} kB, in {report.seconds:.1f} s."
        )

    def _person(self, report: Report) -> "Person":
        from bdmm.appearance.person_file import SUFFIX, load_person
        from bdmm.inference.person import Person

        if any(path.suffix.lower() == SUFFIX for path in self.person):
            first, *others = self.person
            if others:
                raise InputError("A person holds its photos already: leave the further photos out.")
            return load_person(first)
        report("Making the person ready", 0, 1)
        person = Person.from_photos(self.person, photo_person=self.photo_person, seed=self.seed)
        report("Making the person ready", 1, 1)
        return person
