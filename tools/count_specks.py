"""Print how many specks lie beside people: scraps of a frame that do not hang on the body.

    python tools/count_specks.py photos/ --motion turn --frames 60

Each photo's person does a shipped motion before a colour that nobody wears. A speck is a connected
group of pixels of another colour that does not touch the largest one. Counted in all frames of a
clip: specks, and their pixels.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import tyro

import bdmm
from bdmm.errors import InputError
from bdmm.media.motion_file import load_shipped

_COLOUR = (0, 255, 0)
_APART = 24
"""Levels of 255 by which a channel of a speck differs from the background at least."""


def main(
    photos: Annotated[Path, tyro.conf.Positional],
    motion: str = "turn",
    frames: int = 60,
    size: int = 256,
    limit: int | None = None,
) -> None:
    """Print the table.

    Args:
        photos: a folder of pictures.
        motion: a shipped one.
        frames: evenly spread over the motion.
        size: pixels of the shorter side.
        limit: at most so many photos.
    """
    torch.set_num_threads(1)
    whole = load_shipped(motion)
    chosen = [len(whole) * k // frames for k in range(frames)]
    names = ("rotations", "scale", "translation", "flagged")
    some = replace(whole, **{name: getattr(whole, name)[chosen] for name in names})
    found = []
    pictures = [one for one in sorted(photos.iterdir()) if one.suffix in (".jpg", ".png")]
    for photo in pictures[:limit]:
        try:
            made = bdmm.animate(
                photo,
                some,
                size=size,
                root="fixed",
                background="#{:02x}{:02x}{:02x}".format(*_COLOUR),
            )
            counts = np.sum([count_specks(frame) for frame in made], axis=0)
        except InputError as error:
            print(error)
            continue
        print(f"{photo.stem[:40]:40} {counts[0]:6} specks {counts[1]:8} pixels", flush=True)
        found.append(counts)
    total = np.sum(found, axis=0)
    print(f"{len(found)} photos x {frames} frames: {total[0]} specks, {total[1]} pixels")


def count_specks(frame: np.ndarray) -> tuple[int, int]:
    """Return the number of specks of a frame, and of their pixels."""
    apart = np.abs(frame.astype(int) - _COLOUR).max(axis=2) > _APART
    count, _, stats, _ = cv2.connectedComponentsWithStats(apart.astype(np.uint8), connectivity=8)
    areas = np.sort(stats[1:count, cv2.CC_STAT_AREA])[:-1]
    return len(areas), int(areas.sum())


if __name__ == "__main__":
    tyro.cli(main)
