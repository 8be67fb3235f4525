"""Write a contact sheet of photos x driving motions, for inspection by eye.

    python tools/cross_sheet.py photos/ dance.mp4 turn -o sheet.png

Each photo has two rows, the coarse warp above the network. Each driving motion (a video, a .motion
file, or the name of a shipped motion) adds a few evenly spread frames, made in windows of their
own. A refused photo has empty rows, and its error sentence is printed.
"""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

import bdmm
from bdmm.config import WINDOW
from bdmm.errors import InputError
from bdmm.inference.driving import open_driver
from bdmm.media.image import Picture, read_image, resize_image, write_image
from bdmm.records import Motion

_CELL = 256
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("driving", nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=4, help="frames shown per driving motion")
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    motions = [windows(_motion(driving), options.frames) for driving in options.driving]
    makers: tuple[dict[str, Any], ...] = ({"renderer": "coarse"}, {"weights": options.weights})
    photos = sorted(p for p in options.photos.iterdir() if p.suffix.lower() in _SUFFIXES)
    rows = []
    for photo in photos:
        for maker in makers:
            cells = [read_image(photo)]
            for motion in motions:
                cells += animated(photo, motion, **maker)
            rows.append(np.concatenate([fit_cell(cell) for cell in cells], 1))
        width = max(row.shape[1] for row in rows)
        padded = [np.pad(r, ((0, 0), (0, width - r.shape[1]), (0, 0))) for r in rows]
        write_image(options.output, np.concatenate(padded))
    print(f"{len(photos)} photos x {len(motions)} motions: {options.output}")


def _motion(driving: str) -> Motion:
    path = Path(driving)
    return open_driver(path if path.exists() else driving).motion()


def windows(motion: Motion, count: int) -> Motion:
    """Return ``count`` windows evenly spread over a motion, one after the other."""
    last = len(motion) - 1
    ends = torch.linspace(min(WINDOW - 1, last), last, count).round().long()
    chosen = (ends[:, None] + torch.arange(1 - WINDOW, 1)).clamp(min=0).flatten()
    parts = ("rotations", "scale", "translation", "flagged")
    return dataclasses.replace(motion, **{name: getattr(motion, name)[chosen] for name in parts})


def animated(photo: Path, motion: Motion, **maker: Any) -> list[Picture]:
    """Return each window's last frame, or black ones after printing the error."""
    try:
        frames = list(bdmm.animate(photo, motion, size=_CELL, **maker))
    except InputError as error:
        print(f"{photo.name}: {error}")
        frames = [np.zeros((_CELL, _CELL, 3), np.uint8)] * len(motion)
    return frames[WINDOW - 1 :: WINDOW]


def fit_cell(picture: Picture) -> Picture:
    """Return the picture scaled into a square cell, on grey."""
    height, width = picture.shape[:2]
    factor = _CELL / max(height, width)
    small = resize_image(picture, (max(round(height * factor), 1), max(round(width * factor), 1)))
    cell = np.full((_CELL, _CELL, 3), 128, np.uint8)
    top, left = (_CELL - small.shape[0]) // 2, (_CELL - small.shape[1]) // 2
    cell[top : top + small.shape[0], left : left + small.shape[1]] = small
    return cell


if __name__ == "__main__":
    main()
