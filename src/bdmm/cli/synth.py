"""`bdmm synth`: prepared clips of rendered people."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from bdmm.cli.batch_report import tell_batch
from bdmm.cli.prepare import worker_count
from bdmm.cli.rates import as_rate
from bdmm.cli.report import Report
from bdmm.errors import InputError


@dataclass(frozen=True)
class Synth:
    """Render clips of random people with ground truth, ready for training.

    bdmm synth -o people/ --clips 400

    Stopped in the middle, the same command goes on where it was. The same seed gives the same
    clips, however many processes are at work.
    """

    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder for the clips, the report and the previews."""
    clips: Annotated[int, tyro.conf.arg(metavar="N")] = 400
    """How many clips."""
    size: Annotated[int, tyro.conf.arg(metavar="PIXELS")] = 256
    """Sides of the frames."""
    frames: Annotated[int, tyro.conf.arg(metavar="N")] = 48
    """Length of a clip."""
    fps: Annotated[float, tyro.conf.arg(metavar="RATE")] = 30.0
    """Frames per second."""
    seed: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Another seed, other people."""
    sources: Annotated[int, tyro.conf.arg(metavar="K")] = 4
    """Frames of each clip whose warps are stored."""
    bvh: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """A folder of recorded motions, which half of the clips take theirs from."""
    background: Literal["studio", "natural", "random"] = "random"
    """Where people are."""
    split: Literal["train", "val", "test"] = "train"
    """What the clips are meant for."""
    no_truth: bool = False
    """Leave the ground truth out."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Processes at work; one per core otherwise. 0 works in this process alone."""
    overwrite: bool = False
    """Make finished clips again."""
    quiet: bool = False
    """Show no progress."""

    def run(self) -> None:
        """Render the clips and say what was made.

        Raises:
            InputError: a mistake of the user's, or a full disk.
        """
        workers = worker_count(self.workers)
        if self.bvh is not None and not self.bvh.is_dir():
            raise InputError(f"The folder of motions {self.bvh} does not exist.")
        from bdmm.data.clip_batch import Run
        from bdmm.data.synth import SynthOptions, find_bvh, synthesise

        options = SynthOptions(
            clips=self.clips,
            seed=self.seed,
            size=self.size,
            frames=self.frames,
            fps=as_rate(self.fps),
            sources=self.sources,
            background=self.background,
            bvh=() if self.bvh is None else tuple(find_bvh(self.bvh)),
            truth=not self.no_truth,
            split=self.split,
        )
        with Report(self.quiet) as report:
            run = Run(self.output, workers, self.overwrite, report)
            result = synthesise(options, run)
        tell_batch(result, self.output, report.seconds)
