"""The names of the shipped motions; without PyTorch, so that they can be had at no cost."""

from importlib.resources import files
from importlib.resources.abc import Traversable

from bdmm.errors import InputError


def motions_folder() -> Traversable:
    """Return the folder that holds ``NAME.motion`` and a small video of each, ``NAME.mp4``."""
    return files("bdmm.assets") / "motions"


def shipped_motions() -> tuple[str, ...]:
    """Return the names of the shipped motions, in alphabetical order."""
    names = (file.name for file in motions_folder().iterdir())
    return tuple(sorted(name.removesuffix(".motion") for name in names if name.endswith(".motion")))


def check_shipped(name: str) -> None:
    """Check the name of a shipped motion.

    Raises:
        InputError: there is no motion of that name; the sentence lists those there are.
    """
    known = shipped_motions()
    if name not in known:
        raise InputError(
            f"There is no file and no shipped motion {name!r}; there are {', '.join(known)}."
        )
