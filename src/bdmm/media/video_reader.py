"""Any video as an iterator of upright RGB frames at a constant rate, in bounded memory."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from bdmm.errors import InputError
from bdmm.files.outside import VIDEO, reading
from bdmm.media.image import Picture
from bdmm.media.orientation import Orientation, orientation_of
from bdmm.media.timeline import Timeline, resample
from bdmm.media.video_scan import scan_times

CONTAINERS = (
    "mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "mpegts", "mpeg",
    "mpegvideo", "flv", "asf", "ogg", "mxf", "dv", "nut", "ivf", "rm", "gif", "apng", "mjpeg",
    "h264", "hevc", "m4v", "obu", "y4m", "yuv4mpegpipe", "swf", "wtv", "mp3", "wav", "flac", "aac",
    "image2", "png_pipe", "jpeg_pipe", "bmp_pipe", "webp_pipe", "tiff_pipe", "webp",
)  # fmt: skip
"""What is opened; playlists and text, which would make the reader open other files, are not."""
MAX_FRAME_PIXELS = VIDEO.most("pixels of a frame")
"""Larger frames (8192 x 4096) are refused."""
MAX_MINUTES = float(VIDEO.most("minutes"))
"""Longer videos are refused unless a caller allows more."""

_READ_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": ",".join(CONTAINERS)}
_PICTURES = ("image2", "_pipe", "webp")
_HD_ROWS = 720
_UNSPECIFIED = 2


class VideoReader:
    """A video file; iterate over it, as often as you like, for ``frame_count`` frames.

    Frames are uint8 ``h w 3`` RGB: turned upright, of square pixels, transparency over white,
    at the constant rate ``fps``. Only the frames between two outputs are held in memory.

    Attributes:
        size: (height, width) of the frames given out.
        timeline: the constant rate laid over the file's own times.
        has_audio: whether the file has sound.
    """

    path: Path
    size: tuple[int, int]
    timeline: Timeline
    has_audio: bool

    def __init__(
        self, path: str | Path, *, max_side: int | None = None, max_minutes: float = MAX_MINUTES
    ) -> None:
        """Open a video, scan its time stamps and try its first frame.

        Args:
            max_side: frames whose longer side exceeds it are scaled down to it.
            max_minutes: longer videos are refused.

        Raises:
            InputError: the file is missing, not a video, has no frames, sound only, is mostly cut
                off, too long, or has frames beyond `MAX_FRAME_PIXELS`.
        """
        self.path = Path(path)
        with self._reading():
            with open_media(self.path) as container:
                stream = _picture_stream(self.path, container)
                _check_frame_size(self.path, stream)
                self.has_audio = bool(container.streams.audio)
                self.timeline, self._stored_count = scan_times(self.path, container, stream)
            _check_length(self.path, self.timeline, max_minutes)
            with open_media(self.path) as container:
                stream = _picture_stream(self.path, container)
                first = next(_decode(self.path, container, stream), None)
                if first is None:
                    raise InputError(f"The video {self.path} has no frame that can be decoded.")
                self._orientation = _orientation(first)
                self._stored_size = _square_size(self.path, stream, first, max_side)
        self.size = self._orientation.shown_size(self._stored_size)

    @property
    def fps(self) -> Fraction:
        """Frames per second."""
        return self.timeline.fps

    @property
    def frame_count(self) -> int:
        """Number of frames that an iteration yields."""
        return self.timeline.frame_count

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.frame_count

    def __iter__(self) -> Iterator[Picture]:
        """Decode from the beginning.

        Raises:
            InputError: less than half of the frames can be decoded.
        """
        converter = VideoReformatter()
        shown = -1
        picture = np.zeros((0, 0, 3), np.uint8)
        with self._reading(), open_media(self.path) as container:
            frames = _decode(self.path, container, _picture_stream(self.path, container))
            for index, frame in resample(self.timeline, ((f.pts, f) for f in frames)):
                if index != shown:
                    picture = self._orientation.apply(_to_rgb(frame, self._stored_size, converter))
                    shown = index
                yield picture
        self._check_decoded(shown + 1)

    def _reading(self) -> AbstractContextManager[Path]:
        return reading(self.path, VIDEO, f"The video {self.path} is damaged and cannot be read.")

    def _check_decoded(self, decoded: int) -> None:
        if 2 * decoded < self._stored_count:
            raise InputError(
                f"Only {decoded} of the {self._stored_count} frames of {self.path} can be "
                "decoded: the file is damaged."
            )


def open_media(path: Path) -> InputContainer:
    """Open a file for reading, nothing beyond that file.

    Raises:
        InputError: the file is missing, may not be read or is no media file.
    """
    trouble = f"{path} is not a media file that can be read, or it is cut off."
    with reading(path, VIDEO, trouble):
        address = f"file:{path.absolute()}"
        return av.open(address, options=dict(_READ_OPTIONS), metadata_errors="replace")


def _picture_stream(path: Path, container: InputContainer) -> av.VideoStream:
    """Return the first stream of moving pictures; a cover picture is none."""
    if any(name in container.format.name for name in _PICTURES):
        raise InputError(f"{path} is a picture, but a video is needed here.")
    cover = Disposition.attached_pic
    streams = [s for s in container.streams.video if not s.disposition & cover]
    if not streams:
        what = "sound only" if container.streams.audio else "no pictures"
        raise InputError(f"{path} has {what}, but a video is needed here.")
    if streams[0].codec_context is None:
        raise InputError(f"The video {path} is in a format that cannot be decoded here.")
    streams[0].thread_type = "AUTO"
    return streams[0]


def _decode(
    path: Path, container: InputContainer, stream: av.VideoStream
) -> Iterator[av.VideoFrame]:
    """Decode what can be decoded; a damaged packet is passed over."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, FFmpegError):
            return
        try:
            frames = packet.decode()
        except FFmpegError:
            continue
        for frame in frames:
            _check_frame_size(path, frame)
            yield frame


def _orientation(frame: av.VideoFrame) -> Orientation:
    if "DISPLAYMATRIX" not in frame.side_data:
        return Orientation()
    return orientation_of(bytes(frame.side_data["DISPLAYMATRIX"]))


def _check_length(path: Path, timeline: Timeline, max_minutes: float) -> None:
    most = VIDEO.most("frames")
    if timeline.duration > 60 * max_minutes:
        raise InputError(
            f"The video {path} lasts {float(timeline.duration / 60):.1f} minutes; at most "
            f"{max_minutes:g} are allowed, so cut it, or raise --max-minutes."
        )
    if timeline.frame_count > most:
        raise InputError(
            f"The video {path} has {timeline.frame_count} frames; at most {most} are read, so cut "
            "it."
        )


def _check_frame_size(path: Path, frame: av.VideoStream | av.VideoFrame) -> None:
    if frame.width * frame.height > MAX_FRAME_PIXELS:
        raise InputError(
            f"The frames of {path} have {frame.width} x {frame.height} pixels; at most "
            f"{MAX_FRAME_PIXELS // 1_000_000} million are read, so make the video smaller first."
        )


def _square_size(
    path: Path, stream: av.VideoStream, frame: av.VideoFrame, max_side: int | None
) -> tuple[int, int]:
    """Return (height, width) before turning, with square pixels and within the limit."""
    aspect = stream.sample_aspect_ratio or Fraction(1)
    if aspect <= 0:
        aspect = Fraction(1)
    height, width = Fraction(frame.height), frame.width * aspect
    if max(height, width) > VIDEO.most("pixels of a side"):
        raise InputError(
            f"The frames of {path} are {float(width):.0f} x {float(height):.0f} square pixels; at "
            f"most {VIDEO.most('pixels of a side')} a side are read."
        )
    if max_side is not None and max(height, width) > max_side:
        shrink = max_side / max(height, width)
        height, width = height * shrink, width * shrink
    return max(round(height), 1), max(round(width), 1)


def _to_rgb(frame: av.VideoFrame, size: tuple[int, int], converter: VideoReformatter) -> Picture:
    height, width = size
    has_alpha = any(component.is_alpha for component in frame.format.components)
    unnamed = frame.colorspace == _UNSPECIFIED
    converted = converter.reformat(
        frame,
        width=width,
        height=height,
        format="rgba" if has_alpha else "rgb24",
        src_colorspace=Colorspace.ITU709 if unnamed and frame.height >= _HD_ROWS else None,
        interpolation=Interpolation.BILINEAR,
    )
    array = converted.to_ndarray()
    return _over_white(array) if has_alpha else array


def _over_white(rgba: np.ndarray) -> Picture:
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
