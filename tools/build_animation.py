"""Make the animation of the README: the sample people, several motions and sizes, in one loop.

    python tools/build_animation.py [--frames PNG_FOLDER]    # writes docs/images/animation.webp

The left column shows the two sample photos; the panels show what ``bdmm animate`` makes of them
with shipped motions, four at 240x320 pixels and two at 120x160. Every motion ends where it starts
and is stretched to one length, so that the loop has no jump. With ``--frames`` every tenth frame is
kept as a PNG file too.
"""

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import bdmm
from bdmm.media.image import Picture, read_image, resize_image, write_image
from bdmm.media.motion_file import load_shipped
from bdmm.records import Motion

_ROOT = Path(__file__).resolve().parents[1]
_SAMPLES = _ROOT / "src" / "bdmm" / "assets" / "samples"
_TARGET = _ROOT / "docs" / "images" / "animation.webp"
_FRAMES = 60
_FRAME_MS = 80
_QUALITY = 88
_MOST_BYTES = 3 * 2**20
_LARGE, _SMALL = (320, 240), (160, 120)
_LARGE_PANELS = (
    ("person.jpg", "dance"),
    ("person2.jpg", "turn"),
    ("person.jpg", "squat"),
    ("person2.jpg", "dance"),
)
_SMALL_PANELS = (("person2.jpg", "wave"), ("person.jpg", "turn"))


def main(frames: Path | None) -> None:
    """Write the animation.

    Args:
        frames: folder for some of its frames as PNG files.
    """
    torch.set_num_threads(1)
    names = dict.fromkeys(name for name, _ in _LARGE_PANELS)
    photos = np.concatenate([resize_image(read_image(_SAMPLES / name), _SMALL) for name in names])
    large = [panel(name, motion, _LARGE[1]) for name, motion in _LARGE_PANELS]
    small = [panel(name, motion, _SMALL[1]) for name, motion in _SMALL_PANELS]
    pictures = [
        np.concatenate([photos, *row[: len(large)], np.concatenate(row[len(large) :])], 1)
        for row in zip(*large, *small, strict=True)
    ]
    if frames is not None:
        frames.mkdir(parents=True, exist_ok=True)
        for index in range(0, len(pictures), 10):
            write_image(frames / f"{index:03d}.png", pictures[index])
    write_loop(pictures)


def panel(photo: str, motion: str, width: int) -> Iterator[Picture]:
    """Yield a sample person's frames for one shipped motion."""
    yield from bdmm.animate(_SAMPLES / photo, stretched(load_shipped(motion)), size=width)


def stretched(motion: Motion) -> Motion:
    """Return ``_FRAMES`` evenly spread frames of a motion."""
    chosen = torch.linspace(0, len(motion), _FRAMES + 1)[:-1].long()
    parts = ("rotations", "scale", "translation", "flagged")
    return dataclasses.replace(motion, **{name: getattr(motion, name)[chosen] for name in parts})


def write_loop(pictures: list[Picture]) -> None:
    """Write an endless animated WebP file and check its size."""
    first, *others = [Image.fromarray(picture) for picture in pictures]
    first.save(
        _TARGET,
        save_all=True,
        append_images=others,
        duration=_FRAME_MS,
        loop=0,
        quality=_QUALITY,
        method=6,
    )
    size = _TARGET.stat().st_size
    print(f"{_TARGET.relative_to(_ROOT)}: {size / 2**20:.2f} MiB")
    assert size <= _MOST_BYTES, "lower the quality"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=Path, metavar="PNG_FOLDER")
    main(parser.parse_args().frames)
