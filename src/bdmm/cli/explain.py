"""`bdmm explain`: what a network attends to while it animates a photo."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from bdmm.cli.input_options import InputOptions
from bdmm.cli.report import Report, say
from bdmm.cli.resources import keep_network_blocks


@dataclass(frozen=True)
class Explain:
    """Show what a network attends to: offsets, masks, features, sampling points, layers.

    $ bdmm explain photo.jpg dance.mp4 -o explain/
    """

    photo: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO")]
    """Picture of one whole person."""
    driver: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[DRIVER]")] = None
    """Who gives the motion, as for bdmm animate."""
    _: dataclasses.KW_ONLY
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder to write: new, or empty."""
    weights: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Trained weights, a file or the folder of a run, instead of those that ship."""
    inputs: InputOptions = field(default_factory=InputOptions)
    every: Annotated[int, tyro.conf.arg(metavar="N")] = 10
    """Keep PNG files of every Nth frame, from the first on; 1 for all, 0 for none."""
    device: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """cpu, cuda, cuda:1 and so on; by default a GPU if there is one."""
    quiet: bool = False
    """Show no progress."""

    def run(self) -> None:
        """Check everything that can be, write the explanation, and say what was written."""
        keep_network_blocks()
        self.inputs.driving(self.driver)
        from bdmm.inference.explanation_pictures import (
            check_explanation_folder,
            write_explanation,
        )

        check_explanation_folder(self.output, self.every)
        from bdmm.inference.animate import open_device
        from bdmm.inference.renderers import load_network
        from bdmm.network.weights import SHIPPED

        renderer = load_network(self.weights or SHIPPED[0], open_device(self.device), traces=True)
        with Report(self.quiet) as report:
            inputs = self.inputs.prepare(self.photo, self.driver, report, keep_video=True)
            videos = write_explanation(inputs, renderer, self.output, self.every, report)
        names = ", ".join(videos)
        say(f"{self.output}: {names}; {len(inputs)} frames in {report.seconds:.1f} s.")
