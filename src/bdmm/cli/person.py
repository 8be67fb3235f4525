"""`bdmm person`: photos of a person to a file that is animated as often as wanted."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from bdmm.cli.report import Report, say
from bdmm.cli.resources import keep_network_blocks, use_one_thread
from bdmm.errors import InputError
from bdmm.files.output_file import check_output


@dataclass(frozen=True)
class MakePerson:
    """Make a person ready from photos, once, for bdmm animate, inspect and compare.

    $ bdmm person front.jpg back.jpg -o me.person
    $ bdmm person turning.mp4 -o me.person
    """

    photos: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO")]
    """One to eight photos of one person, or a clip in which they turn. The first one's frame and
    background are the video's."""
    _: dataclasses.KW_ONLY
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")]
    """File to write, with the suffix .person."""
    size: Annotated[int | None, tyro.conf.arg(metavar="PIXELS")] = None
    """Pixels of the first photo's shorter side that are kept. Default: its own, at most 720."""
    photo_person: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Which of several people in the first photo, from the left from 1 on; else the largest."""
    seed: int = 0
    """The same seed gives the same file."""
    quiet: bool = False
    """Show no progress."""

    def run(self) -> None:
        """Fit all photos together and write the person."""
        if not self.photos:
            raise InputError("Give at least one photo of the person.")
        from bdmm.appearance.person_file import SUFFIX

        check_output(self.output, (SUFFIX,))
        keep_network_blocks()
        use_one_thread()
        from bdmm.inference.person import Person

        with Report(self.quiet) as report:
            report("Making the person ready", 0, 1)
            person = Person.from_photos(
                self.photos, size=self.size, photo_person=self.photo_person, seed=self.seed
            )
            report("Making the person ready", 1, 1)
            person.save(self.output)
        count = len(person.photos)
        say(
            f"{self.output}: a person from {count} photo{'s' if count > 1 else ''}, in "
            f"{report.seconds:.1f} s."
        )
