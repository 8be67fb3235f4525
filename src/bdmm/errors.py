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


Number = int | float


def require_within(what: str, value: Number, least: Number, most: Number) -> None:
    """Refuse a number out of range, or not a number.

    Raises:
        InputError: it is.
    """
    if not least <= value <= most:
        shown = f"{value:g}" if isinstance(value, float) else value
        raise InputError(f"The {what} is {shown}; it must lie between {least:g} and {most:g}.")


def require_size(size: int, least: int, most: int) -> None:
    """Refuse pixels of a side that are out of range or odd.

    Raises:
        InputError: they are.
    """
    if not least <= size <= most or size % 2:
        raise InputError(f"The size is {size}; it must be an even number from {least} to {most}.")


class TrainingDiverged(RuntimeError):  # noqa: N818, the word of the field
    """A loss or a gradient is not finite: no more can be learned from here.

    The command line prints the sentence and exits with 1.

    Args:
        what: the number that is not finite, as the beginning of a sentence.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: training has diverged and was stopped before the weights took harm. A lower "
            "learning rate may help."
        )


class Notice(UserWarning):
    """Something the user should know although the work goes on, said in one sentence.

    Raised by ``warnings.warn(..., Notice, stacklevel=2)``; the command line prints the sentence.
    """


class Unfinished(Exception):  # noqa: N818, no error
    """One part of a list has ended and others have not, so that there is no report yet.

    The command line prints the sentence and exits with 0.

    Args:
        failed: items of the part that failed.
    """

    def __init__(self, sentence: str, failed: int = 0) -> None:
        super().__init__(sentence)
        self.failed = failed


class ItemsFailed(RuntimeError):  # noqa: N818, not an error of the program
    """Items of a list failed while the others were done; the command line exits with 1."""
