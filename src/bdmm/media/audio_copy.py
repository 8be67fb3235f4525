"""Sound carried from one file to another: packet for packet where the container allows."""

import os
import warnings
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError

from bdmm.errors import InputError, Notice
from bdmm.files.outside import VIDEO, reading
from bdmm.media.video_reader import open_media


def can_carry_sound(path: Path, start: Fraction, container: str) -> bool:
    """Copy a file's sound to nowhere first, so that no finished video is lost to damaged sound.

    Notifies the user where the sound has to be left out or encoded anew.

    Args:
        path: a file; False without a notice if it has no sound.
        start: the file's own time in seconds that becomes 0 in the output.
        container: FFmpeg's name of the output's format.
    """
    trouble = f"The sound of {path} is damaged and is left out."
    try:
        with reading(path, VIDEO, trouble), av.open(os.devnull, "w", format=container) as output:
            with open_media(path) as source:
                if not source.streams.audio:
                    return False
            sound = AudioCopy(path, start, output)
            with closing(sound):
                output.start_encoding()
                for packet in sound.due(None):
                    output.mux(packet)
    except InputError as error:
        warnings.warn(str(error), Notice, stacklevel=4)
        return False
    if sound.encoder is not None:
        warnings.warn(
            f"The sound of {path} ({sound.codec}) does not fit into {container} and is encoded "
            f"anew as {sound.encoder}.",
            Notice,
            stacklevel=4,
        )
    return True


class AudioCopy:
    """The first sound track of a file, handed to a muxer along with the pictures.

    Packets are copied bit for bit where the container takes the codec; otherwise the sound is
    encoded anew. Nothing but the packets that are due is held in memory.

    Attributes:
        codec: name of the file's codec.
        encoder: name of the codec that the sound is encoded with; None where it is copied.
    """

    def __init__(self, path: Path, start: Fraction, output: OutputContainer) -> None:
        """Open the sound and add its stream to the output.

        Args:
            path: a file with sound.
            start: the file's own time in seconds that becomes 0 in the output.
            output: a container that has not begun to be written.
        """
        self._container = open_media(path)
        stream = self._container.streams.audio[0]
        if stream.codec_context is None:
            raise ValueError("a codec that is unknown here")
        self.codec, self.encoder = stream.codec_context.name, None
        try:
            self._output = output.add_stream_from_template(stream)
        except ValueError:
            self._output = _add_encoder(stream, output)
            self.encoder = self._output.codec_context.name.removeprefix("lib")
        shifted = _copied if self.encoder is None else _encoded
        self._packets = shifted(self._container, stream, self._output, start)
        self._next = next(self._packets, None)

    def due(self, seconds: Fraction | None) -> Iterator[av.Packet]:
        """Yield the packets that begin before a time of the output; all the rest for None."""
        while self._next is not None and (seconds is None or _begin(self._next) < seconds):
            yield self._next
            self._next = next(self._packets, None)

    def close(self) -> None:
        """Close the input."""
        self._container.close()


def _begin(packet: av.Packet) -> Fraction:
    stamp = packet.dts if packet.dts is not None else packet.pts
    return Fraction(0) if stamp is None else stamp * packet.time_base


def _copied(
    container: InputContainer,
    stream: av.AudioStream,
    output: av.AudioStream,
    start: Fraction,
) -> Iterator[av.Packet]:
    for packet in _readable(container.demux(stream)):
        if packet.size == 0:
            continue
        shift = round(start / packet.time_base)
        if packet.pts is not None:
            packet.pts -= shift
        if packet.dts is not None:
            packet.dts -= shift
        packet.stream = output
        yield packet


def _add_encoder(stream: av.AudioStream, output: OutputContainer) -> av.AudioStream:
    codec = "libopus" if output.format.name == "webm" else "aac"
    rate = 48_000 if codec == "libopus" else stream.rate
    encoder = output.add_stream(codec, rate=rate)
    encoder.layout = "mono" if stream.layout.nb_channels == 1 else "stereo"
    return encoder


def _encoded(
    container: InputContainer,
    stream: av.AudioStream,
    encoder: av.AudioStream,
    start: Fraction,
) -> Iterator[av.Packet]:
    context = encoder.codec_context
    if not context.is_open:
        context.open()
    resampler = av.AudioResampler(
        format=context.format,
        layout=context.layout,
        rate=context.sample_rate,
        frame_size=context.frame_size or None,
    )
    for frame in chain(_sounds(container, stream), (None,)):
        for piece in resampler.resample(frame):
            if piece.pts is not None and piece.time_base is not None:
                piece.pts -= round(start / piece.time_base)
            yield from encoder.encode(piece)
    yield from encoder.encode(None)


def _sounds(container: InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    for packet in _readable(container.demux(stream)):
        try:
            yield from packet.decode()
        except FFmpegError:
            continue


def _readable(packets: Iterator[av.Packet]) -> Iterator[av.Packet]:
    """Yield packets until the end or the first damage."""
    while True:
        try:
            yield next(packets)
        except (StopIteration, FFmpegError):
            return
