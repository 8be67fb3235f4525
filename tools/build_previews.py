"""Make the small videos of the shipped motions, which the page of `bdmm serve` shows in a loop.

    python tools/build_previews.py [MOTION ...]    # writes src/bdmm/assets/motions/NAME.mp4

Each shows the mean body at the motion's own rate, frame for frame, so that a result can be watched
next to it in step.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from bdmm.body.model import load_body
from bdmm.media.image import resize_image
from bdmm.media.motion_file import load_shipped
from bdmm.media.overlay import draw_body
from bdmm.media.shipped_motions import shipped_motions
from bdmm.media.video_writer import create_video

_FOLDER = Path(__file__).resolve().parents[1] / "src" / "bdmm" / "assets" / "motions"
_DRAWN = 384
_SIZE = (192, 144)
_GREY = 236
_QUALITY = 30


def main(names: list[str]) -> None:
    """Write the videos of some motions, of all if none is named."""
    torch.set_num_threads(1)
    for name in names or shipped_motions():
        write_preview(name, _FOLDER / f"{name}.mp4")


def write_preview(name: str, path: Path) -> None:
    """Write the video of a motion."""
    motion = load_shipped(name)
    body = load_body(motion.body)
    factor = _DRAWN / motion.size[0]
    scaled = replace(motion, scale=motion.scale * factor, translation=motion.translation * factor)
    ground = np.full((_DRAWN, _DRAWN, 3), _GREY, np.uint8)
    left = (_DRAWN - _DRAWN * _SIZE[1] // _SIZE[0]) // 2
    with create_video(path, motion.fps, crf=_QUALITY, note=None) as video:
        for i in range(len(motion)):
            picture = draw_body(ground, scaled[i : i + 1], body, opacity=1.0)
            video.write(resize_image(picture[:, left : _DRAWN - left], _SIZE))
    print(f"{path.name}: {len(motion)} frames, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
