"""What the command line says of a batch of clips."""

import sys
from typing import TYPE_CHECKING

from bdmm.cli.report import say, warn
from bdmm.errors import InputError

if TYPE_CHECKING:
    from bdmm.data.clip_batch import BatchReport


def tell_batch(report: "BatchReport", folder: object, seconds: float) -> None:
    """Print what was made, and a table of what failed and why.

    Raises:
        InputError: not a single clip is there.
    """
    for note in report.notes:
        warn(note)
    if report.failed:
        _table(report)
    if not report.clips:
        raise InputError(f"No clip could be made; the first failed with: {report.failed[0].reason}")
    frames = sum(clip["frames"] for clip in report.clips)
    flagged = sum(clip["flagged"] for clip in report.clips)
    size = sum(clip["bytes"] for clip in report.clips)
    failed = f", {len(report.failed)} failed" if report.failed else ""
    say(
        f"{folder}: {len(report.clips)} clips ({report.made} new){failed}, {frames} frames, "
        f"{flagged / frames:.1%} of them flagged, {size / frames / 1000:.1f} kB per frame, "
        f"in {seconds:.0f} s."
    )


def _table(report: "BatchReport") -> None:
    width = max(len(one.name) for one in report.failed)
    for one in report.failed:
        sys.stderr.write(f"  {one.name:<{width}}  {one.reason}\n")
    sys.stderr.flush()
