"""Evaluate the runs of `replicate.py`: held-out people, clean and under graded noise, the curve.

Writes evaluation/results.json under the study's folder. Evaluated clips are kept, not done again.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import noise_trials

from bdmm.batch.distributor import Distributor
from bdmm.data.clip_store import PreparedClip
from bdmm.evaluation.config import EvalConfig, EvalFrame, EvalItem, Notify
from bdmm.evaluation.evaluate import run
from bdmm.evaluation.jobs.reenactment import Reenactment, choose_clips, reenactment_items
from bdmm.evaluation.jobs.scores import Results, dump
from bdmm.evaluation.systems import list_systems, open_system
from bdmm.files.output_file import appearing, writing
from bdmm.inference.render import Renderer

RESULTS = Path("evaluation") / "results.json"
PAIR = ("full", "no-backward")
"""Rows that are evaluated under graded noise: both directions, and forward alone."""
FRAMES, FEATURES_EVERY, REAL_FRAMES = 12, 6, 48
"""The first frames of a clip are evaluated, of a real one more; VGG-19 sees every so many."""
KINDS = ("drop", "jitter", "swap", "freeze")
STRENGTHS = (1 / 3, 2 / 3, 1.0)
STRIDE, CURVE_CLIPS = 4, 16
"""Under noise every fourth clip is evaluated."""
_NO_PICTURES = 10**6
"""Frames from one whose features are compared to the next: the first frame's alone."""

Numbers = dict[str, dict[str, dict[str, float]]]
"""System -> clip -> ``region.metric`` -> mean over the clip's frames."""


@dataclass(frozen=True)
class Settings:
    """How runs are evaluated.

    Attributes:
        vgg: weights of VGG-19.
        processes: that evaluate.
        main: rows that are evaluated on true poses too.
        real: prepared clips of real people, if any.
    """

    vgg: Path
    processes: int
    main: Sequence[str]
    real: Path | None = None


def evaluate(
    folder: Path, runs: Mapping[str, Path], curves: Mapping[str, Path], settings: Settings
) -> None:
    """Evaluate whatever runs are finished.

    Args:
        folder: of the study.
        runs: such as ``full-0`` -> a run's folder.
        curves: such as ``full-0 100`` -> weights of a checkpoint.
        settings: how.

    Raises:
        InputError: clips are missing or damaged, or see `evaluate.run`.
    """
    systems = list_systems([f"{name}={path}" for name, path in runs.items()])
    at = {name: str(path) for name, path in curves.items()}
    baselines = {name: where for name, where in systems.items() if name not in runs}
    main, pairs, full = (
        {name: where for name, where in systems.items() if name.rpartition("-")[0] in rows}
        for rows in (settings.main, PAIR, PAIR[:1])
    )
    config = EvalConfig(
        vgg19=settings.vgg,
        features_every=FEATURES_EVERY,
        first=FRAMES,
        distributor=Distributor(settings.processes),
    )
    frames = replace(config, distribution_metrics=False)
    plain = replace(frames, features_every=_NO_PICTURES)
    stored, frames_stored, few = (replace(one, cached=True) for one in (config, frames, plain))
    held, true = (choose_clips((folder / what,)) for what in ("held64", "held64-true"))
    some = choose_clips((folder / "held64",), limit=CURVE_CLIPS)
    real = replace(frames, first=REAL_FRAMES)
    sets = {
        "noisy": (stored_poses(systems, held, stored), stored),
        "clean": (stored_poses(baselines | main, true, frames_stored), frames_stored),
        "curve": (stored_poses(at, some, few), few),
        "noise": (noisy_poses(pairs, true[::STRIDE], plain), plain),
    }
    if settings.real is not None:
        sets["real"] = (
            reenactment_items(baselines | full, choose_clips((settings.real,)), real),
            real,
        )
    found = {
        name: numbers_of(_run(items, how, folder, name))
        for name, (items, how) in sets.items()
        if items
    }
    path = folder / RESULTS
    with appearing(path) as part, writing(path):
        part.write_text(dump(found, indent=1) + "\n", encoding="utf-8")


def read_results(folder: Path) -> dict[str, Any]:
    """Return what was evaluated so far; empty where nothing was."""
    path = folder / RESULTS
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def stored_poses(
    systems: Mapping[str, str], clips: Sequence[Path], config: EvalConfig
) -> list[EvalItem]:
    """Return every clip of every system, with heatmaps from the keypoints stored with the clip."""
    items = reenactment_items(systems, clips, config)
    where = [(place, folder) for place in systems.values() for folder in clips]
    return [
        replace(
            item,
            identity={**item.identity, "heatmaps": "stored"},
            open=partial(_reenact, folder, config, place),
        )
        for item, (place, folder) in zip(items, where, strict=True)
    ]


def noisy_poses(
    systems: Mapping[str, str], clips: Sequence[Path], config: EvalConfig
) -> list[EvalItem]:
    """Return every clip of every system under graded noise; heatmaps go with the stored warps."""
    points: dict[noise_trials.Point, EvalConfig] = {
        "heatmaps": replace(config, cached=True),
        "body": config,
    }
    items: list[EvalItem] = []
    for point, how in points.items():
        trials = noise_trials.list_trials(STRENGTHS, KINDS, (point,))
        items += noise_trials.noisy_items(systems, trials, clips, how)
    return items


def numbers_of(results: Results) -> dict[str, Any]:
    """Return the means of every clip of every system, and the Fréchet distances of systems."""
    clips: Numbers = {}
    for one in results.clips:
        if one.clip in results.left_out:
            continue
        clips.setdefault(one.system, {})[one.clip] = {
            f"{region}.{metric}": summary.mean
            for region, metrics in one.scores.items()
            for metric, summary in metrics.items()
        }
    frechet = {one.system: one.mean for one in results.sets if one.name.startswith("frechet_vgg19")}
    return {"clips": clips, "frechet": frechet}


def _run(items: Sequence[EvalItem], config: EvalConfig, folder: Path, name: str) -> Results:
    show: Callable[[str, int, int | None], None] = partial(_show, name)
    return run(items, config, folder / "evaluation" / name, show)


def _show(name: str, stage: str, done: int, total: int | None) -> None:
    if done % 100 == 0 or done == total:
        print(f"{name}: {stage}, {done} of {total}", flush=True)


def _reenact(
    folder: Path, config: EvalConfig, where: str, notify: Notify
) -> tuple[float, Iterator[EvalFrame]]:
    del notify
    clip = PreparedClip(folder)
    made = Reenactment(clip, config, keypoints=clip.keypoints())
    return float(clip.info.fps), made.frames(_renderer(where))


@lru_cache(maxsize=2)
def _renderer(where: str) -> Renderer:
    return open_system(where)
