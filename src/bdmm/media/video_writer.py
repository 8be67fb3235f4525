"""Frames into a video file: constant rate, sound carried over, whole or not at all."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from jaxtyping import UInt8

from bdmm.batch.threads import held_threads
from bdmm.errors import InputError, Notice
from bdmm.files.output_file import appearing, check_folder, check_output, writing
from bdmm.media.audio_copy import AudioCopy, can_carry_sound
from bdmm.media.generated_note import GENERATED, add_gif_comment
from bdmm.media.image import AnyPicture, write_image
from bdmm.media.video_types import VIDEO_SUFFIXES, check_transparent

DEFAULT_CRF = 18
"""x264's constant rate factor: 0 to 51, lower is better and larger; 18 looks like the frames."""

_BT709 = 1
_FORMATS = {1: "gray", 3: "rgb24", 4: "rgba"}
"""FFmpeg's names of pictures by their channels."""
_OPAQUE = {"yuva420p": "yuv420p", "yuva444p10le": "yuv444p10le"}
"""Formats with alpha, and the same ones without."""
_ROW = 16
"""Pixels that FFmpeg's conversions take at once."""
_HALF = 128
"""Alpha under which a pixel of a GIF is transparent."""
_GIF_TICK = Fraction(1, 100)
_GIF_STEPS = (("split", ""), ("palettegen", "stats_mode=single"), ("paletteuse", "new=1"))


@runtime_checkable
class FrameWriter(Protocol):
    """Takes frames one after the other."""

    def write(self, frame: AnyPicture) -> None:
        """Append a frame; all are of one size and one number of channels.

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


def check_video_output(
    path: str | Path, inputs: Iterable[str | Path] = (), transparent: bool = False
) -> Path:
    """Check a path for `create_video` before any work; see `check_output`.

    A path without a suffix means a folder of PNG files, which must not exist yet.

    Args:
        transparent: the video has alpha.

    Raises:
        InputError: nothing can be written there.
    """
    path = Path(path)
    if path.suffix:
        check_output(path, VIDEO_SUFFIXES, inputs)
        if transparent:
            check_transparent(path)
        return path
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
    transparent: bool = False,
    note: str | None = GENERATED,
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
        crf: constant rate factor, 0 to 51; ProRes and files without a rate factor ignore it.
        transparent: frames are ``h w 4``, RGB that is not premultiplied, and alpha: VP9 in .webm,
            ProRes 4444 in .mov; a .gif is transparent where alpha is below a half.
        note: goes into the metadata; None for none.

    Yields:
        The writer.

    Raises:
        InputError: the path or the factor is wrong, or writing failed.
    """
    path = check_video_output(path, () if sound_from is None else (sound_from,), transparent)
    check_crf(crf)
    with appearing(path, folder=not path.suffix) as part:
        writer = _open_writer(path, part, fps, crf, transparent, note)
        if sound_from is not None:
            _give_sound(writer, path, Path(sound_from), sound_start)
        try:
            yield writer
            writer.finish()
        finally:
            writer.close()


def _open_writer(
    path: Path, part: Path, fps: Fraction, crf: int, transparent: bool, note: str | None
) -> FrameWriter:
    if not path.suffix:
        return _FolderWriter(part, note)
    if path.suffix.lower() == ".gif":
        return _GifWriter(path, part, fps, note)
    return _VideoWriter(path, part, fps, _coding(path.suffix.lower(), crf, transparent), note)


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
        pixels: FFmpeg's name of the pixel format; ``gray`` takes frames of ``h w``, one with alpha
            frames of ``h w 4``.
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
        stream.codec_context.thread_count = held_threads()
        self._stream = stream

    def write(self, frame: UInt8[np.ndarray, "h w *c"]) -> None:
        """Append a frame."""
        frame, colour = _even(frame), self._pixels != "gray"
        if self.count == 0:
            self._begin(frame, colour)
        opaque = _widened(frame[..., :3]) if self._pixels in _OPAQUE else frame
        picture = self._converter.reformat(
            _video_frame(opaque),
            format=_OPAQUE.get(self._pixels, self._pixels),
            dst_colorspace=Colorspace.ITU709 if colour else None,
            dst_color_range=ColorRange.MPEG if colour else None,
        )
        if self._pixels in _OPAQUE:
            picture = _with_alpha(picture, self._pixels, frame[..., 3])
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


@dataclass(frozen=True)
class _Coding:
    """An encoder, its options and its pixel format, as FFmpeg names them."""

    encoder: str
    options: dict[str, str]
    pixels: str


class _VideoWriter(EncodedVideo):
    """H.264, VP9 or ProRes with sound."""

    def __init__(
        self, path: Path, part: Path, fps: Fraction, coding: _Coding, note: str | None
    ) -> None:
        kind = path.suffix.lower()
        matroska = kind in (".webm", ".mkv")  # whose identifiers are random unless told otherwise
        options = {"fflags": "+bitexact"} if matroska else {"movflags": "+faststart"}
        super().__init__(
            path, part, fps, coding.encoder, coding.options, coding.pixels, options=options
        )
        if note is not None:
            self._container.metadata["comment"] = note
        if kind == ".webm" and "a" in coding.pixels:
            self._stream.metadata["alpha_mode"] = "1"
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

    def __init__(self, path: Path, part: Path, fps: Fraction, note: str | None) -> None:
        self._shown = -1
        self._part, self._note = part, note
        self._graph: Graph | None = None
        if fps > 1 / _GIF_TICK:
            warnings.warn(
                f"{path} shows at most {1 / _GIF_TICK} frames per second and leaves others out.",
                Notice,
                stacklevel=6,
            )
        super().__init__(path, part, fps, "gif", {})

    def write(self, frame: AnyPicture) -> None:
        tick = round(self.count / self._fps / _GIF_TICK)
        self.count += 1
        if tick == self._shown:
            return
        self._shown = tick
        if frame.shape[2] == 4:  # what is not seen takes no place in the palette
            frame = np.where(frame[..., 3:] < _HALF, 0, frame | np.array([0, 0, 0, 255], np.uint8))
        picture = _video_frame(frame)
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

    def finish(self) -> None:
        super().finish()
        if self._note is not None:
            with writing(self._path):
                add_gif_comment(self._part, self._note)


class _FolderWriter:
    """PNG files numbered from 1."""

    def __init__(self, folder: Path, note: str | None) -> None:
        self._folder = folder
        self._note = note
        self._count = 0

    def write(self, frame: AnyPicture) -> None:
        self._count += 1
        write_image(self._folder / f"{self._count:06d}.png", frame, note=self._note)

    def finish(self) -> None:
        assert self._count > 0, "a video has at least one frame"

    def close(self) -> None:
        pass


def _video_frame(frame: np.ndarray) -> av.VideoFrame:
    channels = 1 if frame.ndim == 2 else frame.shape[2]
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format=_FORMATS[channels])


def _with_alpha(
    picture: av.VideoFrame, pixels: str, alpha: UInt8[np.ndarray, "h w"]
) -> av.VideoFrame:
    """Return the left part of a picture of a format of `_OPAQUE`, with an alpha plane."""
    joined = av.VideoFrame(alpha.shape[1], alpha.shape[0], pixels)
    joined.colorspace, joined.color_range = picture.colorspace, picture.color_range
    deep = pixels.endswith("10le")
    kind, levels = np.dtype("<u2" if deep else "u1"), 1023 if deep else 255
    planes = [np.frombuffer(bytes(one), kind).reshape(one.height, -1) for one in picture.planes]
    planes.append((alpha * (levels / 255)).round().astype(kind))
    for plane, values in zip(joined.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size // kind.itemsize), kind)
        rows[:, : plane.width] = values[:, : plane.width]
        plane.update(rows.tobytes())
    return joined


def _widened(frame: np.ndarray) -> np.ndarray:
    """Make rows so long that FFmpeg converts them whole: it spoils the ends of others."""
    return np.pad(frame, [(0, 0), (0, -frame.shape[1] % _ROW), (0, 0)], mode="edge")


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


def _coding(kind: str, crf: int, transparent: bool) -> _Coding:
    """Return how a file of some suffix is encoded."""
    if kind == ".webm":
        if transparent:  # two streams in one, which alternate reference frames would mix up
            options = {**_vp9_options(crf), "auto-alt-ref": "0"}
            return _Coding("libvpx-vp9", options, "yuva420p")
        return _Coding("libvpx-vp9", _vp9_options(crf), "yuv420p")
    if transparent:
        return _Coding("prores_ks", {"profile": "4444"}, "yuva444p10le")
    return _Coding("libx264", _h264_options(crf), "yuv420p")


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
