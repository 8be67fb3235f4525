"""Weights and prepared clips in, a report out: self-reenactment beside the baselines."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from bdmm.data.clip_store import PreparedClip, find_clips
from bdmm.errors import InputError
from bdmm.evaluation.jobs.clip_job import Plan
from bdmm.evaluation.jobs.reenactment import Casting
from bdmm.evaluation.jobs.run import Workplace, all_hashes, missing_metrics, run, settings_of
from bdmm.evaluation.jobs.subjects import ReenactedClip
from bdmm.evaluation.reports.report_file import Report, program_versions
from bdmm.evaluation.systems import list_systems
from bdmm.metrics.protocols import find_protocol

KIND = "reenactment"


@dataclass(frozen=True)
class ClipChoice:
    """Which clips are judged.

    Attributes:
        folders: what ``bdmm prepare`` or ``bdmm synth`` made, or single clips.
        split: only clips of this split; all if None.
        limit: at most so many, spread evenly over all; all if None.
    """

    folders: tuple[Path, ...]
    split: str | None = None
    limit: int | None = None


@dataclass(frozen=True)
class Reenacting:
    """What is made and on what.

    Attributes:
        weights: paths, as `systems.list_systems` takes them.
        casting: who plays what in each clip.
        device: where networks work; ``cuda`` deals clips out to all GPUs.
    """

    weights: tuple[str, ...] = ()
    casting: Casting = field(default_factory=Casting)
    device: str = "cpu"


def evaluate_reenactments(
    choice: ClipChoice, making: Reenacting, plan: Plan, place: Workplace
) -> Report:
    """Judge weights, with the baselines beside, on prepared clips.

    Everything is checked before the long work. What was judged before under the same settings is
    taken from the folder.

    Args:
        choice: which clips.
        making: which systems.
        plan: how they are judged.
        place: where the work is done.

    Raises:
        InputError: see `find_clips`, `list_systems` and `run`.
    """
    systems = list_systems(making.weights)
    clips = choose_clips(choice)
    devices = _devices(making.device)
    subjects = [
        ReenactedClip(system, folder, making.casting, devices[i % len(devices)])
        for system in systems
        for i, folder in enumerate(clips)
    ]
    results = run(subjects, plan, place)
    return Report(
        kind=KIND,
        protocol=asdict(find_protocol(plan.protocol)),
        settings={
            "data": [str(path) for path in choice.folders],
            "split": choice.split,
            "limit": choice.limit,
            "casting": asdict(making.casting),
            **settings_of(plan),
        },
        systems=[asdict(one) for one in systems],
        results=results,
        detectors=all_hashes(plan),
        not_computed=missing_metrics(plan),
        versions=program_versions(),
    )


def choose_clips(choice: ClipChoice) -> list[Path]:
    """Return the folders of the clips that are judged.

    Raises:
        InputError: there are none, one is damaged, or two have one name.
    """
    found = [path for folder in choice.folders for path in find_clips(folder)]
    clips = [path for path in found if choice.split in (None, PreparedClip(path).info.split)]
    if not clips:
        raise InputError(f"None of the {len(found)} clips is of the split {choice.split}.")
    for name in (names := [path.name for path in clips]):
        if names.count(name) > 1:
            raise InputError(f"Two clips are called {name}: evaluate their folders apart.")
    if choice.limit is not None and choice.limit < len(clips):
        step = len(clips) / choice.limit
        clips = [clips[int(i * step)] for i in range(choice.limit)]
    return clips


def _devices(name: str) -> list[str]:
    if name != "cuda":
        return [name]
    if not torch.cuda.is_available():
        raise InputError("There is no GPU here: use the device cpu.")
    return [f"cuda:{i}" for i in range(torch.cuda.device_count())]
