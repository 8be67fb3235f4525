"""The one error that means "the user can mend this"."""


class InputError(ValueError):
    """A mistake in what the user gave, said in one sentence: which file, which frame, what to do.

    The command line prints the sentence and exits with code 2. Every other exception is a defect
    of ours and keeps its traceback.
    """
