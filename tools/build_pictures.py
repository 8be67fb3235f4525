"""Make the pictures of the README.

    python tools/build_pictures.py    # writes docs/images/renderers.jpg, photos.jpg and people.jpg

``renderers.jpg`` shows hard poses, the coarse renderer above the network; ``photos.jpg`` a turn
from one photo above the same from two; ``people.jpg`` shows rendered people.
``tools/build_animation.py`` makes the animation.
"""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
import torch

import bdmm
from bdmm.body.model import load_body
from bdmm.config import WINDOW
from bdmm.media.image import Picture, read_image, resize_image, write_image
from bdmm.media.motion_file import load_shipped
from bdmm.records import Motion
from bdmm_synth.clip import ClipRequest, render_clip

_ROOT = Path(__file__).resolve().parents[1]
_SAMPLES = _ROOT / "src" / "bdmm" / "assets" / "samples"
_HEIGHT = 384
_MOMENTS = (
    ("turn", 0.25),
    ("turn", 0.4),
    ("turn", 0.5),
    ("squat", 0.24),
    ("star_jump", 0.1),
    ("dance", 0.6),
)
"""Motions, and moments of them that show what the photo hides."""

_TURN = (("turn", 0.15), ("turn", 0.3), ("turn", 0.4), ("turn", 0.5), ("turn", 0.6), ("turn", 0.75))

_PEOPLE = (700, 702, 706, 708, 710, 714, 716, 718, 721, 2003, 2009, 704)
"""Seeds of the rendered people that are shown."""


def main() -> None:
    torch.set_num_threads(1)
    save("renderers.jpg", [row(_SAMPLES / "person2.jpg", name) for name in ("coarse", "network")])
    front, back = _SAMPLES / "person2.jpg", _SAMPLES / "person2_back.jpg"
    save("photos.jpg", [row(front, "network", _TURN, more) for more in ((), (back,))])
    shown = [rendered(seed) for seed in _PEOPLE]
    save("people.jpg", [np.concatenate(shown[:6], 1), np.concatenate(shown[6:], 1)])


def save(name: str, rows: list[Picture]) -> None:
    """Write rows of pictures under each other."""
    target = _ROOT / "docs" / "images" / name
    target.parent.mkdir(exist_ok=True)
    write_image(target, np.concatenate(rows), quality=88)
    print(target.relative_to(_ROOT))


def rendered(seed: int) -> Picture:
    """Return one frame of a rendered person."""
    request = ClipRequest(seed, frames=6, fps=Fraction(6))
    return render_clip(request, load_body()).frames_uint8[4]


def row(
    photo: Path,
    renderer: Literal["network", "coarse"],
    chosen: Sequence[tuple[str, float]] = _MOMENTS,
    more: Sequence[Path] = (),
) -> Picture:
    """Return the last photo and its person at the chosen moments, side by side."""
    picture = read_image([photo, *more][-1])
    width = round(picture.shape[1] * _HEIGHT / picture.shape[0]) // 2 * 2
    cells = [picture]
    for name, moment in chosen:
        motion = moments(load_shipped(name), moment)
        frames = list(bdmm.animate(photo, motion, more=more, size=width, renderer=renderer))
        cells.append(frames[-1])
    return np.concatenate([resize_image(cell, (_HEIGHT, width)) for cell in cells], 1)


def moments(motion: Motion, moment: float) -> Motion:
    """Return the first frame, where the motion starts, and those up to ``moment``."""
    last = round(moment * (len(motion) - 1))
    chosen = [0, *range(max(last - WINDOW + 2, 0), last + 1)]
    parts = ("rotations", "scale", "translation", "flagged")
    return dataclasses.replace(motion, **{name: getattr(motion, name)[chosen] for name in parts})


if __name__ == "__main__":
    main()
