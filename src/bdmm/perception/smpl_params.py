"""SMPL parameters from files, as SPIN, HMR and the iPER and FashionVideo sets store them."""

from collections.abc import Mapping
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from bdmm.body.model import SkinnedBody
from bdmm.body.rotations import axis_angle_to_matrix, chain, unchain
from bdmm.body.smpl import AXES, SmplBody
from bdmm.errors import InputError
from bdmm.files.array_file import SUFFIXES, as_numbers, read_arrays
from bdmm.files.outside import KEYPOINTS, read_json
from bdmm.records import BONE_NAMES, Motion
from bdmm.shapes import Rotations

NAMES = {
    "camera": ("cam", "cams", "camera", "pred_cam"),
    "pose": ("pose_theta", "pose", "poses", "thetas"),
    "shape": ("shape_beta", "shape", "shapes", "betas", "beta"),
    "all": ("smpls", "smpl", "theta"),
}
"""What files call the camera (3), the pose (72), the shape (10), or all 85 in that order."""
SIZES = {"camera": 3, "pose": 3 * len(BONE_NAMES), "shape": 10}

LARGEST = 1e4
"""Larger numbers are no camera, no angle in radians and no shape of a person."""
PELVIS = (0.0, -0.22)
"""Where an average SMPL body's pelvis joint lies from SMPL's origin (x, y up), metres.

It differs by a few centimetres between people; a `SmplBody` knows it exactly.
"""


def read_smpl_motion(
    path: str | Path, body: SkinnedBody, fps: Fraction = Fraction(25), size: int = 256
) -> Motion:
    """Return the motion that SMPL parameters describe, on our bones.

    A file's camera is weak-perspective, (s, tx, ty) with ``x_image = s (X + t)`` in [-1, 1] of a
    square crop; its root orientation leads from SMPL's axes to a camera whose y points down, as
    SPIN and HMR write it. Poses go from SMPL's T-pose to the body's own identity pose bone by bone.
    Shapes have no counterpart in another body: a `SmplBody` takes the file's, averaged over
    frames, every other body its mean person.

    Args:
        path: an ``.npz`` or ``.pkl`` file of all frames, or a folder of one ``.json`` per frame.
        size: side of the square crop in pixels that the camera refers to.

    Raises:
        InputError: something is missing or damaged; the sentence names the file or the frame.
    """
    path = Path(path)
    camera, pose, shape = _parameters(path)
    rotations = _to_body(_rotations(pose), body)
    scale = camera[:, 0] * (size / 2)
    own = shape.mean(dim=0)
    if isinstance(body, SmplBody):
        pelvis = body.pelvis(own)[:2]
    else:
        pelvis, own = torch.tensor(PELVIS), torch.zeros(body.shape_size)
    translation = scale[:, None] * (camera[:, 1:] + pelvis) + size / 2
    motion = Motion(
        rotations=rotations,
        scale=scale,
        translation=translation,
        shape=own,
        flagged=torch.zeros(len(scale), dtype=torch.bool),
        size=(size, size),
        fps=fps,
        body=body.name,
    )
    flaw = motion.flaw()
    if flaw is not None:
        raise InputError(f"{path} is not usable: {flaw}.")
    return motion


def _rotations(pose: Float[Tensor, "t c"]) -> Rotations:
    """Return ``t 24 3 3`` local rotations in camera axes of a T-posed body facing the camera."""
    smpl = axis_angle_to_matrix(rearrange(pose, "t (n i) -> t n i", i=3))
    signs = torch.tensor(AXES)
    root = smpl[:, :1] * signs
    return torch.cat((root, smpl[:, 1:] * signs[:, None] * signs), dim=1)


def _to_body(rotations: Rotations, body: SkinnedBody) -> Rotations:
    """Return local rotations for the body's identity pose from those for the T-pose."""
    if isinstance(body, SmplBody):
        return rotations
    return unchain(chain(rotations) @ body.t_pose)


def _parameters(path: Path) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``t 3`` cameras, ``t 72`` poses and ``t 10`` shapes of a file or folder."""
    stored = _read(path)
    joined = _entry(stored, "all")
    if joined is not None:
        rows = _rows(path, "all", joined, sum(SIZES.values()))
        camera, pose, shape = rows.split(list(SIZES.values()), dim=1)
    else:
        camera, pose, shape = (_rows(path, part, _needed(path, stored, part), SIZES[part])
                               for part in SIZES)  # fmt: skip
    if len(shape) == 1:
        shape = shape.expand(len(pose), -1)
    if not len(camera) == len(pose) == len(shape):
        raise InputError(
            f"{path} has {len(camera)} cameras, {len(pose)} poses and {len(shape)} shapes; "
            "there must be as many of each."
        )
    if len(pose) == 0:
        raise InputError(f"{path} holds no frames.")
    _check_frames(path, torch.cat((camera, pose, shape), dim=1))
    return camera, pose, shape


def _check_frames(path: Path, rows: Float[Tensor, "t c"]) -> None:
    """Raise InputError at the first frame that no camera or body can have."""
    bad = ~(rows.abs() < LARGEST).all(dim=1) | (rows[:, 0] <= 1 / LARGEST)
    if bad.any():
        frame = int(bad.nonzero()[0, 0])
        raise InputError(
            f"Frame {frame} of {path} has numbers that are not finite or absurd, or a camera scale "
            "that is not positive; take it out or estimate it again."
        )


def _entry(stored: Mapping[str, Any], part: str) -> Any:
    return next((stored[name] for name in NAMES[part] if name in stored), None)


def _needed(path: Path, stored: Mapping[str, Any], part: str) -> Any:
    value = _entry(stored, part)
    if value is None:
        raise InputError(f"{path} has no SMPL {part}: none of {', '.join(NAMES[part])} is in it.")
    return value


def _rows(path: Path, part: str, value: Any, width: int) -> Float[Tensor, "t c"]:
    """Return an entry as ``t width``; rotations may come as 24 triples or a single row."""
    rows = as_numbers(value, np.float32, f"{path}: the SMPL {part}")
    rows = rows.reshape(1, -1) if rows.ndim < 2 else rows.reshape(len(rows), prod(rows.shape[1:]))
    if rows.shape[1] < width or (rows.shape[1] != width and part != "shape"):
        raise InputError(
            f"{path}: the SMPL {part} has {rows.shape[1]} numbers per frame instead of {width}."
        )
    return torch.from_numpy(np.ascontiguousarray(rows[:, :width]))


def _read(path: Path) -> Mapping[str, Any]:
    """Return the entries of a file or folder by name."""
    if path.is_dir():
        return _read_folder(path)
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"{path} holds no SMPL parameters: give an .npz or .pkl file or a folder of .json."
        )
    return read_arrays(path, [name for names in NAMES.values() for name in names])


def _read_folder(folder: Path) -> Mapping[str, Any]:
    """Return the parameters of one ``.json`` per frame, in the order of their names."""
    files = sorted(folder.glob("*.json"), key=lambda file: (len(file.name), file.name))
    if not files:
        raise InputError(f"The folder {folder} has no .json files.")
    frames: dict[str, list[Tensor]] = {part: [] for part in SIZES}
    for file in files:
        stored = read_json(file, KEYPOINTS, f"{file} cannot be read as JSON.")
        for part, width in SIZES.items():
            value = _needed(file, stored if isinstance(stored, dict) else {}, part)
            frames[part].append(_rows(file, part, [value], width)[0])
    return {NAMES[part][0]: torch.stack(rows).numpy() for part, rows in frames.items()}
