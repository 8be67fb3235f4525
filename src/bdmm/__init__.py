"""One photo of a person and a motion in, a video of that person doing it out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bdmm.errors import InputError
    from bdmm.inference.animate import animate
    from bdmm.inference.person import Person

__version__ = "0.1.0"
__all__ = ["InputError", "Person", "animate"]

_HOMES = {
    "InputError": "bdmm.errors",
    "Person": "bdmm.inference.person",
    "animate": "bdmm.inference.animate",
}


def __getattr__(name: str) -> Any:
    """Import the public names on first use, so that ``import bdmm`` costs nothing."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'bdmm' has no attribute {name!r}")
