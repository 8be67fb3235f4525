"""What reaches the user: mistakes that they can mend, notices, progress."""

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Called with a stage in words, the steps done and, where known, the steps in all."""


def no_progress(stage: str, done: int, total: int | None) -> None:
    """Report nothing; a `Progress`."""


class InputError(ValueError):
    """A mistake in what the user gave, said in one sentence: which file, which frame, what to do.

    The command line prints the sentence and exits with code 2. Every other exception is a defect
    of ours and keeps its traceback.
    """


class Notice(UserWarning):
    """Something the user should know although the work goes on, said in one sentence.

    Raised by ``warnings.warn(..., Notice, stacklevel=2)``; the command line prints the sentence.
    """
