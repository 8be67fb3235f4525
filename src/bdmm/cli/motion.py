"""`bdmm motion`: a reusable motion out of a video."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from bdmm.cli.rates import as_rate
from bdmm.cli.report import Report, say
from bdmm.cli.resources import use_one_thread
from bdmm.files.output_file import check_output


@dataclass(frozen=True)
class ExtractMotion:
    """Extract the motion of a driver, for later use with bdmm animate.

    $ bdmm motion dance.mp4 -o dance.motion
    """

    driver: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DRIVER")]
    """A video, a folder of OpenPose JSON files, or SMPL parameters (.npz, .pkl)."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")]
    """The .motion file to write."""
    person: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Which of several people, from the left from 1 on; the largest otherwise."""
    smooth: Annotated[float, tyro.conf.arg(metavar="FRAMES")] = 1.0
    """Temporal smoothing of the motion, a standard deviation in frames; 0 for none."""
    fps: Annotated[float, tyro.conf.arg(metavar="RATE")] = 25.0
    """Frames per second of OpenPose JSON or SMPL parameters, which do not say."""
    max_minutes: Annotated[float, tyro.conf.arg(metavar="MINUTES")] = 60.0
    """Refuse longer driving videos."""
    quiet: bool = False
    """Show no progress."""

    def run(self) -> None:
        """Extract the motion and say what was found."""
        check_output(self.output, (".motion",))
        from bdmm.inference.driving import DrivingOptions, open_driver
        from bdmm.media.motion_file import save_motion

        use_one_thread()
        with Report(self.quiet) as report:
            options = DrivingOptions(self.person, self.smooth, as_rate(self.fps), self.max_minutes)
            motion = open_driver(self.driver, options, report).motion()
            save_motion(self.output, motion)
        bridged = int(motion.flagged.sum())
        note = f", {bridged} of them bridged" if bridged else ""
        say(
            f"{self.output}: {len(motion)} frames{note} at {float(motion.fps):.5g} fps, "
            f"{self.output.stat().st_size / 1000:.0f} kB, in {report.seconds:.1f} s."
        )
