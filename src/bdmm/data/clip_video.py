"""The videos of a prepared clip: the same bytes on every run, any run of frames read at once."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from jaxtyping import UInt8

from bdmm.errors import InputError
from bdmm.files.outside import VIDEO, reading
from bdmm.media.video_writer import EncodedVideo, x264_parameters

Kind = Literal["colour", "grey"]
KEY_EVERY = 12
"""Every how many frames one stands alone: what is read before the first frame that is wanted."""
QUALITY: dict[str, int] = {"colour": 20, "grey": 23}
"""x264's constant rate factors."""
_FORMATS = {"colour": "yuv444p", "grey": "gray"}
_RIM = 10
"""Grey levels at both ends that become black and white: ringing around the person."""


@contextmanager
def create_clip_video(path: Path, fps: Fraction, kind: Kind) -> Iterator[EncodedVideo]:
    """Write a video in a ``with`` statement.

    Args:
        path: the file, which is left cut off if anything fails.
        kind: RGB pictures, or grey ones such as foregrounds; even sides, all of one size.

    Raises:
        InputError: the disk is full and the like.
    """
    keys = (f"keyint={KEY_EVERY}", "min-keyint=1", "scenecut=0", "open-gop=0")
    options = {
        "crf": str(QUALITY[kind]),
        "preset": "medium",
        "threads": "1",
        "x264-params": x264_parameters(*keys),
    }
    writer = EncodedVideo(path, path, fps, "libx264", options, _FORMATS[kind], format="mp4")
    with closing(writer):
        yield writer
        writer.finish()


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
