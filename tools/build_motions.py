"""Make the shipped motions: ``python tools/build_motions.py [FOLDER]``.

Writes ``turn``, ``walk``, ``wave``, ``dance``, ``squat`` and ``star_jump`` (`.motion` files of a
few kilobytes) into ``src/bdmm/assets/motions``. Everything is computed from the choreography in
``bdmm_synth.moves`` and the shipped body; nothing is recorded from anybody.
"""

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from bdmm.body.model import AnnyBody, load_body
from bdmm.media.motion_file import save_motion
from bdmm.records import Motion
from bdmm_synth.motion.dance import dance
from bdmm_synth.motion.rig import Rig, perform, stand_up
from bdmm_synth.motion.routines import greet, squat, star_jump, turn, walk

MOVES = {
    "dance": dance,
    "squat": squat,
    "star_jump": star_jump,
    "turn": turn,
    "walk": walk,
    "wave": greet,
}
FOLDER = Path(__file__).resolve().parents[1] / "src/bdmm/assets/motions"
_SIZE = (512, 512)
_SCALE = 190.0
_GROUND = 490.0
_FPS = Fraction(30)


def mean_body(body: AnnyBody) -> Rig:
    """Return the rig of the body whose shape components are all zero."""
    shape = torch.zeros(body.shape_size)
    return stand_up(body.rest_vertices(shape).double().numpy(), body.joints(shape).double().numpy())


def record(rig: Rig, name: str) -> Motion:
    """Perform one of `MOVES` before a camera that sees the ground at the bottom of its frame."""
    rotations, pelvis = perform(rig, MOVES[name](rig))
    pixels = np.stack(
        [_SIZE[1] / 2 + _SCALE * pelvis[:, 0], _GROUND - _SCALE * pelvis[:, 1]], axis=-1
    )
    frames = len(pelvis)
    return Motion(
        rotations=torch.from_numpy(rotations).float(),
        scale=torch.full((frames,), _SCALE),
        translation=torch.from_numpy(pixels.round(2)).float(),
        shape=torch.zeros(20),
        flagged=torch.zeros(frames, dtype=torch.bool),
        size=_SIZE,
        fps=_FPS,
    )


def main(folder: Path = FOLDER) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rig = mean_body(load_body())
    for name in MOVES:
        path = folder / f"{name}.motion"
        motion = record(rig, name)
        save_motion(path, motion)
        print(f"{path.name}: {len(motion)} frames, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
