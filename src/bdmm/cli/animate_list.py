"""`bdmm animate --batch`: a list of photos and motions to a folder of videos."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from bdmm.batch.list_file import Entry, read_list
from bdmm.batch.records import RECORDS, Record
from bdmm.batch.run import Ended, Run, work_through
from bdmm.cli.report import Report, print_failures, say
from bdmm.errors import InputError, ItemsFailed, Unfinished, no_progress
from bdmm.files.hub import is_hub_reference
from bdmm.files.names import is_file_name, remove_inside
from bdmm.files.output_file import check_folder, check_name, locked, write_whole, writing

if TYPE_CHECKING:
    from bdmm.cli.animate import Animate

REPORT = "report.json"
_OUTPUTS = ("output", "sheet", "save_motion", "export")
_OF_THE_LIST = ("batch", "spread", "overwrite", "inputs", "quiet")
"""Options that no line has."""
_FRAME = re.compile(r"\d{6,}\.png")
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


@dataclass(frozen=True)
class AnimationItem:
    """A line of the list.

    Attributes:
        name: of the video in the folder.
        command: what makes it.
        made_of: all that it depends on, for JSON: the options, and the inputs' bytes.
    """

    name: str
    command: "Animate"
    made_of: Mapping[str, Any]

    def finished(self, record: Record | None) -> bool:
        """Return whether it was made of the same before and is there."""
        if record is None or not record.done or not isinstance(record.result, dict):
            return False
        there = all(path.exists() for path in _written(self.command))
        return there and record.result.get("made_of") == self.made_of

    def clear(self) -> None:
        """Remove frames that were written before; files are replaced anyway."""
        if _holds_frames(self.command.output):
            remove_inside(self.command.output.parent, self.name)


def animate_list(command: "Animate") -> None:
    """Make the videos of a list, and write the report once all have ended.

    Raises:
        InputError: a line is wrong, before anything is made; or the disk is full.
        ItemsFailed: videos could not be made.
        Unfinished: other shards have not ended.
    """
    assert command.batch is not None
    folder, shard = command.output, command.spread.part()
    distributor = command.spread.spread()
    _make_folder(folder)
    items = list_items(command)
    with Report(command.inputs.quiet) as report, locked(folder, shard.lock):
        try:
            ended = work_through(
                Run(folder, distributor, command.overwrite, report, shard),
                items,
                make_video,
                finished=AnimationItem.finished,
                clear=AnimationItem.clear,
                stage="Making videos",
            )
        except Unfinished as end:
            if end.failed:
                raise ItemsFailed(f"{end} Rerun to try those that failed again.") from end
            raise
    write_whole(folder / REPORT, _report(ended))
    print_failures(ended.failed)
    done, failed = len(ended.records) - len(ended.failed), len(ended.failed)
    said = f"{folder}: {done} videos ({ended.made} new)"
    say(f"{said}{f', {failed} failed' if failed else ''}, in {report.seconds:.0f} s.")
    if failed:
        raise ItemsFailed(f"{failed} of {len(items)} failed; rerun to try them again.")


def make_video(item: AnimationItem) -> dict[str, Any]:
    """Make the video of a line; return what its record keeps."""
    return {"made_of": item.made_of, "said": item.command.make(no_progress)}


def list_items(command: "Animate") -> list[AnimationItem]:
    """Read the list and check every line.

    Args:
        command: its other options hold where a line says nothing else.

    Raises:
        InputError: a line is wrong; the sentence names it.
    """
    assert command.batch is not None
    path, items, taken, read = command.batch, list[AnimationItem](), {RECORDS}, set[tuple]()
    for entry in read_list(path):
        try:
            one = _line_command(entry, command)
            _as_new(one).check()
            read |= {_identity(path) for path in _inputs(one)}
            for written in _written(one):
                check_name(written.with_name(f"{written.name}.json"))
                if written.name in taken:
                    raise InputError(f"another item writes {written.name}.")
                taken.add(written.name)
        except InputError as error:
            raise InputError(f"{path}, {entry.place}: {error}") from error
        items.append(AnimationItem(one.output.name, one, _made_of(one)))
    for item in items:
        for written in _written(item.command):
            if written.exists() and _identity(written) in read:
                raise InputError(f"The output {written} would replace an input of {path}.")
    return items


def _line_command(entry: Entry, command: "Animate") -> "Animate":
    values = dict(entry.values)
    options = {field.name for one in (command, command.inputs) for field in fields(one)}
    unknown = {name.replace("-", "_") for name in values} - options.difference(_OF_THE_LIST)
    if unknown:
        raise InputError(f"there is no option {', '.join(sorted(unknown))}.")
    values = {name.replace("-", "_"): value for name, value in values.items()}
    photos, driver = values.pop("photo", ()), values.pop("driver", ())
    names = {name: _file_name(name, values.pop(name)) for name in _OUTPUTS if name in values}
    if "output" not in names:
        raise InputError("the output has no name.")
    more, wear = values.pop("more", ()), tuple(values.pop("wear", command.inputs.wear))
    known = vars(command) | vars(command.inputs)
    flags = [name for name in values if isinstance(known[name], bool)]
    switched = {name: _is_true(name, values.pop(name)) for name in flags}
    words = [f"--{name.replace('_', '-')}={_single(name, one)}" for name, one in values.items()]
    base = _parsed(replace(command, batch=None), tuple(words))
    inputs = replace(base.inputs, wear=wear)
    if photos:
        others = tuple(map(Path, (*photos[1:], *more)))
        inputs = replace(inputs, photo=Path(photos[0]), more=others)
    if driver or "motion" in values:  # in place of what holds for all lines
        motion = inputs.motion if "motion" in values else None
        chosen = Path(_single("driver", driver)) if driver else None
        inputs = replace(inputs, driver=chosen, motion=motion)
    written = {name: command.output / file for name, file in names.items()}
    of_inputs = {name: switched.pop(name) for name in flags if name in vars(inputs)}
    return replace(base, inputs=replace(inputs, quiet=True, **of_inputs), **written, **switched)


def _file_name(name: str, values: Sequence[str]) -> str:
    file = _single(name, values)
    if not is_file_name(file) or file.startswith("."):
        raise InputError(f"{name} {file} must be the name of a file, without a path.")
    return file


def _single(name: str, values: Sequence[str]) -> str:
    if len(values) > 1:
        raise InputError(f"{name} has {len(values)} values and takes one.")
    return values[0]


def _is_true(name: str, values: Sequence[str]) -> bool:
    value = _single(name, values).lower()
    if value not in _TRUE + _FALSE:
        raise InputError(f"{name} is {value!r}; it must be true or false.")
    return value in _TRUE


@lru_cache
def _parsed(command: "Animate", words: tuple[str, ...]) -> "Animate":
    said = StringIO()
    try:
        with redirect_stderr(said):
            return tyro.cli(
                type(command),
                args=words,
                default=command,
                config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes),
            )
    except SystemExit as end:
        raise InputError(_complaint(said.getvalue())) from end


def _complaint(box: str) -> str:
    """Return the sentence in what the parser of options prints."""
    lines = [line.strip(" │╭╮╰╯─-") for line in box.splitlines()]
    text = " ".join(line for line in lines[1:] if line)
    sentence = re.split(r" Got errors:| Argument helptext:| For full helptext", text)[0]
    return sentence.strip() or "its options cannot be read."


def _inputs(command: "Animate") -> Iterator[Path]:
    """Yield the files that a command reads.

    Raises:
        InputError: one is missing.
    """
    inputs = command.inputs
    worn = [Path(text.rpartition(":")[0]) for text in inputs.wear]
    for path in (inputs.photo, *inputs.more, *worn, inputs.driver, command.weights):
        if isinstance(path, Path) and not is_hub_reference(path):
            check_name(path)
            if not path.exists():
                raise InputError(f"{path} does not exist.")
            yield path
    if inputs.background is not None and Path(inputs.background).is_file():
        yield Path(inputs.background)


def _written(command: "Animate") -> list[Path]:
    named = (command.output, command.sheet, command.save_motion, command.export)
    return [path for path in named if path is not None]


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _made_of(command: "Animate") -> Mapping[str, Any]:
    options = asdict(command) | asdict(command.inputs)
    for name in (*_OF_THE_LIST, *_OUTPUTS, "device"):
        del options[name]
    written = [path.name for path in _written(command)]
    sizes = {str(path): path.stat().st_size for path in _inputs(command) if path.is_file()}
    content = {"options": options, "written": written, "bytes": sizes}
    return json.loads(json.dumps(content, default=str))


def _as_new(command: "Animate") -> "Animate":
    """Return a command that may write the frames of an earlier run again."""
    if not _holds_frames(command.output):
        return command
    return replace(command, output=command.output.with_name(f".{command.output.name}"))


def _holds_frames(folder: Path) -> bool:
    """Return whether a folder holds the frames of a video and nothing else."""
    return folder.is_dir() and all(_FRAME.fullmatch(path.name) for path in folder.iterdir())


def _make_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"The output {folder} is a file; a list needs a folder.")
    if not folder.exists():
        check_folder(folder.parent)
    with writing(folder):
        folder.mkdir(exist_ok=True)
    check_folder(folder)


def _report(ended: Ended) -> str:
    listed = [
        {
            "output": one.name,
            "state": "done" if one.done else "failed",
            "reason": one.reason,
            "notes": list(one.notes),
        }
        for one in ended.records
    ]
    failed = len(ended.failed)
    content = {"done": len(listed) - failed, "failed": failed, "items": listed}
    return json.dumps(content, indent=1) + "\n"
