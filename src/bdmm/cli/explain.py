"""`bdmm explain`: what a network attends to while it animates a photo."""

from dataclasses import dataclass
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

    inputs: InputOptions
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder to write: new, or empty."""
    weights: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Trained weights, a file or the folder of a run, instead of those that ship."""
    every: Annotated[int, tyro.conf.arg(metavar="N")] = 10
    """Keep PNG files of every Nth frame, from the first on; 1 for all, 0 for none."""

    def run(self) -> None:
        """Check everything that can be, write the explanation, and say what was written."""
        keep_network_blocks()
        self.inputs.driving()
        from bdmm.inference.explanation_pictures import (
            check_explanation_folder,
            write_explanation,
        )

        check_explanation_folder(self.output, self.every)
        from bdmm.inference.animate import open_device
        from bdmm.inference.renderers import load_network
        from bdmm.network.weights import SHIPPED

        device = open_device(self.inputs.device)
        renderer = load_network(self.weights or SHIPPED[0], device, traces=True)
        with Report(self.inputs.quiet) as report:
            inputs = self.inputs.prepare(report, keep_video=True)
            videos = write_explanation(inputs, renderer, self.output, self.every, report)
        names = ", ".join(videos)
        say(f"{self.output}: {names}; {len(inputs)} frames in {report.seconds:.1f} s.")
