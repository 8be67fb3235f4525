"""The one error that means "the user can mend this"."""


class InputError(ValueError):
    """A mistake in what the user gave, said in one sentence: which file, which frame, what to do.

    The command line prints the sentence and exits with code 2. Every other exception is a defect
    of ours and keeps its traceback.
    """


class Notice(UserWarning):
    """Something the user should know although the work goes on, said in one sentence.

    Raised by ``warnings.warn(..., Notice, stacklevel=2)``; the command line prints the sentence.
    """
