"""Any system's frames on disk in, a report out."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from bdmm.data.raw_clip import picture_files
from bdmm.evaluation.jobs.clip_job import Plan
from bdmm.evaluation.jobs.layouts import StoredClip, Tell, find_stored
from bdmm.evaluation.jobs.reenactment import JudgedFrame
from bdmm.evaluation.jobs.run import Workplace, all_hashes, missing_metrics, run, settings_of
from bdmm.evaluation.jobs.subjects import group_of
from bdmm.evaluation.reports.report_file import Report, program_versions
from bdmm.evaluation.systems import System, split_name
from bdmm.files.fingerprint import fingerprint
from bdmm.media.video_reader import VideoReader
from bdmm.metrics.protocols import find_protocol

KIND = "frames"
FOLDER_FPS = 25.0
"""Frames per second at which folders of pictures, which don't tell, are shown."""


@dataclass(frozen=True)
class FramesOnDisk:
    """A clip of a system, read from disk; a `subjects.Subject`.

    Attributes:
        system: its name.
        stored: where the frames are.
        side: height and width to bring frames to; as they are if None.
        skip_bad: leave bad frames out, and say so.
    """

    system: str
    stored: StoredClip
    side: int | None = None
    skip_bad: bool = False

    @property
    def clip(self) -> str:
        """Return the clip's name."""
        return self.stored.name

    @property
    def group(self) -> str:
        """Return the first part of the clip's name."""
        return group_of(self.clip)

    @property
    def fps(self) -> float:
        """Return the true video's frames per second, else `FOLDER_FPS`."""
        path = self.stored.target
        return float(VideoReader(path).fps) if path.is_file() else FOLDER_FPS

    def identity(self) -> Mapping[str, Any]:
        """Return what the frames depend on: of folders, the names and sizes of files."""
        return {
            "clip": self.clip,
            "kind": self.stored.kind,
            "generated": _fingerprint(self.stored.generated),
            "target": _fingerprint(self.stored.target),
            "side": self.side,
            "skip_bad": self.skip_bad,
        }

    def frames(self, tell: Tell) -> Iterator[JudgedFrame]:
        """Read the frames."""
        size = None if self.side is None else (self.side, self.side)
        left_out: list[str] = []

        def skip(reason: str) -> None:
            left_out.append(reason)
            tell(reason)

        pairs = self.stored.pairs(size, skip if self.skip_bad else None)
        for place, pair in enumerate(pairs):
            yield JudgedFrame(place + len(left_out), pair)


def evaluate_frames(
    generated: str, target: Path | None, plan: Plan, place: Workplace, skip_bad: bool = False
) -> Report:
    """Judge the frames that a system left on disk.

    Args:
        generated: a video, folder of pictures or folder of clips, as ``NAME=PATH`` if the system
            shall have a name.
        target: the truth; None where the output holds it.
        plan: how they are judged.
        place: where the work is done.
        skip_bad: leave out frames that cannot be read or are of another size; the report says
            which.

    Raises:
        InputError: see `find_stored` and `run`.
    """
    name, path = split_name(generated)
    rules = find_protocol(plan.protocol)
    clips = find_stored(path, target)
    subjects = [FramesOnDisk(name, one, rules.frame_size, skip_bad) for one in clips]
    results = run(subjects, plan, place)
    missing = missing_metrics(plan)
    missing["keypoint error"] = "not computed: needs prepared clips, which know the motion"
    if rules.regions:
        missing["person, face, hands"] = "not computed: needs prepared clips, which know the person"
    return Report(
        kind=KIND,
        protocol=asdict(rules),
        settings={
            "generated": str(path),
            "target": None if target is None else str(target),
            "layouts": sorted({one.kind for one in clips}),
            "skip_bad": skip_bad,
            **settings_of(plan),
        },
        systems=[asdict(System(name, str(path)))],
        results=results,
        detectors=all_hashes(plan),
        not_computed=missing,
        versions=program_versions(),
    )


@lru_cache(maxsize=4096)
def _fingerprint(path: Path) -> str:
    return fingerprint(path, picture_files(path) if path.is_dir() else None)
