"""What pose estimation returns: keypoints, silhouettes and tracked points of one person."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from tempfile import SpooledTemporaryFile, gettempdir
from typing import overload

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from bdmm.files.output_file import writing
from bdmm.records import Landmarks
from bdmm.shapes import Foreground

FrameArray = UInt8[np.ndarray, "h w 3"]
"""One frame as files hold it: RGB in 0..255."""


@dataclass(frozen=True)
class Silhouette:
    """The person's foreground in one frame, cropped around the person and stored small.

    A point ``p`` of the frame (pixels) lies at ``(p - origin) * scale`` of the crop.

    Attributes:
        foreground: ``1 h w`` in [0, 1].
        origin: (x, y) of the crop's outer corner, pixels of the frame; may lie outside of it.
        scale: pixels of the crop per pixel of the frame.
    """

    frame: int
    foreground: Foreground
    origin: tuple[float, float]
    scale: float

    def on(
        self, corner: tuple[float, float], step: float, size: tuple[int, int]
    ) -> Float[np.ndarray, "h w"]:
        """Lay the foreground onto a rectangle of the frame, 0 outside of the crop.

        Args:
            corner: (x, y) of the rectangle's outer corner, pixels of the frame.
            step: pixels of the frame per pixel of the rectangle.
            size: (height, width) of the rectangle in its own pixels.
        """
        x, y = (
            (place - start) * self.scale for place, start in zip(corner, self.origin, strict=True)
        )
        return sample(self.foreground[0].numpy(), (x, y), step * self.scale, size)


def sample(
    picture: np.ndarray, corner: tuple[float, float], step: float, size: tuple[int, int]
) -> np.ndarray:
    """Sample a rectangle of a picture bilinearly, 0 outside of the picture.

    Args:
        corner: (x, y) of the rectangle's outer corner, pixels of the picture.
        step: pixels of the picture per pixel of the rectangle.
        size: (height, width) of the rectangle in its own pixels.
    """
    # OpenCV counts from pixels' centres: x + 0.5 = (column + 0.5) * step + corner.
    x, y = (start + 0.5 * step - 0.5 for start in corner)
    to_picture = np.array([[step, 0, x], [0, step, y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, to_picture, size[::-1], flags=flags)


class PackedSilhouettes(Sequence[Silhouette]):
    """Silhouettes of many frames, compressed: half a kilobyte a frame at 160 x 160."""

    def __init__(self) -> None:
        self._items: list[tuple[int, bytes, tuple[int, int], tuple[float, float], float]] = []

    def append(self, one: Silhouette) -> None:
        """Add a silhouette; its foreground is cut at a half."""
        inside = one.foreground[0].numpy() > 0.5
        size = inside.shape[0], inside.shape[1]
        bits = zlib.compress(np.packbits(inside).tobytes())
        self._items.append((one.frame, bits, size, one.origin, one.scale))

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Silhouette: ...
    @overload
    def __getitem__(self, index: slice) -> list[Silhouette]: ...
    def __getitem__(self, index: int | slice) -> Silhouette | list[Silhouette]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        frame, bits, (height, width), origin, scale = self._items[index]
        packed = np.frombuffer(zlib.decompress(bits), np.uint8)
        inside = np.unpackbits(packed, count=height * width).reshape(1, height, width)
        return Silhouette(frame, torch.from_numpy(inside.astype(np.float32)), origin, scale)


@dataclass(frozen=True)
class PersonView:
    """The square around the person in one frame, compressed: tens of kilobytes.

    A point ``p`` of the frame (pixels) lies at ``(p - origin) * scale`` of the view.

    Attributes:
        jpeg: the picture.
        origin: (x, y) of the view's outer corner, pixels of the frame; may lie outside of it.
        scale: pixels of the view per pixel of the frame.
    """

    frame: int
    jpeg: UInt8[np.ndarray, "n"]
    origin: tuple[int, int]
    scale: float

    def picture(self) -> FrameArray:
        """Decode the picture, which is square."""
        return cv2.imdecode(self.jpeg, cv2.IMREAD_COLOR_RGB)


class KeptViews(Sequence[PersonView]):
    """Views of the person in many frames: in memory while they are few, else in a nameless file."""

    def __init__(self, in_memory: int = 64 * 2**20) -> None:
        self._file = SpooledTemporaryFile(max_size=in_memory)  # noqa: SIM115
        self._items: list[tuple[int, tuple[int, int], float, int, int]] = []

    def append(self, one: PersonView) -> None:
        """Add a view.

        Raises:
            InputError: the disk of temporary files is full.
        """
        with writing(Path(gettempdir())):
            place = self._file.seek(0, SEEK_END)
            self._file.write(one.jpeg.tobytes())
        self._items.append((one.frame, one.origin, one.scale, place, len(one.jpeg)))

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> PersonView: ...
    @overload
    def __getitem__(self, index: slice) -> list[PersonView]: ...
    def __getitem__(self, index: int | slice) -> PersonView | list[PersonView]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        frame, origin, scale, place, length = self._items[index]
        self._file.seek(place)
        return PersonView(frame, np.frombuffer(self._file.read(length), np.uint8), origin, scale)


@dataclass(frozen=True)
class PointTrack:
    """Point correspondences between two frames: where points on the person moved.

    Attributes:
        points: ``n 2`` (x, y) pixels of the frame.
        moved: ``n 2`` (dx, dy) pixels to their positions in the later frame.
    """

    start: int
    end: int
    points: Float[Tensor, "n 2"]
    moved: Float[Tensor, "n 2"]


class PackedTracks(Sequence[PointTrack]):
    """Point tracks of a long clip: tracks from one start share its points, a kilobyte a frame."""

    def __init__(self) -> None:
        self._items: list[tuple[int, int, np.ndarray, np.ndarray, np.ndarray]] = []

    def append(
        self,
        frames: tuple[int, int],
        points: Float[np.ndarray, "p 2"],
        held: Bool[np.ndarray, "p"],
        moved: Float[np.ndarray, "n 2"],
    ) -> None:
        """Add a track.

        Args:
            frames: (start, end).
            points: all that started, float32; kept, and shared by the tracks given the same.
            held: the ``n`` of them that are still tracked.
            moved: their displacements.
        """
        self._items.append((*frames, points, np.packbits(held), moved.astype(np.float32)))

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> PointTrack: ...
    @overload
    def __getitem__(self, index: slice) -> list[PointTrack]: ...
    def __getitem__(self, index: int | slice) -> PointTrack | list[PointTrack]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        start, end, points, bits, moved = self._items[index]
        held = np.unpackbits(bits, count=len(points)).astype(bool)
        return PointTrack(start, end, torch.from_numpy(points[held]), torch.from_numpy(moved))


@dataclass(frozen=True)
class Detection:
    """What an estimator detected in a photo or in a whole clip.

    Attributes:
        silhouettes: the person's foreground, in the order of frames; frames may be missing, and
            all are where the estimator makes none.
        point_tracks: in the order of the frames where they end.
        views: the person in some of the frames, if they were asked for.
        notes: sentences for the user, such as which of several people was taken.
    """

    landmarks: Landmarks
    silhouettes: Sequence[Silhouette] = ()
    notes: tuple[str, ...] = ()
    point_tracks: Sequence[PointTrack] = ()
    views: Sequence[PersonView] = ()
