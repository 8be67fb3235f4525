"""`bdmm evaluate`: networks, or any system's frames, beside the truth."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from bdmm.cli.prepare import worker_count
from bdmm.cli.report import Report as Progress
from bdmm.cli.report import say, warn
from bdmm.cli.resources import keep_network_blocks, use_one_thread
from bdmm.errors import InputError

if TYPE_CHECKING:
    from bdmm.evaluation.jobs.clip_job import Plan
    from bdmm.evaluation.jobs.run import Workplace
    from bdmm.evaluation.reports.report_file import Report


@dataclass(frozen=True)
class Evaluate:
    """Judge networks, or any system's frames, and write a report.

    bdmm evaluate --weights layered --data clips/ -o report/

    bdmm evaluate --frames generated/ --target true/ -o report/

    bdmm evaluate --compare ours=report1 warp=report2 -o table/

    Stopped in the middle, the same command goes on where it was.
    """

    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder of the report."""
    weights: Annotated[tuple[str, ...], tyro.conf.arg(metavar="FILE")] = ()
    """Weights files or folders of runs, each as NAME=FILE if it shall have a name; layered is the
    network that ships."""
    data: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FOLDER")] = ()
    """Prepared clips whose own motion drives one of their frames."""
    frames: Annotated[str | None, tyro.conf.arg(metavar="PATH")] = None
    """Frames of any system: a video, a folder of pictures, or a folder of clips."""
    target: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """The true frames in the same form; not needed where the system's output holds them."""
    compare: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=REPORT")] = ()
    """Reports that make one table."""
    published: Literal["table 1 fashion", "table 1 iper", "table 2", "table s1"] | None = None
    """Numbers that the paper prints, below those that are compared and marked as such."""
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
    download: bool = False
    """First fetch from their publishers whatever weights that folder lacks (1.5 GB in all)."""
    vgg: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Weights of VGG-19."""
    features_every: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Show LPIPS and VGG-19 only every so-manieth frame."""
    real: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FOLDER")] = ()
    """Prepared clips of the training set, which FID and FVD-Train are distances from."""
    no_sets: bool = False
    """Leave out distances of sets: FID, FVD and the like."""
    poses: bool = False
    """Find the keypoints again in the generated frames: does the person do the motion?"""
    device: Annotated[str, tyro.conf.arg(metavar="DEVICE")] = "cpu"
    """Where networks work: cpu or cuda."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Processes at work; one per core otherwise. 0 works in this process alone."""
    skip_bad: bool = False
    """Leave frames out that cannot be read, and say which."""
    pictures: Annotated[int, tyro.conf.arg(metavar="N")] = 12
    """Clips of which the report shows pictures and videos, spread over all."""
    again: bool = False
    """Judge again what was judged before, as after a change of the program."""
    quiet: bool = False
    """Show no progress."""

    def run(self) -> None:
        """Judge, write the report and say what it came to.

        Raises:
            InputError: a mistake of the user's, a full disk, or not one clip could be judged.
        """
        self._check()
        if self.compare:
            self._compare()
            return
        workers = worker_count(self.workers)
        use_one_thread()
        keep_network_blocks()
        from bdmm.evaluation.jobs.clip_job import Plan
        from bdmm.evaluation.jobs.feature_metrics import Detectors
        from bdmm.evaluation.jobs.run import Workplace
        from bdmm.evaluation.reports.page import save_page
        from bdmm.evaluation.reports.report_file import save_report
        from bdmm.metrics.weight_files import PUBLISHED_WEIGHTS, download_missing

        plan = Plan(
            self.protocol,
            Detectors(self.detectors, self.vgg, self.device),
            self.features_every,
            self.poses,
            not self.no_sets,
            self.real,
        )
        with Progress(self.quiet) as progress:
            if self.download:
                download_missing(PUBLISHED_WEIGHTS.values(), self.detectors, progress)
            place = Workplace(self.output, workers, self.again, self.pictures, progress)
            report = self._reenact(plan, place) if self.data else self._read(plan, place)
        save_report(self.output, report)
        page = save_page(self.output, report)
        tell(report, page)

    def _check(self) -> None:
        """Check that the options name one thing to do."""
        asked = {"--data": self.data, "--frames": self.frames, "--compare": self.compare}
        given = [name for name, value in asked.items() if value]
        if len(given) != 1:
            said = " and ".join(given) + " exclude each other" if given else "nothing is judged"
            raise InputError(f"Give one of {', '.join(asked)}: {said}.")
        belongs = {
            "--weights": (self.weights, "--data"),
            "--target": (self.target, "--frames"),
            "--published": (self.published, "--compare"),
        }
        for name, (value, partner) in belongs.items():
            if value and given != [partner]:
                raise InputError(f"{name} goes with {partner}; leave it out or give {partner}.")
        for name, value in (("limit", self.limit), ("number of first frames", self.first)):
            if value is not None and value < 1:
                raise InputError(f"The {name} is {value}; it must be 1 or more.")

    def _compare(self) -> None:
        from bdmm.evaluation.reports.comparison import compare, save_tables
        from bdmm.evaluation.reports.tables import to_markdown

        tables = compare(self.compare, self.published)
        save_tables(self.output, tables)
        for table in tables:
            say(to_markdown(table))

    def _read(self, plan: "Plan", place: "Workplace") -> "Report":
        from bdmm.evaluation.stored_frames import evaluate_frames

        assert self.frames is not None
        return evaluate_frames(self.frames, self.target, plan, place, self.skip_bad)

    def _reenact(self, plan: "Plan", place: "Workplace") -> "Report":
        from bdmm.evaluation.evaluate import ClipChoice, Reenacting, evaluate_reenactments
        from bdmm.evaluation.jobs.reenactment import Casting

        casting = Casting(self.source_frame, self.cached, self.background, self.first)
        return evaluate_reenactments(
            ClipChoice(self.data, self.split, self.limit),
            Reenacting(self.weights, casting, self.device),
            plan,
            place,
        )


def tell(report: "Report", page: Path) -> None:
    """Print the means, what failed and what was not computed."""
    from bdmm.evaluation.jobs.results import ALL
    from bdmm.evaluation.reports.tables import table_of, to_markdown

    for failure in report.results.failures:
        warn(f"{failure.system}, {failure.clip}: {failure.reason}")
    for clip in report.results.clips:
        for note in clip.notes:
            warn(f"{clip.system}, {clip.clip}: {note}")
    for metric, reason in (*report.not_computed.items(), *report.results.sets_missing.items()):
        warn(f"{metric} {reason}.")
    groups = report.results.groups
    group = next(iter(next(iter(groups.values()))))
    means = {name: of.get(group, {}) for name, of in groups.items()}
    sets = report.results.sets
    for region in dict.fromkeys(region for of in means.values() for region in of):
        title = f"{'all clips' if group == ALL else group}: {region}"
        say(to_markdown(table_of(title, means, [region], sets=sets)))
        sets = ()
    say(f"The report is {page}.")
