"""`bdmm prepare`: data sets and folders of videos into prepared clips."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from bdmm.batch.run import Run
from bdmm.cli.rates import as_rate
from bdmm.cli.report import Report, print_batch
from bdmm.cli.spread_options import SpreadOptions


@dataclass(frozen=True)
class Prepare:
    """Turn FashionVideo, iPER or any folder of videos into prepared clips for training.

    $ bdmm prepare fashion/ -o fashion_clips/

    Rerun the same command to resume.
    """

    input: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="INPUT")]
    """A data set, a folder of videos, or one video."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder for the clips, the report and the previews."""
    size: Annotated[int, tyro.conf.arg(metavar="PIXELS")] = 256
    """Sides of the square crop around the person."""
    sources: Annotated[int, tyro.conf.arg(metavar="K")] = 4
    """Store the warps of K frames of each clip."""
    fps: Annotated[float | None, tyro.conf.arg(metavar="RATE")] = None
    """Thin faster videos out to this rate. Default: their own."""
    folder_fps: Annotated[float, tyro.conf.arg(metavar="RATE")] = 30.0
    """Frames per second of folders of pictures."""
    error: Annotated[float, tyro.conf.arg(metavar="PIXELS")] = 0.0
    """Perturb the fits of the sources by up to this error, in pixels at 256."""
    own_poses: bool = False
    """Ignore pose files that lie next to the videos."""
    unrefined: bool = False
    """Skip fit refinement."""
    split: Literal["train", "val", "test"] | None = None
    """Prepare this part of a data set only."""
    max_minutes: Annotated[float, tyro.conf.arg(metavar="MINUTES")] = 60.0
    """Refuse longer videos."""
    limit: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Prepare at most N clips."""
    overwrite: bool = False
    """Remake finished clips."""
    quiet: bool = False
    """Show no progress."""
    spread: SpreadOptions = field(default_factory=SpreadOptions)

    def run(self) -> None:
        """Prepare the clips and say what failed and why."""
        distributor, shard = self.spread.spread(), self.spread.part()
        from bdmm.data.prepare import PrepareOptions, choose_clips, prepare_folder

        options = PrepareOptions(
            self.size,
            self.sources,
            None if self.fps is None else as_rate(self.fps),
            as_rate(self.folder_fps),
            self.error,
            not self.own_poses,
            not self.unrefined,
            self.max_minutes,
        )
        listing = choose_clips(self.input, self.split, self.limit)
        with Report(self.quiet) as report:
            run = Run(self.output, distributor, self.overwrite, report, shard)
            result = prepare_folder(listing, options, run)
        print_batch(result, self.output, report.seconds)
