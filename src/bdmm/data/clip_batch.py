"""Many clips into one folder: finished clips are skipped, failures are reported.

FOLDER/recipe.json   the options of the clips; a folder has one recipe
FOLDER/report.json   finished clips, and failures with their reasons
FOLDER/clips/NAME/   the prepared clips
FOLDER/previews/     a picture of each, for the user alone
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from bdmm.data.clip_store import PreparedClip
from bdmm.errors import InputError
from bdmm.files.names import is_file_name, remove_inside
from bdmm.files.output_file import check_folder, locked, sweep, write_whole, writing
from bdmm.files.outside import TEXT, read_json
from bdmm.files.worker_pool import run_jobs

CLIPS, PREVIEWS, RECIPE, REPORT = "clips", "previews", "recipe.json", "report.json"


@dataclass(frozen=True)
class ClipJob:
    """A job that makes the clip of its name, which is that of the clip's folder."""

    name: str


J = TypeVar("J", bound=ClipJob)


@dataclass(frozen=True)
class Failure:
    """A clip that was not made."""

    name: str
    reason: str


@dataclass(frozen=True)
class BatchReport:
    """The result of a batch.

    Attributes:
        clips: of every finished clip: name, frames, flagged frames and bytes.
        made: how many of them were made by this run.
    """

    clips: tuple[dict[str, Any], ...]
    made: int
    failed: tuple[Failure, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """How a batch is run.

    Attributes:
        workers: number of processes; 0 for none but this one.
        overwrite: remake finished clips, and accept another recipe than before.
        progress: called with the stage, the number of clips done and of all clips.
    """

    folder: Path
    workers: int
    overwrite: bool = False
    progress: Callable[[str, int, int | None], None] = lambda stage, done, total: None


def run_batch(
    run: Run,
    recipe: Mapping[str, Any],
    jobs: Sequence[J],
    work: Callable[[J], None],
    missing: Sequence[Failure] = (),
) -> BatchReport:
    """Make the clips that are missing, and write the report.

    Args:
        recipe: all that the clips' contents depend on, except their inputs.
        work: makes a job's clip in ``folder/clips``; sent to other processes.

    Raises:
        InputError: another run is at work in the folder, it holds clips of another recipe, or the
            disk is full.
    """
    assert all(is_file_name(job.name) for job in jobs), "names lead out of the folder of clips"
    with opened(run, recipe):
        todo = [job for job in jobs if not _finished(run, job.name)]
        done, total = len(jobs) - len(todo), len(jobs)
        stage = "Making clips"
        run.progress(stage, done, total)
        failed, notes = list(missing), []
        for outcome in run_jobs(work, todo, run.workers):
            done += 1
            run.progress(stage, done, total)
            if outcome.no_room:
                raise InputError(
                    f"{outcome.reason} Finished clips were kept; run the same command again to go "
                    "on."
                )
            notes += [f"{outcome.job.name}: {note}" for note in outcome.notes]
            if outcome.reason:
                failed.append(Failure(outcome.job.name, outcome.reason))
        report = _report(run.folder, [job.name for job in jobs], failed, len(todo), notes)
        reasons = [asdict(one) for one in report.failed]
        content = {"recipe": dict(recipe), "clips": list(report.clips), "failed": reasons}
        _write_json(run.folder / REPORT, content)
    return report


@contextmanager
def opened(run: Run, recipe: Mapping[str, Any]) -> Iterator[None]:
    """Lock the output folder, new or old; check its recipe; remove temporary files.

    Raises:
        InputError: see `run_batch`.
    """
    if run.folder.exists() and not run.folder.is_dir():
        raise InputError(f"The output {run.folder} is a file; name a folder.")
    if not run.folder.exists():
        check_folder(run.folder.parent)
    with writing(run.folder):
        run.folder.mkdir(exist_ok=True)
    check_folder(run.folder)
    with locked(run.folder):
        _check_recipe(run, recipe)
        for name in (CLIPS, PREVIEWS):
            with writing(run.folder):
                (run.folder / name).mkdir(exist_ok=True)
        _clear(run.folder)
        try:
            yield
        finally:
            _clear(run.folder)


def _clear(folder: Path) -> None:
    """Remove temporary files of dead processes."""
    for place in (folder, folder / CLIPS, folder / PREVIEWS):
        sweep(place)


def _check_recipe(run: Run, recipe: Mapping[str, Any]) -> None:
    path = run.folder / RECIPE
    if path.exists() and not run.overwrite:
        before = read_json(path, TEXT, f"{path} is damaged: remove the folder {run.folder}.")
        other = sorted(key for key in {*before, *recipe} if before.get(key) != recipe.get(key))
        if other:
            said = ", ".join(f"{key} {before.get(key)} instead of {recipe[key]}" for key in other)
            raise InputError(
                f"The clips in {run.folder} were made with {said}: use the same, another folder, "
                "or overwrite them."
            )
        return
    if not path.exists() and any(run.folder.glob("[!.]*")):
        raise InputError(
            f"The folder {run.folder} holds other things than prepared clips: name a new folder."
        )
    _write_json(path, dict(recipe))


def _finished(run: Run, name: str) -> bool:
    """Return whether a clip is complete; remove it if it is not or shall be remade."""
    folder = run.folder / CLIPS / name
    if not os.path.lexists(folder):
        return False
    if not run.overwrite:
        try:
            PreparedClip(folder)
        except InputError:
            pass
        else:
            return True
    remove_inside(run.folder / CLIPS, name)
    return False


def _report(
    folder: Path, names: Sequence[str], failed: list[Failure], tried: int, notes: list[str]
) -> BatchReport:
    bad = {one.name for one in failed}
    clips = []
    for name in sorted(set(names) - bad):
        clip = PreparedClip(folder / CLIPS / name)
        size = sum(size for size, _ in clip.info.files.values())
        clips.append(
            {
                "name": name,
                "split": clip.info.split,
                "frames": len(clip),
                "flagged": len(clip.info.flagged),
                "bytes": size,
            }
        )
    made = tried - sum(1 for name in names if name in bad)
    ordered = tuple(sorted(failed, key=lambda one: one.name))
    return BatchReport(tuple(clips), made, ordered, tuple(sorted(notes)))


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_whole(path, json.dumps(content, indent=1, sort_keys=True) + "\n")
