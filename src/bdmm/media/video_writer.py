"""Frames into a video file: constant rate, sound carried over, whole or not at all."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from jaxtyping import UInt8

from bdmm.errors import InputError, Notice
from bdmm.files.output_file import appearing, check_folder, check_output, writing
from bdmm.media.audio_copy import AudioCopy, can_carry_sound
from bdmm.media.image import Picture, write_image

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".gif")
"""What is written: H.264, or VP9 in .webm, or a palette per frame in .gif (no sound)."""
DEFAULT_CRF = 18
"""x264's constant rate factor: 0 to 51, lower is better and larger; 18 looks like the frames."""

_BT709 = 1
_GIF_TICK = Fraction(1, 100)
_GIF_STEPS = (("split", ""), ("palettegen", "stats_mode=single"), ("paletteuse", "new=1"))


@runtime_checkable
class FrameWriter(Protocol):
    """Takes frames one after the other."""

    def write(self, frame: Picture) -> None:
        """Append a frame; all are of one size.

        Raises:
            InputError: the disk is full or writing failed otherwise.
        """
        ...

    def finish(self) -> None:
        """Write what is still held back."""
        ...

    def close(self) -> None:
        """Let go of the file, finished or not."""
        ...


def check_video_output(path: str | Path, inputs: Iterable[str | Path] = ()) -> Path:
    """Check a path for `create_video` before any work; see `check_output`.

    A path without a suffix means a folder of PNG files, which must not exist yet.

    Raises:
        InputError: nothing can be written there.
    """
    path = Path(path)
    if path.suffix:
        return check_output(path, VIDEO_SUFFIXES, inputs)
    if path.exists():
        raise InputError(
            f"The output {path} exists already; name a new folder for PNG files, or a file that "
            f"ends in {', '.join(VIDEO_SUFFIXES)}."
        )
    check_folder(path.parent)
    return path


def check_crf(crf: int) -> None:
    """Refuse a constant rate factor out of range.

    Raises:
        InputError: it is.
    """
    if not 0 <= crf <= 51:
        raise InputError(f"The constant rate factor is {crf}; it must lie between 0 (best) and 51.")


@contextmanager
def create_video(
    path: str | Path,
    fps: Fraction,
    *,
    sound_from: str | Path | None = None,
    sound_start: Fraction = Fraction(0),
    crf: int = DEFAULT_CRF,
) -> Iterator[FrameWriter]:
    """Write a video in a ``with`` statement; it appears under its name when that ends well.

    On any error, Ctrl-C included, nothing is left and an older file of that name stays. An odd
    height or width is made even by repeating the last row or column, since H.264 with 4:2:0
    colours knows even sizes only.

    Args:
        path: where the video shall appear: a file of `VIDEO_SUFFIXES`, or a new folder for PNGs.
        fps: frames per second, kept exactly (.gif: times to 1/100 s; PNGs: none).
        sound_from: a file whose first sound track, if any, is carried over.
        sound_start: the time in that file, in seconds, that goes with the first frame.
        crf: constant rate factor, 0 to 51.

    Yields:
        The writer.

    Raises:
        InputError: the path or the factor is wrong, or writing failed.
    """
    path = check_video_output(path, () if sound_from is None else (sound_from,))
    check_crf(crf)
    with appearing(path, folder=not path.suffix) as part:
        writer = _open_writer(path, part, fps, crf)
        if sound_from is not None:
            _give_sound(writer, path, Path(sound_from), sound_start)
        try:
            yield writer
            writer.finish()
        finally:
            writer.close()


def _open_writer(path: Path, part: Path, fps: Fraction, crf: int) -> FrameWriter:
    if not path.suffix:
        return _FolderWriter(part)
    if path.suffix.lower() == ".gif":
        return _GifWriter(path, part, fps)
    return _VideoWriter(path, part, fps, crf)


def _give_sound(writer: FrameWriter, path: Path, source: Path, start: Fraction) -> None:
    if isinstance(writer, _VideoWriter):
        writer.take_sound(source, start)
    else:
        warnings.warn(f"{path} is of a type that holds no sound.", Notice, stacklevel=4)


class EncodedVideo:
    """A stream of pictures at a constant rate; the first frame gives its size.

    An odd height or width is made even by repeating the last row or column.

    Attributes:
        count: frames written.

    Args:
        path: the file as messages name it.
        part: where it is written.
        encoder: FFmpeg's name of the encoder.
        coding: options of the encoder.
        pixels: FFmpeg's name of the pixel format; ``gray`` takes frames of ``h w``.
        opening: further arguments of `av.open`.
    """

    def __init__(
        self,
        path: Path,
        part: Path,
        fps: Fraction,
        encoder: str,
        coding: dict[str, str],
        pixels: str = "yuv420p",
        **opening: Any,
    ) -> None:
        self._path, self._fps, self._pixels = path, fps, pixels
        self._converter = VideoReformatter()
        self.count = 0
        with writing(path):
            self._container = av.open(str(part), "w", **opening)
        stream = self._container.add_stream(encoder, rate=fps, options=coding)
        assert isinstance(stream, av.VideoStream)
        self._stream = stream

    def write(self, frame: UInt8[np.ndarray, "h w *c"]) -> None:
        """Append a frame."""
        frame, colour = _even(frame), self._pixels != "gray"
        if self.count == 0:
            self._begin(frame, colour)
        picture = av.VideoFrame.from_ndarray(frame, format="rgb24" if colour else "gray")
        picture = self._converter.reformat(
            picture,
            format=self._pixels,
            dst_colorspace=Colorspace.ITU709 if colour else None,
            dst_color_range=ColorRange.MPEG if colour else None,
        )
        picture.pts, picture.time_base = self.count, 1 / self._fps
        with writing(self._path):
            self._container.mux(self._stream.encode(picture))
            self.count += 1
            self._write_sound(self.count / self._fps)

    def finish(self) -> None:
        """Write what is still held back."""
        assert self.count > 0, "a video has at least one frame"
        with writing(self._path):
            self._container.mux(self._stream.encode(None))
            self._write_sound(None)
            self._container.close()

    def close(self) -> None:
        """Let go of the file, finished or not."""
        with suppress(OSError):  # a full disk was reported already
            self._container.close()

    def _begin(self, frame: np.ndarray, colour: bool) -> None:
        self._stream.height, self._stream.width = frame.shape[:2]
        self._stream.pix_fmt = self._pixels
        context = self._stream.codec_context
        context.time_base = 1 / self._fps
        if colour:
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.color_range = ColorRange.MPEG

    def _write_sound(self, until: Fraction | None) -> None:
        """Write what goes with the frames so far, or all of it."""


class _VideoWriter(EncodedVideo):
    """H.264 or VP9 with sound."""

    def __init__(self, path: Path, part: Path, fps: Fraction, crf: int) -> None:
        kind = path.suffix.lower()
        options = {} if kind in (".webm", ".mkv") else {"movflags": "+faststart"}
        if kind == ".webm":
            encoder = "libvpx-vp9", _vp9_options(crf)
        else:
            encoder = "libx264", _h264_options(crf)
        super().__init__(path, part, fps, *encoder, options=options)
        self._sound: AudioCopy | None = None

    def take_sound(self, source: Path, start: Fraction) -> None:
        if can_carry_sound(source, start, self._container.format.name):
            self._sound = AudioCopy(source, start, self._container)

    def close(self) -> None:
        if self._sound is not None:
            self._sound.close()
        super().close()

    def _write_sound(self, until: Fraction | None) -> None:
        if self._sound is not None:
            for packet in self._sound.due(until):
                self._container.mux(packet)


class _GifWriter(EncodedVideo):
    """One palette per frame, so that frames can be let go at once; at most 100 frames a second."""

    def __init__(self, path: Path, part: Path, fps: Fraction) -> None:
        self._shown = -1
        self._graph: Graph | None = None
        if fps > 1 / _GIF_TICK:
            warnings.warn(
                f"{path} shows at most {1 / _GIF_TICK} frames per second and leaves others out.",
                Notice,
                stacklevel=6,
            )
        super().__init__(path, part, fps, "gif", {})

    def write(self, frame: Picture) -> None:
        tick = round(self.count / self._fps / _GIF_TICK)
        self.count += 1
        if tick == self._shown:
            return
        self._shown = tick
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame))
        picture.pts, picture.time_base = tick, _GIF_TICK
        if self._graph is None:
            self._graph = _palette_graph(picture)
            self._stream.height, self._stream.width = frame.shape[:2]
            self._stream.pix_fmt = "pal8"
            self._stream.codec_context.time_base = _GIF_TICK
        self._graph.push(picture)
        with_palette = self._graph.pull()
        assert isinstance(with_palette, av.VideoFrame)
        with writing(self._path):
            self._container.mux(self._stream.encode(with_palette))


class _FolderWriter:
    """PNG files numbered from 1."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def write(self, frame: Picture) -> None:
        self._count += 1
        write_image(self._folder / f"{self._count:06d}.png", frame)

    def finish(self) -> None:
        assert self._count > 0, "a video has at least one frame"

    def close(self) -> None:
        pass


def _even(frame: np.ndarray) -> np.ndarray:
    odd = [(0, side % 2) for side in frame.shape[:2]]
    return np.pad(frame, [*odd, (0, 0)][: frame.ndim], mode="edge")


def x264_parameters(*chosen: str) -> str:
    """Return parameters of x264 and one more, so that it writes the same bytes in every process.

    With AVX-512 its choices depend on what memory held before.
    """
    import torch  # late, since it takes seconds

    wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
    return ":".join((*chosen, "asm=avx2") if wide else chosen)


def _h264_options(crf: int) -> dict[str, str]:
    return {"crf": str(crf), "preset": "medium", "x264-params": x264_parameters()}


def _vp9_options(crf: int) -> dict[str, str]:
    """VP9's scale reaches to 63; about 12 more looks alike."""
    return {"crf": str(crf + 12), "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}


def _palette_graph(frame: av.VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=_GIF_TICK
    )
    split, palette, use = (graph.add(name, args) for name, args in _GIF_STEPS)
    sink = graph.add("buffersink")
    source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph
