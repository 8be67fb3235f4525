"""`bdmm evaluate`, `bdmm score`, `bdmm table`: networks or frames into reports and tables."""

from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from bdmm.cli.report import Report as Progress
from bdmm.cli.report import say, warn
from bdmm.cli.resources import keep_network_blocks, use_one_thread
from bdmm.cli.spread_options import SpreadOptions

if TYPE_CHECKING:
    from bdmm.evaluation.config import EvalConfig
    from bdmm.evaluation.reports.report_file import Report


@dataclass(frozen=True)
class Scoring:
    """Options of everything that scores frames and writes a report."""

    protocol: Literal["modern", "paper"] = "modern"
    """Rules: the paper's own, or one with regions and fixed ranges."""
    detectors: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Folder with the weights that metrics need."""
    download: bool = False
    """First fetch the weights that this folder lacks from their publishers (1.5 GB in all)."""
    vgg: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Weights of VGG-19."""
    features_every: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Compute LPIPS, VGG-19 and FID's features on every N-th frame only."""
    real: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FOLDER")] = ()
    """Prepared clips of the training set, for FID and FVD-Train."""
    no_distribution_metrics: bool = False
    """Skip FID, FVD and the like."""
    device: Annotated[str, tyro.conf.arg(metavar="DEVICE")] = "cpu"
    """Device of the networks: cpu or cuda."""
    pictures: Annotated[int, tyro.conf.arg(metavar="N")] = 12
    """Clips with pictures and videos in the report, spread over all."""
    recompute: bool = False
    """Score finished clips again, such as after a change of the program."""
    quiet: bool = False
    """Show no progress."""
    spread: SpreadOptions = field(default_factory=SpreadOptions)

    def config(self) -> "EvalConfig":
        """Return the configuration of these options.

        Raises:
            InputError: a value is out of its range.
        """
        from bdmm.evaluation.config import EvalConfig

        return EvalConfig(
            protocol=self.protocol,
            detectors=self.detectors,
            vgg19=self.vgg,
            device=self.device,
            features_every=self.features_every,
            distribution_metrics=not self.no_distribution_metrics,
            training_set=self.real,
            distributor=self.spread.spread(),
            shard=self.spread.part(),
            recompute=self.recompute,
            pictures=self.pictures,
        )

    def prepare(self, progress: Progress) -> None:
        """Set the process up, and fetch weights if the user asks for it.

        Raises:
            InputError: weights cannot be fetched.
        """
        use_one_thread()
        keep_network_blocks()
        if self.download:
            from bdmm.metrics.weight_files import PUBLISHED_WEIGHTS, download_missing

            download_missing(PUBLISHED_WEIGHTS.values(), self.detectors, progress)


@dataclass(frozen=True)
class Evaluate:
    """Evaluate networks by self-reenactment of prepared clips and write a report.

    $ bdmm evaluate --weights layered --data clips/ -o report/

    One frame of each clip is the photo, the clip's own motion drives it, and its other frames are
    the truth. The baselines copy and coarse are always included. Rerun to resume.
    """

    data: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FOLDER")]
    """Prepared clips, or folders of them."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder of the report."""
    weights: Annotated[tuple[str, ...], tyro.conf.arg(metavar="FILE")] = ()
    """Weights files or folders of runs, bare or as NAME=FILE; layered is the network that ships."""
    split: Literal["train", "val", "test"] | None = None
    """Only clips of this part of a data set."""
    limit: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """At most N clips, spread over all."""
    first: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Only the first N frames of each clip."""
    source_frame: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Number, from 0, of the frame that serves as the photo; default: the first usable one."""
    cached: bool = False
    """Use the warps stored with the clips instead of new geometry."""
    background: Literal["clip", "source"] = "clip"
    """Background: the clip's own picture of the place, or the source frame without the person."""
    poses: bool = False
    """Detect keypoints in generated frames and compare them with the driving ones."""
    scoring: Scoring = field(default_factory=Scoring)

    def run(self) -> None:
        """Score all clips, write the report and print the means.

        Raises:
            InputError: a mistake of the user's, a full disk, or not one clip could be scored.
        Unfinished: other shards have not ended.
        """
        from bdmm.evaluation.evaluate import evaluate_clips

        config = replace(
            self.scoring.config(),
            source_frame=self.source_frame,
            cached=self.cached,
            background=self.background,
            first=self.first,
            keypoints=self.poses,
        )
        with Progress(self.scoring.quiet) as progress:
            self.scoring.prepare(progress)
            report = evaluate_clips(
                self.weights,
                self.data,
                self.output,
                config,
                split=self.split,
                limit=self.limit,
                progress=progress,
            )
        publish(self.output, report)


@dataclass(frozen=True)
class Score:
    """Score any system's frames on disk against the true frames and write a report.

    $ bdmm score generated/ true/ -o report/
    $ bdmm score ours=strips/ -o report/

    Rerun to resume.
    """

    generated: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="GENERATED")]
    """A video, a folder of pictures, or a folder of clips; bare or as NAME=PATH."""
    target: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[TARGET]")] = None
    """The true frames in the same form; not needed where the system's output holds them."""
    _: KW_ONLY
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder of the report."""
    skip_bad: bool = False
    """Leave out frames that cannot be read, and list them in the report."""
    scoring: Scoring = field(default_factory=Scoring)

    def run(self) -> None:
        """Score all clips, write the report and print the means.

        Raises:
            InputError: a mistake of the user's, a full disk, or not one clip could be scored.
        Unfinished: other shards have not ended.
        """
        from bdmm.evaluation.evaluate import score_stored

        config = replace(self.scoring.config(), skip_bad=self.skip_bad)
        with Progress(self.scoring.quiet) as progress:
            self.scoring.prepare(progress)
            report = score_stored(self.generated, self.target, self.output, config, progress)
        publish(self.output, report)


@dataclass(frozen=True)
class Table:
    """Put the systems of several reports into one table: Markdown, LaTeX and HTML.

    $ bdmm table ours=report1 warp=report2:coarse -o table/
    """

    reports: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME=REPORT[:SYSTEM]")
    ]
    """Reports of bdmm evaluate or bdmm score; with :SYSTEM where a report has several networks."""
    _: KW_ONLY
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder of the table."""
    published: Literal["table 1 fashion", "table 1 iper", "table 2", "table s1"] | None = None
    """Add numbers printed in the paper below, marked as such."""

    def run(self) -> None:
        """Write and print the tables.

        Raises:
            InputError: a mistake of the user's, or reports that cannot be compared.
        """
        from bdmm.evaluation.reports.comparison import compare, save_tables
        from bdmm.evaluation.reports.tables import to_text

        tables = compare(self.reports, self.published)
        save_tables(self.output, tables)
        for table in tables:
            say(to_text(table, "md"))


def publish(folder: Path, report: "Report") -> None:
    """Write the report and print the means, what failed and what was not computed.

    Raises:
        InputError: the report cannot be written.
    """
    from bdmm.evaluation.reports.page import save_page
    from bdmm.evaluation.reports.report_file import save_report
    from bdmm.evaluation.reports.tables import group_tables, to_text

    save_report(folder, report)
    page = save_page(folder, report)
    results = report.results
    for failure in results.failures:
        warn(f"{failure.system}, {failure.clip}: {failure.reason}")
    for clip in results.clips:
        for note in clip.notes:
            warn(f"{clip.system}, {clip.clip}: {note}")
    for metric, reason in (*report.not_computed.items(), *results.sets_missing.items()):
        warn(f"{metric} {reason}.")
    group = next(iter(next(iter(results.groups.values()))))
    for table in group_tables(results, group, results.sets):
        say(to_text(table, "md"))
    say(f"The report is {page}.")
