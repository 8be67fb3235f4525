"""The `.motion` file: a whole motion in a few kilobytes, safe to read from anyone.

The motions that ship with the package are such files; ``tools/build_motions.py`` makes them.

A safetensors file. Its metadata has one key, ``motion``, whose value is JSON: format version,
fps as a fraction, frame size, body name, frame count. Its tensors:

| name | type | meaning |
|---|---|---|
| ``bones`` | ``m`` uint8 | the bones that ever leave the identity, ascending |
| ``rotations`` | uint8 | their axis-angle vectors ``t m 3`` in units of pi / 4096, packed |
| ``scale`` | ``t`` float32 | pixels per metre |
| ``translation`` | ``t 2`` float32 | pixel position of the pelvis |
| ``shape`` | ``s`` float32 | shape components |
| ``flagged`` | ``t`` uint8 | 1 where the pose was bridged from its neighbours |

Packed: as 16-bit integers, second differences over time (bodies accelerate gently, so they are
small), zigzag coded, low bytes before high bytes, deflated.
"""

import json
import math
import re
import zlib
from fractions import Fraction
from importlib.resources import as_file
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from bdmm.body.model import SHAPE_SIZES
from bdmm.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from bdmm.errors import InputError
from bdmm.files.output_file import write_whole
from bdmm.files.outside import MOTION, parse_json, reading
from bdmm.media.shipped_motions import check_shipped, motions_folder
from bdmm.records import BONE_NAMES, Motion
from bdmm.shapes import Rotations

VERSION = 1
"""Format version that this code writes and the only one that it reads."""
MAX_FRAMES = MOTION.most("frames")
"""Longer motions are refused: over four hours at 30 fps."""

_SUFFIX = ".motion"
_AT_ONCE = 10_000
_QUANTUM = math.pi / 4096
_TENSORS = {
    "bones": torch.uint8,
    "rotations": torch.uint8,
    "scale": torch.float32,
    "translation": torch.float32,
    "shape": torch.float32,
    "flagged": torch.uint8,
}
_MAX_SIDE = 65_535
_MAX_SHAPE = 1024
_FPS = re.compile(r"[0-9]{1,9}/[0-9]{1,9}")
_BODY = re.compile(r"[A-Za-z0-9_.+-]{1,64}")


def save_motion(path: str | Path, motion: Motion) -> None:
    """Write a motion; the file appears whole or not at all.

    Args:
        path: where to write; an existing file is replaced.
        motion: at least one frame; rotations are stored to 0.04 degrees, the rest exactly.

    Raises:
        InputError: the path cannot be written, or the motion has over `MAX_FRAMES` frames.
    """
    path = Path(path)
    assert len(motion) > 0, "a motion has at least one frame"
    if len(motion) > MAX_FRAMES:
        raise InputError(
            f"The motion of {len(motion)} frames is too long for {path}: "
            f"a motion file holds up to {MAX_FRAMES}."
        )
    write_whole(path, _encode(motion))


def load_motion(path: str | Path) -> Motion:
    """Read a motion and check everything in it.

    Args:
        path: a file that `save_motion` wrote.

    Raises:
        InputError: the file is missing, not a motion file, of another version, damaged, or holds
            impossible values; the sentence names the file.
    """
    path = Path(path)
    settings, tensors = _read(path)
    fps, size, body, frames = _checked_settings(path, settings)
    _check_tensors(path, tensors, frames, body)
    motion = Motion(
        rotations=_unpack_rotations(path, tensors["bones"], tensors["rotations"], frames),
        scale=tensors["scale"],
        translation=tensors["translation"],
        shape=tensors["shape"],
        flagged=tensors["flagged"].bool(),
        size=size,
        fps=fps,
        body=body,
    )
    flaw = motion.flaw()
    if flaw is not None:
        _refuse(path, flaw)
    return motion


def load_shipped(name: str) -> Motion:
    """Return a shipped motion: a seamless loop at 30 frames per second of the mean body.

    Args:
        name: one of `shipped_motions`.

    Raises:
        InputError: there is no motion of that name; the sentence lists those there are.
    """
    check_shipped(name)
    with as_file(motions_folder() / f"{name}{_SUFFIX}") as path:
        return load_motion(path)


def _encode(motion: Motion) -> bytes:
    bones, packed = _pack_rotations(motion.rotations.detach().cpu())
    tensors = {
        "bones": bones,
        "rotations": packed,
        "scale": motion.scale,
        "translation": motion.translation,
        "shape": motion.shape,
        "flagged": motion.flagged,
    }
    settings = {
        "version": VERSION,
        "fps": f"{motion.fps.numerator}/{motion.fps.denominator}",
        "size": list(motion.size),
        "body": motion.body,
        "frames": len(motion),
    }
    ready = {
        name: tensors[name].detach().to("cpu", dtype).contiguous()
        for name, dtype in _TENSORS.items()
    }
    return save(ready, {"motion": json.dumps(settings, sort_keys=True)})


def _pack_rotations(rotations: Rotations) -> tuple[Tensor, Tensor]:
    axis_angle = matrix_to_axis_angle(rotations.double())
    assert bool(axis_angle.isfinite().all()), "rotations are finite"
    steps = (axis_angle / _QUANTUM).round().numpy().astype(np.int16)
    moving = np.flatnonzero(steps.any(axis=(0, 2)))
    change = np.diff(steps[:, moving], n=2, axis=0, prepend=np.zeros_like(steps[:2, moving]))
    zigzag = (change << 1) ^ (change >> 15)
    planes = zigzag.astype("<u2").reshape(-1, 1).view(np.uint8).T
    data = zlib.compress(planes.tobytes(), 9)
    return torch.from_numpy(moving), torch.frombuffer(bytearray(data), dtype=torch.uint8)


def _unpack_rotations(path: Path, bones: Tensor, packed: Tensor, frames: int) -> Rotations:
    size = frames * bones.numel() * 3 * 2
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(packed.numpy().tobytes(), size + 1)
    except zlib.error:
        data = b""
    if len(data) != size or not inflater.eof:
        _refuse(path, f"its rotations are damaged or not those of {frames} frames")
    zigzag = np.frombuffer(data, np.uint8).reshape(2, -1).T.copy().view("<u2")
    change = (zigzag >> 1) ^ (0 - (zigzag & 1))
    change = change.astype(np.uint16).reshape(frames, bones.numel(), 3)
    steps = np.cumsum(np.cumsum(change, 0, np.uint16), 0, np.uint16).view(np.int16)
    rotations = torch.eye(3).repeat(frames, len(BONE_NAMES), 1, 1)
    for some in torch.arange(frames).split(_AT_ONCE):  # bounds the memory of the conversion
        axis_angle = torch.zeros(len(some), len(BONE_NAMES), 3)
        own = steps[some[0] : some[-1] + 1].astype(np.float32)
        axis_angle[:, bones.long()] = torch.from_numpy(own) * _QUANTUM
        rotations[some] = axis_angle_to_matrix(axis_angle)
    return rotations


def _refuse(path: Path, reason: str) -> NoReturn:
    raise InputError(f"{path} is not a usable motion file: {reason}.")


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read the JSON settings and the six tensors, nothing else."""
    with reading(path, MOTION), safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        known = set(file.keys()) == set(_TENSORS)
        tensors = {name: file.get_tensor(name).clone() for name in _TENSORS} if known else {}
    if not known:
        _refuse(path, "it does not hold the tensors of a motion")
    return _settings(path, metadata), tensors


def _settings(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    try:
        settings = parse_json(metadata["motion"])
    except (KeyError, ValueError):
        _refuse(path, "its description is missing or damaged")
    if not isinstance(settings, dict):
        _refuse(path, "its description is damaged")
    return settings


def _checked_settings(
    path: Path, settings: dict[str, Any]
) -> tuple[Fraction, tuple[int, int], str, int]:
    if settings.get("version") != VERSION:
        _refuse(
            path,
            f"its format version is {settings.get('version')!r:.20} and this bdmm reads {VERSION}",
        )
    fps, size, body = (settings.get(name) for name in ("fps", "size", "body"))
    if not (isinstance(fps, str) and _FPS.fullmatch(fps) and _is_rate(fps)):
        _refuse(path, "its frame rate is not a fraction between 1/1000 and 1000")
    if not (isinstance(size, list) and len(size) == 2 and all(map(_is_side, size))):
        _refuse(path, f"its frame size is not two whole numbers up to {_MAX_SIDE}")
    if not (isinstance(body, str) and _BODY.fullmatch(body)):
        _refuse(path, "its body has no proper name")
    frames = settings.get("frames")
    if not (type(frames) is int and 0 < frames <= MAX_FRAMES):
        _refuse(path, f"its number of frames is not one between 1 and {MAX_FRAMES}")
    return Fraction(fps), (size[0], size[1]), body, frames


def _is_rate(fps: str) -> bool:
    numerator, denominator = map(int, fps.split("/"))
    return denominator > 0 and Fraction(1, 1000) <= Fraction(numerator, denominator) <= 1000


def _is_side(value: object) -> bool:
    return type(value) is int and 0 < value <= _MAX_SIDE


def _check_tensors(path: Path, tensors: dict[str, Tensor], frames: int, body: str) -> None:
    bones = tensors["bones"]
    expected = {
        "bones": (bones.numel(),),
        "rotations": (tensors["rotations"].numel(),),
        "scale": (frames,),
        "translation": (frames, 2),
        "shape": (tensors["shape"].numel(),),
        "flagged": (frames,),
    }
    for name, dtype in _TENSORS.items():
        if tensors[name].dtype != dtype or tuple(tensors[name].shape) != expected[name]:
            _refuse(path, f"its '{name}' has the wrong shape or type for {frames} frames")
    order = bones.long()
    if bool((order >= len(BONE_NAMES)).any()) or bool((order.diff() <= 0).any()):
        _refuse(path, "it names bones that no body has")
    shape, own = tensors["shape"].numel(), SHAPE_SIZES.get(body, _MAX_SHAPE)
    if shape > own or (shape != own and body in SHAPE_SIZES):
        _refuse(path, f"its body has {shape} shape components and {body} has {own}")
    if bool((tensors["flagged"] > 1).any()):
        _refuse(path, "its flags are neither 0 nor 1")
