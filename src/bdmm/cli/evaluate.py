"""`bdmm evaluate`: networks, or any system's frames, beside the truth."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from bdmm.cli.prepare import worker_count
from bdmm.cli.report import Report as Progress
from bdmm.cli.report import say, warn
from bdmm.cli.resources import use_one_thread
from bdmm.errors import InputError

if TYPE_CHECKING:
    from bdmm.evaluation.report_file import Report
    from bdmm.evaluation.run import Plan, Workplace


@dataclass(frozen=True)
class Evaluate:
    """Judge networks, or any system's frames, and write a report.

    bdmm evaluate --weights W --data clips/ -o report/

    Stopped in the middle, the same command goes on where it was.
    """

    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder of the report."""
    weights: Annotated[tuple[str, ...], tyro.conf.arg(metavar="FILE")] = ()
    """Weights files or folders of runs, each as NAME=FILE if it shall have a name."""
    data: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FOLDER")] = ()
    """Prepared clips whose own motion drives one of their frames."""
    protocol: Literal["modern", "paper"] = "modern"
    """The paper's way of judging, or one with regions and fixed ranges."""
    split: Literal["train", "val", "test"] | None = None
    """Only clips of this part of a data set."""
    limit: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """At most so many clips, spread over all."""
    first: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Only the first frames of each clip."""
    source_frame: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Number from 0 of the frame that serves as photo; the first usable one otherwise."""
    cached: bool = False
    """Use the warps stored with the clips in place of fresh geometry."""
    background: Literal["clip", "source"] = "clip"
    """Behind the person: the clip's picture of the place, or what the one photo tells."""
    detectors: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Folder with the weights that metrics need."""
    vgg: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Weights of VGG-19."""
    features_every: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Show LPIPS and VGG-19 only every so-manieth frame."""
    device: Annotated[str, tyro.conf.arg(metavar="DEVICE")] = "cpu"
    """Where networks work: cpu or cuda."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Processes at work; one per core otherwise. 0 works in this process alone."""
    again: bool = False
    """Judge again what was judged before, as after a change of the program."""
    quiet: bool = False
    """Show no progress."""

    def run(self) -> None:
        """Judge, write the report and say what it came to.

        Raises:
            InputError: a mistake of the user's, a full disk, or not one clip could be judged.
        """
        workers = worker_count(self.workers)
        self._check()
        use_one_thread()
        from bdmm.evaluation.feature_judges import Detectors
        from bdmm.evaluation.report_file import save_report
        from bdmm.evaluation.run import Plan, Workplace

        plan = Plan(self.protocol, Detectors(self.detectors, self.vgg), self.features_every)
        with Progress(self.quiet) as progress:
            place = Workplace(self.output, workers, self.again, progress)
            report = self._reenact(plan, place)
        save_report(self.output, report)
        tell(report, self.output)

    def _check(self) -> None:
        if not self.data:
            raise InputError("There is nothing to judge: give prepared clips with --data.")
        for name, value in (("limit", self.limit), ("number of first frames", self.first)):
            if value is not None and value < 1:
                raise InputError(f"The {name} is {value}; it must be 1 or more.")

    def _reenact(self, plan: "Plan", place: "Workplace") -> "Report":
        from bdmm.evaluation.reenact import Casting
        from bdmm.evaluation.reenactments import ClipChoice, Reenacting, evaluate_reenactments

        casting = Casting(self.source_frame, self.cached, self.background, self.first)
        return evaluate_reenactments(
            ClipChoice(self.data, self.split, self.limit),
            Reenacting(self.weights, casting, self.device),
            plan,
            place,
        )


def tell(report: "Report", folder: Path) -> None:
    """Print the means, what failed and what was not computed."""
    for failure in report.results.failures:
        warn(f"{failure.system}, {failure.clip}: {failure.reason}")
    for metric, reason in report.not_computed.items():
        warn(f"{metric} {reason}.")
    for system in report.names:
        for group, regions in report.results.groups.get(system, {}).items():
            for region, metrics in regions.items():
                numbers = "  ".join(f"{name} {one.mean:.4g}" for name, one in metrics.items())
                say(f"{system:<12} {group:<10} {region:<7} {numbers}")
    say(f"{folder}: {len(report.results.clips)} clips of {len(report.names)} systems.")
