"""A prepared clip on disk: a folder of plain files, read in any runs of frames.

| file | what |
|---|---|
| ``clip.json`` | metadata (`ClipInfo`), with size and SHA-256 of every other file |
| ``frames.mp4`` | the frames, H.264 4:4:4, a key frame every 12 |
| ``foreground.mp4`` | the person's foreground, H.264 grey |
| ``background.jpg`` | one picture of the place without the person |
| ``clip.motion`` | the fitted motion (`bdmm.media.motion_file`), in pixels of the frames |
| ``keypoints.safetensors`` | the 29 keypoints of that motion's body in every frame |
| ``warps.safetensors`` | from some source frames onto all frames (`warp_codec`) |
| ``truth.*`` | of rendered clips: motion, keypoints as the camera sees them, exact warps |
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from bdmm.data.block_file import load_blocks, load_header, save_blocks
from bdmm.data.clip_info import CachedSource, ClipInfo, load_info, save_info
from bdmm.data.clip_video import create_clip_video, read_run
from bdmm.data.keypoint_codec import pack_keypoints, unpack_keypoints
from bdmm.data.squeeze import DamagedBlockError
from bdmm.data.warp_codec import FINEST, RUN, Warps, unpack_run
from bdmm.data.warp_detail import Detail
from bdmm.errors import InputError
from bdmm.files.fingerprint import fingerprint
from bdmm.files.output_file import appearing, writing
from bdmm.media.image import Picture, read_image, write_image
from bdmm.media.motion_file import load_motion, save_motion
from bdmm.media.pixels import to_frames
from bdmm.records import Motion
from bdmm.shapes import Frames, Image, Keypoints

FRAMES, FOREGROUND, BACKGROUND = "frames.mp4", "foreground.mp4", "background.jpg"
TRUTH = "truth"
_BACKGROUND_QUALITY = 88


@dataclass(frozen=True)
class Cache:
    """Coded warps of one source frame.

    Attributes:
        source: the frame, and the error that its fit was given.
        blocks: what `warp_codec.pack_warps` made of all frames.
    """

    source: CachedSource
    blocks: Sequence[bytes]


class ClipWriter:
    """Fills the folder of a clip; see `create_clip`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self._name = folder, name

    def add_frames(
        self, pairs: Iterable[tuple[Picture, UInt8[np.ndarray, "h w"]]], fps: Fraction
    ) -> int:
        """Write pictures and foregrounds (0..255) as they come; return how many."""
        with (
            create_clip_video(self.folder / FRAMES, fps, "colour") as frames,
            create_clip_video(self.folder / FOREGROUND, fps, "grey") as people,
        ):
            for picture, foreground in pairs:
                frames.write(picture)
                people.write(foreground)
            return frames.count

    def add_background(self, picture: Picture) -> None:
        """Write the picture of the place without the person."""
        write_image(self.folder / BACKGROUND, picture, quality=_BACKGROUND_QUALITY)

    def add_motion(self, motion: Motion, keypoints: Keypoints, part: str = "") -> None:
        """Write motion and keypoints, all of them in pixels of the frames.

        Args:
            motion: of all frames.
            keypoints: of all frames.
            part: empty, or `TRUTH`.
        """
        save_motion(self.folder / (f"{part or 'clip'}.motion"), motion)
        path = self.folder / _named("keypoints", part)
        save_blocks(path, {"0": pack_keypoints(keypoints)}, {"frames": len(motion)})

    def size(self) -> int:
        """Return the bytes of all that was added up to now."""
        return sum(path.stat().st_size for path in self.folder.iterdir())

    def add_warps(self, caches: Sequence[Cache], part: str = "") -> None:
        """Write coded warps.

        Args:
            caches: any number of sources.
            part: empty, or `TRUTH`.
        """
        blocks = {
            f"{place}/{run}": block
            for place, cache in enumerate(caches)
            for run, block in enumerate(cache.blocks)
        }
        save_blocks(self.folder / _named("warps", part), blocks, {"sources": len(caches)})

    def finish(self, info: ClipInfo) -> None:
        """Write the metadata; ``info.files`` is filled in here."""
        files = {path.name: _size_and_hash(path) for path in sorted(self.folder.iterdir())}
        with writing(self.folder):
            save_info(self.folder, replace(info, files=files))


@contextmanager
def create_clip(folder: Path) -> Iterator[ClipWriter]:
    """Write a clip in a ``with`` statement; its folder appears when that ends well.

    Args:
        folder: must not exist; it is named like the clip.

    Raises:
        InputError: nothing can be written there.
    """
    with appearing(folder, folder=True) as part, writing(folder):
        yield ClipWriter(part, folder.name)


class PreparedClip:
    """A clip that `create_clip` wrote.

    Attributes:
        folder: where it lies.
        info: its metadata.
    """

    def __init__(self, folder: str | Path) -> None:
        """Open a clip: read its metadata and check that its files are all there.

        Raises:
            InputError: something is missing or cut off.
        """
        self.folder = Path(folder)
        self.info = load_info(self.folder)
        for name, (size, _) in self.info.files.items():
            path = self.folder / name
            if not path.is_file() or path.stat().st_size != size:
                raise InputError(f"{path} is missing or cut off: prepare the clip again.")

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.info.frames

    def verify(self) -> None:
        """Compare every file with its checksum.

        Raises:
            InputError: one was changed.
        """
        for name, expected in self.info.files.items():
            if _size_and_hash(self.folder / name) != expected:
                raise InputError(f"{self.folder / name} was changed: prepare the clip again.")

    def bytes_per_frame(self) -> dict[str, float]:
        """Return what each file takes, divided by the number of frames."""
        return {name: size / len(self) for name, (size, _) in self.info.files.items()}

    def frames(self, start: int = 0, stop: int | None = None) -> Frames:
        """Return frames in [-1, 1].

        Args:
            start: the first one.
            stop: one past the last, by default all.

        Raises:
            InputError: the file is damaged.
        """
        start, stop = self._run(start, stop)
        pictures = read_run(self.folder / FRAMES, start, stop, self.info.fps, "colour")
        return to_frames(list(self._sized(FRAMES, pictures)))

    def foregrounds(self, start: int = 0, stop: int | None = None) -> torch.Tensor:
        """Return ``t 1 h w`` foregrounds in [0, 1]; see `frames`."""
        start, stop = self._run(start, stop)
        grey = read_run(self.folder / FOREGROUND, start, stop, self.info.fps, "grey")
        return torch.from_numpy(self._sized(FOREGROUND, grey)).float()[:, None] / 255

    def background(self) -> Image:
        """Return the place without the person, RGB in [-1, 1]."""
        picture = read_image(self.folder / BACKGROUND)
        return to_frames([self._sized(BACKGROUND, picture[None])[0]])[0]

    def motion(self, part: str = "") -> Motion:
        """Return the motion; with `TRUTH` that of the rendered body."""
        path = self.folder / f"{part or 'clip'}.motion"
        motion = load_motion(path)
        if len(motion) != len(self) or motion.size != self.info.size:
            raise InputError(f"{path} doesn't belong to its clip: prepare the clip again.")
        return motion

    def keypoints(self, part: str = "") -> Keypoints:
        """Return ``t 29 3`` keypoints in pixels of the frames; see `motion`."""
        path = self.folder / _named("keypoints", part)
        with _naming(path):
            return unpack_keypoints(load_blocks(path, ["0"])[0], len(self))

    def warps(self, place: int, start: int = 0, stop: int | None = None, part: str = "") -> Warps:
        """Return cached warps of a run of frames.

        Args:
            place: which of ``info.sources``.
            start: the first frame.
            stop: one past the last, by default all.
            part: empty, or `TRUTH` for the exact flow of rendered clips, of the first sources:
                there hidden is what the source doesn't show, and nothing is filled.

        Raises:
            InputError: the file is damaged.
        """
        start, stop = self._run(start, stop)
        path = self.folder / _named("warps", part)
        runs = range(start // RUN, (stop - 1) // RUN + 1)
        with _naming(path):
            header = load_header(path)
            count = int(header["sources"])
            old = Detail(quantum=float(header.get("quantum", FINEST.quantum)))
            if place >= count:
                raise InputError(f"{path} has warps of {count} sources, not of {place + 1}.")
            blocks = load_blocks(path, [f"{place}/{run}" for run in runs])
            parts = [
                unpack_run(block, self.info.size, _within(run, start, stop), old)
                for run, block in zip(runs, blocks, strict=True)
            ]
            grid, state, filled = (torch.cat(pieces) for pieces in zip(*parts, strict=True))
            if len(grid) != stop - start:
                raise DamagedBlockError
        return Warps(self.info.sources[place].frame, grid, state, filled)

    def _run(self, start: int, stop: int | None) -> tuple[int, int]:
        stop = len(self) if stop is None else stop
        assert 0 <= start < stop <= len(self), (start, stop, len(self))
        return start, stop

    def _sized(self, name: str, pictures: np.ndarray) -> np.ndarray:
        if pictures.shape[1:3] != self.info.size:
            raise InputError(f"{self.folder / name} has frames of another size than its clip.")
        return pictures


def find_clips(folder: str | Path) -> list[Path]:
    """Return the folders of all prepared clips in a folder, sorted by name.

    Args:
        folder: what ``bdmm prepare`` or ``bdmm synth`` made, or a single clip.

    Raises:
        InputError: there are none.
    """
    folder = Path(folder)
    if (folder / "clip.json").is_file():
        return [folder]
    places = [folder, folder / "clips"]
    found = [path.parent for place in places for path in place.glob("[!.]*/clip.json")]
    if not found:
        raise InputError(
            f"{folder} holds no prepared clips: make some with bdmm prepare or bdmm synth."
        )
    return sorted(found)


def _named(what: str, part: str) -> str:
    return f"{part}.{what}.safetensors" if part else f"{what}.safetensors"


def _within(run: int, start: int, stop: int) -> slice:
    return slice(max(start - run * RUN, 0), min(stop - run * RUN, RUN))


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say which file a damaged block is in."""
    try:
        yield
    except (DamagedBlockError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged: prepare the clip again.") from error


def _size_and_hash(path: Path) -> tuple[int, str]:
    digits = fingerprint(path)
    return path.stat().st_size, digits
