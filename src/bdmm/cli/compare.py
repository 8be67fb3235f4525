"""`bdmm compare`: several networks at the same photo and motion, in one video."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import tyro

from bdmm.cli.input_options import InputOptions
from bdmm.cli.report import Report, say
from bdmm.cli.resources import keep_network_blocks


@dataclass(frozen=True)
class Compare:
    """Compare networks on one photo and one motion, side by side in one video.

    $ bdmm compare photo.jpg dance.mp4 --weights ours=runs/a theirs=b.safetensors -o grid.mp4

    The panels are source, driver, coarse warp, and each network.
    """

    inputs: InputOptions
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")]
    """Video to write: .mp4, .mov, .mkv, .webm or .gif; a name without a suffix becomes a folder of
    PNG files."""
    weights: Annotated[tuple[str, ...], tyro.conf.arg(metavar="FILE")] = ()
    """Weights files or folders of runs, each as NAME=FILE if it shall have a name; layered is the
    network that ships."""
    sound: bool = False
    """Carry the driver's sound over."""
    crf: int = 18
    """Constant rate factor of the video, 0 (best) to 51."""

    def run(self) -> None:
        """Check everything that can be, make the frames of all, and say what was written."""
        keep_network_blocks()
        self.inputs.driving()
        from bdmm.evaluation.systems import COARSE, list_systems, open_system
        from bdmm.media.video_writer import check_crf, check_video_output, create_video

        systems = list_systems(self.weights, (COARSE,))
        check_video_output(self.output)
        check_crf(self.crf)
        from bdmm.inference.animate import compare, open_device

        device = open_device(self.inputs.device)
        renderers = {name: open_system(where, device) for name, where in systems.items()}
        with Report(self.inputs.quiet) as report:
            inputs = self.inputs.prepare(report, keep_video=True)
            sound = inputs.sound if self.sound else None
            with create_video(
                self.output,
                inputs.fps,
                sound_from=None if sound is None else sound.path,
                sound_start=Fraction(0) if sound is None else sound.start,
                crf=self.crf,
            ) as video:
                for picture in compare(inputs, renderers, report):
                    video.write(picture)
        panels = ", ".join(("source", "driving", *renderers))
        say(f"{self.output}: {len(inputs)} frames of {panels}, in {report.seconds:.1f} s.")
