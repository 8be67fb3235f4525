"""One clip of one system: where its frames come from, and what its numbers depend on."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from bdmm.data.clip_store import FILE_NAME, PreparedClip
from bdmm.evaluation.jobs.reenactment import Casting, JudgedFrame, Reenactment
from bdmm.evaluation.systems import System, open_system
from bdmm.inference.renderers import Renderer

_TELLING = ("fashion", "iper")
"""Data sets whose name is that of a group; of others the clip's name tells more."""
_MODELS_KEPT = 2


@runtime_checkable
class Subject(Protocol):
    """What is judged in one go; can be sent to another process."""

    @property
    def system(self) -> str:
        """Return the system's name."""
        ...

    @property
    def clip(self) -> str:
        """Return the clip's name."""
        ...

    @property
    def group(self) -> str:
        """Return the name of the clips that are averaged together."""
        ...

    @property
    def fps(self) -> float:
        """Return the frames per second at which its frames are shown."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """Return all that its frames depend on, as JSON."""
        ...

    def frames(self, tell: Callable[[str], None]) -> Iterator[JudgedFrame]:
        """Make or read the frames, in order.

        Args:
            tell: is told of each frame that is left out, in one sentence.
        """
        ...


@dataclass(frozen=True)
class ReenactedClip:
    """A prepared clip, made again by a renderer.

    Attributes:
        maker: the system.
        folder: of the prepared clip.
        casting: who plays what.
        device: where the renderer works.
    """

    maker: System
    folder: Path
    casting: Casting
    device: str = "cpu"

    @property
    def system(self) -> str:
        """Return the system's name."""
        return self.maker.name

    @property
    def clip(self) -> str:
        """Return the clip's name."""
        return self.folder.name

    @property
    def group(self) -> str:
        """Return the data set's name where that is one of the paper's, else `group_of`."""
        dataset = self._opened.info.dataset
        return dataset if dataset in _TELLING else group_of(self.clip)

    @property
    def fps(self) -> float:
        """Return the clip's frames per second."""
        return float(self._opened.info.fps)

    def identity(self) -> Mapping[str, Any]:
        """Return what the frames depend on; the device is taken not to matter."""
        described = hashlib.sha256((self.folder / FILE_NAME).read_bytes()).hexdigest()
        return {
            "clip": self.clip,
            "clip_sha256": described,
            "system": self.maker.sha256 or self.maker.where,
            "casting": asdict(self.casting),
        }

    def frames(self, tell: Callable[[str], None]) -> Iterator[JudgedFrame]:
        """Make the frames; none is left out."""
        renderer = _renderer(self.maker, self.device)
        yield from Reenactment(self._opened, self.casting).pairs(renderer)

    @property
    def _opened(self) -> PreparedClip:
        return _clip(self.folder)


def group_of(clip: str) -> str:
    """Return a name's first part: what stands before the first ``_`` or ``-``."""
    return re.split(r"[_\-]", clip)[0] or clip


@lru_cache(maxsize=1)
def _clip(folder: Path) -> PreparedClip:
    return PreparedClip(folder)


@lru_cache(maxsize=_MODELS_KEPT)
def _renderer(maker: System, device: str) -> Renderer:
    return open_system(maker.where, device)
