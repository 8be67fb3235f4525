"""Published data sets and plain folders of videos, as lists of clips to prepare.

| layout | recognised by | clips |
|---|---|---|
| ``fashion`` | ``fashion_train.txt``, ``fashion_test.txt`` | videos, in split folders or flat |
| ``fashion-frames`` | ``train/ID.mp4/frames`` | the paper's cut frames, with SMPL parameters |
| ``iper`` | ``train.txt``, ``val.txt`` with lines like ``001/1/1`` | videos or frame folders |
| ``videos`` | anything else that holds videos | all of them, split ``train`` |

Next to a video ``NAME.mp4``, poses of OpenPose may lie in a folder ``NAME_openpose`` and SMPL
parameters in ``NAME_smpl.npz`` or ``NAME_smpl.pkl``.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path

from bdmm.data.clip_batch import ClipJob, Failure
from bdmm.data.raw_clip import PICTURES, VIDEOS
from bdmm.errors import InputError
from bdmm.files.names import file_name, inner_path, is_file_name
from bdmm.files.outside import LIST, reading

_FASHION = {"train": "fashion_train.txt", "test": "fashion_test.txt"}
_IPER = {"train": "train.txt", "val": "val.txt"}
_IPER_LINE = re.compile(r"\d+/\d+/\d+")


@dataclass(frozen=True)
class PrepareJob(ClipJob):
    """A clip to prepare.

    Attributes:
        smpl: file or folder of SMPL parameters for it, their camera that of the whole frame.
        whole: its frames are cut around the person already.
    """

    dataset: str
    split: str
    media: Path
    openpose: Path | None = None
    smpl: Path | None = None
    whole: bool = False


@dataclass(frozen=True)
class Listing:
    """The clips of a folder.

    Attributes:
        layout: its name, see the table above.
        missing: entries of lists without a video, and entries that are refused.
    """

    layout: str
    jobs: tuple[PrepareJob, ...]
    missing: tuple[Failure, ...] = ()


def list_clips(root: Path) -> Listing:
    """Recognise the layout of a folder, and list its clips.

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
    jobs: list[PrepareJob] = []
    missing: list[Failure] = []
    for split, name in _FASHION.items():
        for entry in _entries(root / name):
            file = entry.text.split("?")[0].replace("\\", "/").rpartition("/")[2]
            if not is_file_name(file):
                missing.append(entry.refused())
                continue
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
        jobs.append(PrepareJob(name, "fashion", split, frames, smpl=smpl, whole=True))
    return Listing("fashion-frames", tuple(jobs))


def _is_iper(root: Path) -> bool:
    firsts = [entry for name in _IPER.values() for entry in _entries(root / name)[:1]]
    return any(_IPER_LINE.fullmatch(entry.text) for entry in firsts)


def _iper(root: Path) -> Listing:
    jobs: list[PrepareJob] = []
    missing: list[Failure] = []
    for split, name in _IPER.items():
        for entry in _entries(root / name):
            place = inner_path(entry.text)
            if place is None:
                missing.append(entry.refused())
                continue
            key = "_".join(place.parts)
            found = next((path for path in _iper_places(root, place, key) if path.exists()), None)
            if found is None:
                missing.append(Failure(key, f"{name} names {entry.text}, which is not in {root}."))
                continue
            poses = root / "smpls" / place / "kps.pkl"
            smpl = poses if poses.is_file() else None
            jobs.append(PrepareJob(key, "iper", split, found, smpl=smpl))
    return Listing("iper", tuple(jobs), tuple(missing))


def _iper_places(root: Path, place: Path, key: str) -> Iterator[Path]:
    yield from (folder / f"{key}.mp4" for folder in sorted(root.glob("*video_release*")))
    yield from (root / f"{key}.mp4", root / "videos" / f"{key}.mp4")
    yield from (root / "images_HD" / place, root / "images" / place)


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


def _video_job(path: Path, name: str, dataset: str = "videos", split: str = "train") -> PrepareJob:
    openpose = path.with_name(f"{path.stem}_openpose")
    smpl = (path.with_name(f"{path.stem}_smpl{suffix}") for suffix in (".npz", ".pkl"))
    return PrepareJob(
        name=name,
        dataset=dataset,
        split=split,
        media=path,
        openpose=openpose if openpose.is_dir() else None,
        smpl=next((one for one in smpl if one.is_file()), None),
    )


def _with_names_apart(listing: Listing) -> Listing:
    """Make names fit for folders, number those that are alike, sort, and refuse an empty list."""
    if not listing.jobs:
        first = listing.missing[0].reason if listing.missing else "There are no clips."
        raise InputError(f"Nothing can be prepared. {first}")
    named = [replace(job, name=file_name(job.name)) for job in listing.jobs]
    taken: set[str] = set()
    jobs = []
    for job in sorted(named, key=lambda job: (job.name, job.media)):
        numbered = (f"{job.name}-{number}" for number in count(2))
        name = next(name for name in chain([job.name], numbered) if name not in taken)
        taken.add(name)
        jobs.append(replace(job, name=name))
    return Listing(listing.layout, tuple(sorted(jobs, key=_by_name)), listing.missing)


def _by_name(job: PrepareJob) -> str:
    return job.name


@dataclass(frozen=True)
class _Entry:
    """A line of a list of clips."""

    file: str
    number: int
    text: str

    def refused(self) -> Failure:
        """Return what to say of an entry that leads out of the data set."""
        reason = (
            f"{self.file}, line {self.number}: {self.text[:200]!r} is no path inside the data set."
        )
        return Failure(file_name(self.text), reason)


def _entries(path: Path) -> Sequence[_Entry]:
    """Return the lines of a list that are not empty; none where there is no list."""
    if not path.is_file():
        return []
    with reading(path, LIST, f"The list {path} cannot be read as text."):
        text = path.read_text(encoding="utf-8-sig")
    lines = enumerate((line.strip() for line in text.splitlines()), 1)
    return [_Entry(path.name, number, line) for number, line in lines if line]
