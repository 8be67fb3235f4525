"""Many clips into one folder: finished clips are skipped, failures are reported.

FOLDER/recipe.json   the options of the clips; a folder has one recipe
FOLDER/report.json   finished clips, and failures with their reasons
FOLDER/clips/NAME/   the prepared clips
FOLDER/previews/     a picture of each, for the user alone
FOLDER/records/      what became of each clip, see `batch.records`
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bdmm.batch.run import Ended, Run, work_through
from bdmm.data.clip_store import PreparedClip
from bdmm.errors import InputError
from bdmm.files.names import is_file_name, remove_inside
from bdmm.files.output_file import check_folder, locked, sweep, write_whole, writing
from bdmm.files.outside import TEXT, read_json

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
        Unfinished: other shards have not ended.
    """
    assert all(is_file_name(job.name) for job in jobs), "names lead out of the folder of clips"
    clips = run.folder / CLIPS
    with opened(run, recipe):
        ended = work_through(
            run,
            jobs,
            work,
            finished=lambda job, _: _is_whole(clips / job.name),
            clear=partial(_remove, clips),
            stage="Making clips",
        )
        report = _report(run.folder, ended, missing)
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
    with locked(run.folder, run.shard.lock):
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


def _remove(clips: Path, job: ClipJob) -> None:
    remove_inside(clips, job.name)


def _is_whole(folder: Path) -> bool:
    try:
        PreparedClip(folder)
    except InputError:
        return False
    return True


def _report(folder: Path, ended: Ended, missing: Sequence[Failure]) -> BatchReport:
    clips = []
    for name in sorted(record.name for record in ended.records if record.done):
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
    failed = [*missing, *(Failure(one.name, one.reason) for one in ended.failed)]
    notes = [f"{one.name}: {note}" for one in ended.records for note in one.notes]
    ordered = tuple(sorted(failed, key=lambda one: one.name))
    return BatchReport(tuple(clips), ended.made, ordered, tuple(sorted(notes)))


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_whole(path, json.dumps(content, indent=1, sort_keys=True) + "\n")
