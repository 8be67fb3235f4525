"""Tiny videos made on the spot."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

MILLISECOND = Fraction(1, 1000)


def grey_levels(count: int) -> list[int]:
    """Levels far enough apart to survive lossy coding: frame i is told by its grey."""
    return [40 + 160 * i // max(count - 1, 1) for i in range(count)]


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    def make(
        name: str = "clip.mp4",
        *,
        times: Sequence[float] | None = None,
        count: int = 10,
        fps: Fraction = Fraction(30),
        frames: Sequence[np.ndarray] | None = None,
        size: tuple[int, int] = (48, 64),
        codec: str = "libx264",
        pixel_format: str = "yuv420p",
        rotation: int = 0,
        audio: str | None = None,
        audio_start: float = 0.0,
        options: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        if frames is None:
            levels = grey_levels(len(times) if times else count)
            frames = [np.full((*size, 3), level, np.uint8) for level in levels]
        height, width = frames[0].shape[:2]
        with av.open(str(path), "w", options=options or {}) as output:
            stream = output.add_stream(codec, rate=fps)
            stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
            stream.codec_context.time_base = MILLISECOND if times else 1 / fps
            if rotation:
                stream.set_display_rotation(rotation)
            sound = output.add_stream(audio, rate=48_000, layout="stereo") if audio else None
            for i, frame in enumerate(frames):
                kind = "rgba" if frame.shape[2] == 4 else "rgb24"
                picture = av.VideoFrame.from_ndarray(frame, format=kind)
                picture.pts = round(times[i] * 1000) if times else i
                picture.time_base = MILLISECOND if times else 1 / fps
                output.mux(stream.encode(picture))
            output.mux(stream.encode(None))
            if sound is not None:
                _add_tone(output, sound, len(frames) / fps, audio_start)
        return path

    return make


def _add_tone(output, stream, seconds, start) -> None:
    step = stream.codec_context.frame_size or 1024
    kind = stream.codec_context.format.name
    for first in range(0, int(seconds * 48_000), step):
        wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(first, first + step) / 48_000)
        samples = np.stack([wave, wave]).astype(np.float32)
        if kind == "s16":
            samples = (samples.T.reshape(1, -1) * 32767).astype(np.int16)
        elif kind == "s32p":
            samples = (samples * 2**30).astype(np.int32)
        frame = av.AudioFrame.from_ndarray(samples, format=kind, layout="stereo")
        frame.sample_rate = 48_000
        frame.pts = first + round(start * 48_000)
        frame.time_base = Fraction(1, 48_000)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


@pytest.fixture
def audio_packets() -> Callable[[Path], list[tuple[bytes, float]]]:
    """Coded sound packets of a file and their times in seconds from the first picture."""

    def read(path: Path) -> list[tuple[bytes, float]]:
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            return [
                (bytes(packet), float(packet.pts * packet.time_base))
                for packet in container.demux(stream)
                if packet.size
            ]

    return read
