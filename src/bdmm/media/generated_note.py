"""The note in the metadata of generated media that says so."""

from pathlib import Path

from bdmm import __version__

GENERATED = f"Generated media: made by bdmm {__version__} from pictures of a person and a motion."
"""Tool and version, but no time: the same command writes the same bytes."""

_CHUNK = 2**20


def add_gif_comment(path: Path, note: str) -> None:
    """Insert a comment into a GIF file, behind its header."""
    text = note.encode("ascii")
    assert len(text) < 256
    block = b"\x21\xfe" + bytes([len(text)]) + text + b"\x00"
    with path.open("r+b") as file:
        header = file.read(13)
        assert header.startswith(b"GIF89a")
        palette = 3 << (header[10] & 7) + 1 if header[10] & 0x80 else 0
        begin, end = 13 + palette, file.seek(0, 2)
        while end > begin:
            start = max(begin, end - _CHUNK)
            file.seek(start)
            piece = file.read(end - start)
            file.seek(start + len(block))
            file.write(piece)
            end = start
        file.seek(begin)
        file.write(block)
