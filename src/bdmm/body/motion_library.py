"""The motions that ship with the package; ``tools/build_motions.py`` makes them."""

from importlib.resources import as_file, files
from importlib.resources.abc import Traversable

from bdmm.body.motion_file import load_motion
from bdmm.errors import InputError
from bdmm.records import Motion

_SUFFIX = ".motion"


def shipped_motions() -> tuple[str, ...]:
    """Return the names of the shipped motions, in alphabetical order."""
    names = (file.name for file in _folder().iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def load_shipped(name: str) -> Motion:
    """Return a shipped motion: a seamless loop at 30 frames per second of the mean body.

    Args:
        name: one of `shipped_motions`.

    Raises:
        InputError: there is no motion of that name; the sentence lists those there are.
    """
    known = shipped_motions()
    if name not in known:
        raise InputError(f"There is no shipped motion {name!r}; there are {', '.join(known)}.")
    with as_file(_folder() / f"{name}{_SUFFIX}") as path:
        return load_motion(path)


def _folder() -> Traversable:
    return files("bdmm.assets") / "motions"
