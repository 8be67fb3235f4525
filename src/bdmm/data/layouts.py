"""Published data sets and plain folders of videos, as lists of clips to prepare.

| layout | told by | clips |
|---|---|---|
| ``fashion`` | ``fashion_train.txt``, ``fashion_test.txt`` | videos, in split folders or flat |
| ``fashion-frames`` | ``train/ID.mp4/frames`` | the paper's cut frames, with SMPL parameters |
| ``iper`` | ``train.txt``, ``val.txt`` with lines like ``001/1/1`` | videos or frame folders |
| ``videos`` | anything else that holds videos | all of them, split ``train`` |

Beside a video ``NAME.mp4``, poses of OpenPose may lie in a folder ``NAME_openpose`` and SMPL
parameters in ``NAME_smpl.npz`` or ``NAME_smpl.pkl``.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bdmm.data.clip_batch import Failure
from bdmm.data.footage import PICTURES, VIDEOS
from bdmm.errors import InputError

_FASHION = {"train": "fashion_train.txt", "test": "fashion_test.txt"}
_IPER = {"train": "train.txt", "val": "val.txt"}
_IPER_LINE = re.compile(r"\d+/\d+/\d+")
_MAX_LIST = 2**22


@dataclass(frozen=True)
class ClipJob:
    """A clip to prepare.

    Attributes:
        name: of its folder.
        dataset: name of the layout.
        split: ``train``, ``val`` or ``test``.
        media: a video or a folder of pictures.
        openpose: folder of OpenPose's files for it.
        smpl: file or folder of SMPL parameters for it, their camera that of the whole frame.
        whole: its frames are cut around the person already.
    """

    name: str
    dataset: str
    split: str
    media: Path
    openpose: Path | None = None
    smpl: Path | None = None
    whole: bool = False


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes:
        layout: its name, see the table above.
        jobs: clips, sorted by name.
        missing: what lists name but nobody finds.
    """

    layout: str
    jobs: tuple[ClipJob, ...]
    missing: tuple[Failure, ...] = ()


def list_clips(root: Path) -> Listing:
    """Find out which layout a folder has, and list its clips.

    Args:
        root: a folder, or a single video.

    Raises:
        InputError: there is nothing to prepare.
    """
    if root.is_file():
        return Listing("videos", (_video_job(root, root.stem),))
    if not root.is_dir():
        raise InputError(f"The input {root} does not exist.")
    if any((root / name).is_file() for name in _FASHION.values()):
        listing = _fashion(root)
    elif next(root.glob("*/*/frames"), None) is not None:
        listing = _fashion_frames(root)
    elif _is_iper(root):
        listing = _iper(root)
    else:
        listing = _videos(root)
    return _with_names_apart(listing)


def _fashion(root: Path) -> Listing:
    jobs: list[ClipJob] = []
    missing: list[Failure] = []
    for split, name in _FASHION.items():
        for line in _lines(root / name):
            file = Path(line.split("?")[0].replace("\\", "/")).name
            places = (root / split / file, root / file, root / "videos" / file)
            found = next((path for path in places if path.is_file()), None)
            if found is None:
                reason = f"{name} names {file}, which is neither in {root / split} nor in {root}."
                missing.append(Failure(Path(file).stem, reason))
            else:
                jobs.append(_video_job(found, found.stem, "fashion", split))
    return Listing("fashion", tuple(jobs), tuple(missing))


def _fashion_frames(root: Path) -> Listing:
    jobs = []
    for frames in sorted(root.glob("*/*/frames")):
        clip = frames.parent
        poses = clip / "kptsmpls"
        smpl = poses if poses.is_dir() else None
        name, split = clip.name.removesuffix(".mp4"), clip.parent.name
        jobs.append(ClipJob(name, "fashion", split, frames, smpl=smpl, whole=True))
    return Listing("fashion-frames", tuple(jobs))


def _is_iper(root: Path) -> bool:
    lists = [root / name for name in _IPER.values() if (root / name).is_file()]
    return any(_IPER_LINE.fullmatch(line) for path in lists for line in _lines(path)[:1])


def _iper(root: Path) -> Listing:
    jobs: list[ClipJob] = []
    missing: list[Failure] = []
    for split, name in _IPER.items():
        for line in _lines(root / name):
            key = line.replace("/", "_")
            found = next((path for path in _iper_places(root, line, key) if path.exists()), None)
            if found is None:
                missing.append(Failure(key, f"{name} names {line}, which is not in {root}."))
                continue
            poses = root / "smpls" / line / "kps.pkl"
            smpl = poses if poses.is_file() else None
            jobs.append(ClipJob(key, "iper", split, found, smpl=smpl))
    return Listing("iper", tuple(jobs), tuple(missing))


def _iper_places(root: Path, line: str, key: str) -> Iterator[Path]:
    yield from (folder / f"{key}.mp4" for folder in sorted(root.glob("*video_release*")))
    yield from (root / f"{key}.mp4", root / "videos" / f"{key}.mp4")
    yield from (root / "images_HD" / line, root / "images" / line)


def _videos(root: Path) -> Listing:
    files = [path for path in sorted(root.rglob("*")) if _shown(path, root)]
    videos = [path for path in files if path.suffix.lower() in VIDEOS]
    if not videos:
        pictures = any(path.suffix.lower() in PICTURES for path in files)
        what = "pictures, but no videos" if pictures else "no videos"
        raise InputError(f"{root} holds {what}: bdmm prepare needs videos to prepare.")
    jobs = [_video_job(path, "_".join(path.relative_to(root).with_suffix("").parts))
            for path in videos]  # fmt: skip
    return Listing("videos", tuple(jobs))


def _shown(path: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return path.is_file() and not hidden


def _video_job(path: Path, name: str, dataset: str = "videos", split: str = "train") -> ClipJob:
    openpose = path.with_name(f"{path.stem}_openpose")
    smpl = (path.with_name(f"{path.stem}_smpl{suffix}") for suffix in (".npz", ".pkl"))
    return ClipJob(
        name=_file_name(name),
        dataset=dataset,
        split=split,
        media=path,
        openpose=openpose if openpose.is_dir() else None,
        smpl=next((one for one in smpl if one.is_file()), None),
    )


def _file_name(name: str) -> str:
    """Return a name that suits as a folder's on every system."""
    return re.sub(r"[^\w.+-]", "_", name).lstrip(".") or "clip"


def _with_names_apart(listing: Listing) -> Listing:
    """Number clips of the same name, sort, and refuse an empty list."""
    if not listing.jobs:
        first = listing.missing[0].reason if listing.missing else "There are no clips."
        raise InputError(f"Nothing can be prepared. {first}")
    taken: dict[str, int] = {}
    jobs = []
    for job in sorted(listing.jobs, key=lambda job: (job.name, job.media)):
        count = taken[job.name] = taken.get(job.name, 0) + 1
        name = job.name if count == 1 else f"{job.name}-{count}"
        jobs.append(ClipJob(name, job.dataset, job.split, job.media, job.openpose, job.smpl,
                            job.whole))  # fmt: skip
    return Listing(listing.layout, tuple(jobs), listing.missing)


def _lines(path: Path) -> Sequence[str]:
    """Return the lines of a list that are not empty; none where there is no list."""
    if not path.is_file():
        return []
    try:
        if path.stat().st_size > _MAX_LIST:
            raise InputError(f"{path} is too large for a list of clips.")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The list {path} cannot be read as text.") from error
    return [line.strip() for line in text.splitlines() if line.strip()]
