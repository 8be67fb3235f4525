"""Frames on disk of any system: which files are generated, which are true, clip by clip.

| layout | one clip is |
|---|---|
| videos | a video; the true one bears the same name |
| folders | a folder of numbered pictures, or such a folder with one folder of pictures in it, as the paper's cut frames ``ID.mp4/frames/`` |
| strips | a folder of the paper's result strips, of five square panels; the truth is among them |
| GFLA | a folder with ``NAME_vis.png`` generated and ``NAME_gt.png`` true, among other pictures |
| iPERCore | a folder ``SOURCE-DRIVING`` of ``pred_*.png``; the true clip is called ``DRIVING`` |

DPTN and NTED leave pictures of single poses, ``SOURCE_2_TARGET_vis``; one folder for each clip makes
them the layout of folders.
"""  # noqa: E501

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

from bdmm.data.raw_clip import PICTURES, VIDEOS, picture_files
from bdmm.errors import InputError
from bdmm.evaluation.config import EvalConfig, EvalFrame, EvalItem, Notify
from bdmm.evaluation.jobs.reenactment import group_of
from bdmm.files.fingerprint import fingerprint
from bdmm.media.image import Picture, read_image
from bdmm.media.video_reader import VideoReader
from bdmm.metrics.folders import (
    StoredPair,
    StoredPairs,
    is_strip_folder,
    paired_frames,
    strip_pairs,
)

Kind = Literal["pair", "strips", "gfla"]
GENERATED_SUFFIX, TRUE_SUFFIX = "_vis", "_gt"
"""Of GFLA's file names."""
_PREDICTED = "pred_"
FOLDER_FPS = 25.0
"""Frames per second of folders of pictures, which do not state any."""


@dataclass(frozen=True)
class StoredClip:
    """One clip of a system's output.

    Attributes:
        kind: ``pair`` of two places, or one place that holds the truth as well.
        generated: a video or a folder.
        target: a video or a folder; of ``strips`` and ``gfla`` the same as ``generated``.
    """

    name: str
    kind: Kind
    generated: Path
    target: Path

    def pairs(
        self, size: tuple[int, int] | None = None, skip_bad: Notify | None = None
    ) -> StoredPairs:
        """Return the frames; for the arguments see `StoredPairs`. Strips stay as they are.

        Raises:
            InputError: frames are missing.
        """
        if self.kind == "pair":
            return paired_frames(self.generated, self.target, size, skip_bad)
        if self.kind == "strips":
            return strip_pairs(self.generated, skip_bad)
        return StoredPairs(lambda: _gfla_pairs(self.generated), size, skip_bad)


def stored_items(system: str, clips: Sequence[StoredClip], config: EvalConfig) -> list[EvalItem]:
    """Return the clips of a system as items of an evaluation."""
    return [
        EvalItem(
            system,
            clip.name,
            group_of(clip.name),
            {
                "clip": clip.name,
                "kind": clip.kind,
                "generated": _fingerprint(clip.generated),
                "target": _fingerprint(clip.target),
                "side": config.rules.frame_size,
                "skip_bad": config.skip_bad,
            },
            partial(_read, clip, config),
        )
        for clip in clips
    ]


def find_stored(generated: Path, target: Path | None) -> list[StoredClip]:
    """Return the clips of a system's output, with their true ones.

    Args:
        generated: a video, a folder of pictures, or a folder of such.
        target: the same of the truth; None where the output holds the truth itself.

    Raises:
        InputError: a folder is missing or empty, a clip has no partner, or the truth is needed.
    """
    ours = find_places(generated)
    if target is None:
        return [_with_truth(name, path) for name, path in ours]
    theirs = find_places(target)
    if len(ours) == len(theirs) == 1:
        return [StoredClip(theirs[0][0], "pair", ours[0][1], theirs[0][1])]
    return _matched(generated, ours, target, dict(theirs))


def find_places(root: Path) -> list[tuple[str, Path]]:
    """Return (name, video or folder of pictures) of each clip, sorted by name.

    Raises:
        InputError: there are none.
    """
    if not root.exists():
        raise InputError(f"{root} does not exist; give a video or a folder of pictures or clips.")
    if root.is_file() or _holds_pictures(root):
        return [(_bare(root), root)]
    found = []
    for path in sorted(root.iterdir()):
        place = None if path.name.startswith(".") else _place(path)
        if place is not None:
            found.append((_bare(path), place))
    names = [name for name, _ in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{root} holds two clips {name}: give one of them another name.")
    if not found:
        raise InputError(f"{root} holds neither pictures nor clips ({', '.join(PICTURES)}).")
    return found


def _read(
    clip: StoredClip, config: EvalConfig, notify: Notify
) -> tuple[float, Iterator[EvalFrame]]:
    """Return the true video's frames per second and the frames; see `EvalItem.open`."""
    fps = float(VideoReader(clip.target).fps) if clip.target.is_file() else FOLDER_FPS
    return fps, _frames(clip, config, notify)


def _frames(clip: StoredClip, config: EvalConfig, notify: Notify) -> Iterator[EvalFrame]:
    side = config.rules.frame_size
    left_out: list[str] = []

    def skip(reason: str) -> None:
        left_out.append(reason)
        notify(reason)

    size = None if side is None else (side, side)
    pairs = clip.pairs(size, skip if config.skip_bad else None)
    for index, pair in enumerate(pairs):
        yield EvalFrame(index + len(left_out), pair)


@lru_cache(maxsize=4096)
def _fingerprint(path: Path) -> str:
    return fingerprint(path, picture_files(path) if path.is_dir() else None)


def _place(path: Path) -> Path | None:
    """Return where the frames of a clip are; None where there is no clip."""
    if path.is_file():
        return path if path.suffix.lower() in VIDEOS else None
    if _holds_pictures(path):
        return path
    inner = [one for one in sorted(path.iterdir()) if one.is_dir() and _holds_pictures(one)]
    named = [one for one in inner if one.name == "frames"]
    if len(named) == 1:
        return named[0]
    if len(inner) > 1:
        raise InputError(
            f"{path} holds {len(inner)} folders of pictures: give one folder for each clip."
        )
    return inner[0] if inner else None


def _matched(
    generated: Path, ours: Sequence[tuple[str, Path]], target: Path, theirs: dict[str, Path]
) -> list[StoredClip]:
    clips = []
    for name, path in ours:
        partner = name if name in theirs else _driving_of(name, path, theirs)
        if partner is None:
            raise InputError(f"{target} has no clip {name}, which {generated} has.")
        clips.append(StoredClip(partner, "pair", path, theirs[partner]))
    lacking = sorted(set(theirs) - {clip.name for clip in clips})
    if lacking:
        raise InputError(
            f"{generated} lacks the clip {lacking[0]}, which {target} has ({len(ours)} generated "
            f"clips, {len(theirs)} true ones)."
        )
    return clips


def _driving_of(name: str, path: Path, theirs: dict[str, Path]) -> str | None:
    """Return the true clip of iPERCore's ``SOURCE-DRIVING``."""
    if not path.is_dir() or not any(path.glob(f"{_PREDICTED}*")):
        return None
    ends = [one for one in theirs if name.endswith(f"-{one}")]
    return max(ends, key=len, default=None)


def _with_truth(name: str, path: Path) -> StoredClip:
    """Return a clip whose place holds the truth too."""
    if path.is_dir() and any(_gfla_names(path)):
        return StoredClip(name, "gfla", path, path)
    if path.is_dir() and is_strip_folder(path):
        return StoredClip(name, "strips", path, path)
    raise InputError(f"{path} does not hold its true frames: give them with --target.")


def _gfla_names(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the (generated, true) files of a folder that GFLA wrote."""
    files = {file.stem: file for file in sorted(picture_files(folder))}
    for stem, file in files.items():
        if stem.endswith(GENERATED_SUFFIX):
            true = files.get(stem.removesuffix(GENERATED_SUFFIX) + TRUE_SUFFIX)
            if true is not None:
                yield file, true


def _gfla_pairs(folder: Path) -> Iterator[StoredPair]:
    for ours, true in _gfla_names(folder):
        yield StoredPair(str(ours), str(true), partial(_read_both, ours, true))


def _read_both(generated: Path, target: Path) -> tuple[Picture, Picture]:
    return read_image(generated), read_image(target)


def _holds_pictures(path: Path) -> bool:
    return path.is_dir() and any(True for _ in picture_files(path))


def _bare(path: Path) -> str:
    """Return a clip's name: without the suffix of a video, which the paper's folders bear too."""
    return path.stem if path.suffix.lower() in VIDEOS else path.name
