"""The videos of a prepared clip: the same bytes on every run, any run of frames read at once."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from jaxtyping import UInt8

from bdmm.errors import InputError
from bdmm.files.output_file import writing
from bdmm.files.outside import VIDEO, reading
from bdmm.media.video_writer import x264_parameters

Kind = Literal["colour", "grey"]
KEY_EVERY = 12
"""Every how many frames one stands alone: what is read before the first frame that is wanted."""
QUALITY: dict[str, int] = {"colour": 20, "grey": 23}
"""x264's constant rate factors."""
_FORMATS = {"colour": "yuv444p", "grey": "gray"}
_ARRAYS = {"colour": "rgb24", "grey": "gray"}
_RIM = 10
"""Grey levels at both ends that become black and white: ringing around the person."""


class ClipVideoWriter:
    """Takes frames one after the other; see `create_clip_video`."""

    def __init__(self, path: Path, fps: Fraction, kind: Kind) -> None:
        self._path, self._fps, self._kind = path, fps, kind
        self._converter = VideoReformatter()
        self.count = 0
        with writing(path):
            self.container = av.open(str(path), "w", format="mp4")
        self._stream = self.container.add_stream("libx264", rate=fps)
        self._stream.options = {
            "crf": str(QUALITY[kind]),
            "preset": "medium",
            "threads": "1",
            "x264-params": x264_parameters(
                f"keyint={KEY_EVERY}", "min-keyint=1", "scenecut=0", "open-gop=0"
            ),
        }

    def write(self, picture: UInt8[np.ndarray, "h w *c"]) -> None:
        """Append a frame: ``h w 3``, or ``h w`` for grey; even sides, all of one size."""
        if self.count == 0:
            self._begin(picture)
        frame = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(picture), format=_ARRAYS[self._kind]
        )
        frame = self._converter.reformat(
            frame,
            format=_FORMATS[self._kind],
            dst_colorspace=Colorspace.ITU709 if self._kind == "colour" else None,
            dst_color_range=ColorRange.MPEG if self._kind == "colour" else None,
        )
        frame.pts, frame.time_base = self.count, 1 / self._fps
        with writing(self._path):
            self.container.mux(self._stream.encode(frame))
        self.count += 1

    def finish(self) -> None:
        """Write what is still held back."""
        assert self.count > 0, "a clip has at least one frame"
        with writing(self._path):
            self.container.mux(self._stream.encode(None))
            self.container.close()

    def _begin(self, picture: np.ndarray) -> None:
        height, width = picture.shape[:2]
        assert height % 2 == 0, "H.264 knows even sides only"
        assert width % 2 == 0, "H.264 knows even sides only"
        self._stream.height, self._stream.width = height, width
        self._stream.pix_fmt = _FORMATS[self._kind]
        context = self._stream.codec_context
        context.time_base = 1 / self._fps
        if self._kind == "colour":
            context.colorspace = context.color_primaries = context.color_trc = 1
            context.color_range = ColorRange.MPEG


@contextmanager
def create_clip_video(path: Path, fps: Fraction, kind: Kind) -> Iterator[ClipVideoWriter]:
    """Write a video in a ``with`` statement.

    Args:
        path: the file, which is left cut off if anything fails.
        kind: RGB pictures, or grey ones such as foregrounds.

    Raises:
        InputError: the disk is full and the like.
    """
    writer = ClipVideoWriter(path, fps, kind)
    try:
        yield writer
        writer.finish()
    finally:
        with suppress(OSError):
            writer.container.close()


def read_run(
    path: Path, start: int, stop: int, fps: Fraction, kind: Kind
) -> UInt8[np.ndarray, "t h w *c"]:
    """Read some frames of a clip's video.

    Returns:
        ``t h w 3``, or ``t h w`` for grey.

    Raises:
        InputError: the file is missing or damaged, or has too few frames.
    """
    with reading(path, VIDEO, f"{path} is damaged or cannot be read: prepare the clip again."):
        frames = dict(_decoded(path, start, stop, fps, kind))
    missing = next((number for number in range(start, stop) if number not in frames), None)
    if missing is not None:
        raise InputError(f"Frame {missing} of {path} cannot be read: prepare the clip again.")
    return np.stack([frames[number] for number in range(start, stop)])


def _decoded(
    path: Path, start: int, stop: int, fps: Fraction, kind: Kind
) -> Iterator[tuple[int, np.ndarray]]:
    with av.open(f"file:{path.absolute()}", format="mp4") as container:
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise ValueError("a codec that is unknown here")
        stream.codec_context.thread_count = 1
        base = stream.time_base or 1 / fps
        container.seek(round(start / fps / base), stream=stream)
        for frame in container.decode(stream):
            number = round((frame.pts or 0) * base * fps)
            if start <= number < stop:
                yield number, _pixels(frame, kind)
            if number >= stop - 1:
                return


def _pixels(frame: av.VideoFrame, kind: Kind) -> np.ndarray:
    if kind == "colour":
        return frame.to_ndarray(format="rgb24")
    grey = frame.to_ndarray(format="gray")[: frame.height, : frame.width]
    grey = np.where(grey < _RIM, 0, grey)
    return np.where(grey > 255 - _RIM, 255, grey).astype(np.uint8)
