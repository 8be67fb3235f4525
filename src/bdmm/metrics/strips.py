"""The paper's released results: pictures of five square panels in a row."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bdmm.errors import InputError
from bdmm.media.image import Picture, picture_size
from bdmm.metrics.folders import check_size
from bdmm.metrics.frame_metrics import FramePair
from bdmm.metrics.frame_sources import FrameFolder

PANELS = ("source", "source_body", "target", "driving_body", "generated")
"""From the left."""


@dataclass(frozen=True)
class Strip:
    """A strip cut into its panels, each ``h h 3`` RGB in 0..255.

    Attributes:
        name: the file.
        panels: by the names of `PANELS`.
    """

    name: str
    panels: dict[str, Picture]

    def pair(self) -> FramePair:
        """Return the generated frame beside the true one."""
        return FramePair(self.name, self.panels["generated"], self.panels["target"])


def cut_strip(name: str, picture: Picture) -> Strip:
    """Cut a strip into its panels.

    Args:
        name: of the file, for messages.
        picture: five times as wide as it is high.

    Raises:
        InputError: it is not.
    """
    height, width = picture.shape[:2]
    if width != len(PANELS) * height:
        raise InputError(
            f"{name} has {width} x {height} pixels and is not a strip of {len(PANELS)} square "
            "panels in a row."
        )
    cuts = (picture[:, i * height : (i + 1) * height] for i in range(len(PANELS)))
    return Strip(name, dict(zip(PANELS, cuts, strict=True)))


class StripFolder:
    """One clip's strips in a folder, in the order of their numbers; iterate for the pairs.

    Args:
        path: the folder.
        skip_bad: told of each strip that cannot be read, which is then left out; by default such a
            strip ends the work.

    Raises:
        InputError: the folder does not exist or holds no pictures.
    """

    def __init__(self, path: str | Path, *, skip_bad: Callable[[str], None] | None = None) -> None:
        path = Path(path)
        if not path.is_dir():
            raise InputError(f"The folder {path} does not exist.")
        self._folder = FrameFolder(path)
        self._skip_bad = skip_bad

    def __len__(self) -> int:
        """Return the number of strips, bad ones included."""
        return len(self._folder)

    def __iter__(self) -> Iterator[FramePair]:
        """Read strip after strip.

        Raises:
            InputError: a strip is damaged or of another size and bad ones are not skipped.
        """
        size: tuple[int, int] | None = None
        for stored in self._folder:
            try:
                pair = cut_strip(stored.name, stored.read()).pair()
                check_size(stored.name, pair.target_uint8, size or picture_size(pair.target_uint8))
            except InputError as error:
                if self._skip_bad is None:
                    raise
                self._skip_bad(str(error))
                continue
            size = picture_size(pair.target_uint8)
            yield pair


def is_strip_folder(path: Path) -> bool:
    """Tell whether a folder's first picture has the form of a strip.

    Raises:
        InputError: the folder holds no pictures or the first is damaged.
    """
    height, width = next(iter(FrameFolder(path))).read().shape[:2]
    return width == len(PANELS) * height
