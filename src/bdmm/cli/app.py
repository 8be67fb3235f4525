"""The `bdmm` command: one subcommand per file of this folder."""

import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import tyro

import bdmm
from bdmm.cli.ablate import Ablate
from bdmm.cli.animate import Animate
from bdmm.cli.compare import Compare
from bdmm.cli.convert import Convert
from bdmm.cli.ending import Terminated, orderly_end
from bdmm.cli.evaluate import Evaluate, Score, Table
from bdmm.cli.explain import Explain
from bdmm.cli.export import Export
from bdmm.cli.inspect import Inspect
from bdmm.cli.motion import ExtractMotion
from bdmm.cli.paths import check_paths
from bdmm.cli.person import MakePerson
from bdmm.cli.prepare import Prepare
from bdmm.cli.report import say, unprintable, warn
from bdmm.cli.resources import keep_heap_small
from bdmm.cli.serve import Serve
from bdmm.cli.synth import Synth
from bdmm.cli.train import Train
from bdmm.errors import InputError, ItemsFailed, Notice, TrainingDiverged, Unfinished

USER_ERROR = 2
"""Exit code for a mistake of the user's."""
FAILED = 1
"""Exit code where training cannot go on, or where an item of a list failed."""
INTERRUPTED = 128 + signal.SIGINT
"""Exit code after Ctrl-C."""


@dataclass(frozen=True)
class Version:
    """Print the version."""

    def run(self) -> None:
        """Print it."""
        say(f"bdmm {bdmm.__version__}")


COMMANDS = {
    "animate": Animate,
    "person": MakePerson,
    "motion": ExtractMotion,
    "export": Export,
    "inspect": Inspect,
    "convert": Convert,
    "synth": Synth,
    "prepare": Prepare,
    "train": Train,
    "evaluate": Evaluate,
    "score": Score,
    "table": Table,
    "ablate": Ablate,
    "explain": Explain,
    "compare": Compare,
    "serve": Serve,
    "version": Version,
}


@runtime_checkable
class Command(Protocol):
    """The options of a subcommand, and what it does."""

    def run(self) -> None:
        """Do it.

        Raises:
            InputError: a mistake of the user's, in one sentence.
        """
        ...


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0, or one of the constants above. Wrong options end the process with 2.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if sys.stderr is None:  # closed by the caller
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    keep_heap_small()
    try:
        command = parse(["version"] if arguments == ["--version"] else arguments)
    except OSError as error:
        warn(str(unprintable(error)))
        return USER_ERROR
    try:
        with orderly_end(), _notices():
            check_paths(command)
            command.run()
    except InputError as error:
        warn(str(error))
        return USER_ERROR
    except (TrainingDiverged, ItemsFailed) as error:
        warn(str(error))
        return FAILED
    except Unfinished as end:
        say(str(end))
        return 0
    except KeyboardInterrupt:
        warn("Stopped; nothing half-written is left.")
        return INTERRUPTED
    except Terminated as end:
        return end.code
    return 0


def parse(arguments: Sequence[str]) -> Command:
    """Read the options of a command line; wrong ones end the process with code 2."""
    return tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        prog="bdmm",
        description="One photo of a person and a motion in, a video of that person doing it out.",
        args=list(arguments),
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes),
    )


@contextmanager
def _notices() -> Iterator[None]:
    """Print our notices as single lines and keep the warnings of libraries to ourselves."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        warn(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", Notice)
        warnings.showwarning = show
        yield
