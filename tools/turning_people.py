"""Render people who turn once around while they move, for `measure_person.py`.

python tools/turning_people.py turning/ --clips 4        # prepared clips with true poses
mkdir videos && for c in turning/clips/*; do cp $c/frames.mp4 videos/$(basename $c).mp4; done
bdmm prepare videos/ -o estimated/                       # the same with estimated poses
"""

from fractions import Fraction
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro

from bdmm.body.model import load_body
from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.data.synth import SynthOptions, store_rendered
from bdmm_synth.clip import ClipRequest, render_clip
from bdmm_synth.motion.random_motion import random_motion
from bdmm_synth.motion.rig import Rig


def main(
    folder: Annotated[Path, tyro.conf.Positional],
    clips: int = 4,
    frames: int = 40,
    size: int = 256,
    seed: int = 0,
) -> None:
    """Render clips and store them as prepared ones.

    Args:
        folder: new clips go to its folder ``clips``.
    """
    torch.set_num_threads(1)
    body = load_body()
    for number in range(clips):
        request = ClipRequest(seed * 1000 + number, size, frames, motion=turning)
        options = SynthOptions(clips, seed, size, frames, sources=1)
        random = np.random.default_rng([seed, number])
        rendered = render_clip(request, body)
        place = folder / "clips" / f"turning-{seed:02d}-{number:03d}"
        place.parent.mkdir(parents=True, exist_ok=True)
        store_rendered(place, rendered, body, options, random)
        print(place, flush=True)


def turning(
    rig: Rig, random: np.random.Generator, frames: int, fps: Fraction
) -> tuple[np.ndarray, np.ndarray]:
    """Return a random motion on the spot, turned once about the vertical axis."""
    rotations, pelvis = random_motion(rig, random, frames, fps)
    turn = torch.zeros(frames, 3)
    turn[:, 1] = torch.arange(frames) / frames * 2 * torch.pi
    front = rotations[:1, 0]
    angle = np.arctan2(front[0, 0, 2], front[0, 2, 2])
    turn[:, 1] -= float(angle)
    turned = rotations.copy()
    turned[:, 0] = axis_angle_to_matrix(turn).numpy() @ rotations[:, 0]
    still = pelvis.copy()
    still[:, ::2] = pelvis[:1, ::2]
    return turned, still


if __name__ == "__main__":
    tyro.cli(main)
