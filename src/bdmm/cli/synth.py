"""`bdmm synth`: prepared clips of rendered people."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from bdmm.batch.run import Run
from bdmm.cli.rates import as_rate
from bdmm.cli.report import Report, print_batch
from bdmm.cli.spread_options import SpreadOptions
from bdmm.errors import InputError


@dataclass(frozen=True)
class Synth:
    """Render clips of random people with ground truth, ready for training.

    $ bdmm synth -o people/ --clips 400

    Rerun the same command to resume. The same seed gives the same clips for any number of
    processes.
    """

    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder for the clips, the report and the previews."""
    clips: Annotated[int, tyro.conf.arg(metavar="N")] = 400
    """Number of clips."""
    size: Annotated[int, tyro.conf.arg(metavar="PIXELS")] = 256
    """Sides of the frames."""
    frames: Annotated[int, tyro.conf.arg(metavar="N")] = 48
    """Length of a clip."""
    fps: Annotated[float, tyro.conf.arg(metavar="RATE")] = 30.0
    """Frames per second."""
    seed: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Seed of people, clothes, places and motions."""
    sources: Annotated[int, tyro.conf.arg(metavar="K")] = 4
    """Store the warps of K frames of each clip."""
    bvh: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """A folder of recorded motions for half of the clips."""
    background: Literal["studio", "natural", "random"] = "random"
    """Background of the frames."""
    split: Literal["train", "val", "test"] = "train"
    """Split that the clips are marked with."""
    no_truth: bool = False
    """Store no ground truth."""
    overwrite: bool = False
    """Remake finished clips."""
    quiet: bool = False
    """Show no progress."""
    spread: SpreadOptions = field(default_factory=SpreadOptions)

    def run(self) -> None:
        """Render the clips and say what was made."""
        distributor, shard = self.spread.spread(), self.spread.part()
        if self.bvh is not None and not self.bvh.is_dir():
            raise InputError(f"The folder of motions {self.bvh} does not exist.")
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
            run = Run(self.output, distributor, self.overwrite, report, shard)
            result = synthesise(options, run)
        print_batch(result, self.output, report.seconds)
