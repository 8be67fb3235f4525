"""The `.person` file: a person, once made ready, as one file that is safe to read from anyone.

A safetensors file. Its metadata has one key, ``person``, whose value is JSON: the format version
and the name of the body. Its tensors, for ``k`` photos:

| name | type | meaning |
|---|---|---|
| ``photo.0`` to ``photo.k-1`` | ``h w 3`` uint8 | the photos, in the first one's light |
| ``foreground.0`` and so on | ``h w`` uint8 | where the person is, 255 wholly |
| ``background`` | ``h w 3`` uint8 | the first photo without the person |
| ``rotations`` | ``k 24 3 3`` float32 | the poses: local bone rotations |
| ``scale``, ``translation`` | ``k`` and ``k 2`` float32 | pixels per metre; the pelvis in pixels |
| ``shape`` | ``s`` float32 | shape components, common to all |
| ``offsets`` | ``v 3`` float32 | metres by which clothes move the body's rest vertices |
| ``atlas`` | ``4 r r`` uint8 | colours of the surface in the body's UVs, and confidence |
"""

import json
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor

from bdmm.body.clothed_body import clothed
from bdmm.body.model import BODIES, SHAPE_SIZES, load_body
from bdmm.errors import InputError
from bdmm.files.outside import PERSON, parse_json, reading
from bdmm.files.tensor_files import read_safetensors, write_safetensors
from bdmm.records import BONE_NAMES, Atlas, Motion, Person, Source

VERSION = 1
"""Format version that this code writes and the only one that it reads."""
SUFFIX = ".person"


def save_person(path: str | Path, person: Person) -> None:
    """Write a person; the file appears whole or not at all.

    Raises:
        InputError: the path cannot be written.
    """
    photos, body = person.photos, load_body(person.photos[0].pose.body)
    first = photos[0]
    dressed = clothed(body, first.pose, first.foreground)
    tensors = {
        "background": _bytes(first.background, 3),
        "rotations": torch.cat([photo.pose.rotations for photo in photos]),
        "scale": torch.cat([photo.pose.scale for photo in photos]),
        "translation": torch.cat([photo.pose.translation for photo in photos]),
        "shape": first.pose.shape,
        "offsets": dressed.template - body.template,
    }
    for i, photo in enumerate(photos):
        tensors[f"photo.{i}"] = _bytes(photo.image, 3)
        tensors[f"foreground.{i}"] = _bytes(2 * photo.foreground - 1, 1)[..., 0]
    if person.atlas is not None:
        sheet = torch.cat((person.atlas.colours, 2 * person.atlas.confidence - 1))
        tensors["atlas"] = _bytes(sheet, 4).movedim(-1, 0)
    settings = {"version": VERSION, "body": body.name}
    write_safetensors(Path(path), tensors, {"person": json.dumps(settings, sort_keys=True)})


def load_person(path: str | Path) -> Person:
    """Read a person and check everything in it.

    Raises:
        InputError: the file is missing, no person file, of another version, damaged, beyond the
            bounds, or holds impossible values; the sentence names the file.
    """
    path = Path(path)
    with reading(path, PERSON):
        metadata, tensors = read_safetensors(path)
    body = _checked_body(path, metadata)
    count = sum(name.startswith("photo.") for name in tensors)
    if not 1 <= count <= PERSON.most("photos"):
        _refuse(path, f"it holds {count} photos, not 1 to {PERSON.most('photos')}")
    for name, (dtype, shape) in _expected(count, body).items():
        _check(path, name, tensors, dtype, shape)
    atlas = _atlas(path, tensors)
    photos = tuple(_photo(path, tensors, i, body) for i in range(count))
    return Person(photos, atlas)


def _checked_body(path: Path, metadata: dict[str, str]) -> str:
    try:
        settings = parse_json(metadata["person"])
        version, body = settings["version"], str(settings["body"])
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path} is not a person file; bdmm person makes one.") from None
    if version != VERSION:
        raise InputError(
            f"{path} is a person file of version {version!r:.20}; this program reads version "
            f"{VERSION}: make it again from the photos."
        )
    if body not in BODIES:
        _refuse(path, f"its body {body!r:.40} is not known")
    return body


_Shape = tuple[int | None, ...]


def _expected(count: int, body: str) -> dict[str, tuple[torch.dtype, _Shape]]:
    """Return type and shape of each tensor; None stands for any size."""
    real, byte = torch.float32, torch.uint8
    expected: dict[str, tuple[torch.dtype, _Shape]] = {}
    for i in range(count):
        expected[f"photo.{i}"] = (byte, (None, None, 3))
        expected[f"foreground.{i}"] = (byte, (None, None))
    return expected | {
        "background": (byte, (None, None, 3)),
        "rotations": (real, (count, len(BONE_NAMES), 3, 3)),
        "scale": (real, (count,)),
        "translation": (real, (count, 2)),
        "shape": (real, (SHAPE_SIZES[body],)),
        "offsets": (real, (None, 3)),
    }


def _check(
    path: Path, name: str, tensors: dict[str, Tensor], dtype: torch.dtype, shape: _Shape
) -> None:
    value = tensors.get(name)
    if value is None:
        _refuse(path, f"it lacks {name!r}")
    fits = value.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, value.shape, strict=True)
    )
    if value.dtype != dtype or not fits:
        _refuse(path, f"{name!r} has another type or shape")
    if dtype == torch.uint8 and not 32 <= min(value.shape[:2]) <= max(
        value.shape[:2]
    ) <= PERSON.most("pixels of a side"):
        _refuse(path, f"{name!r} is too small or too large")
    if value.is_floating_point() and not bool(value.isfinite().all()):
        _refuse(path, f"{name!r} holds values that are not finite")


def _atlas(path: Path, tensors: dict[str, Tensor]) -> Atlas | None:
    sheet = tensors.get("atlas")
    if sheet is None:
        return None
    most = PERSON.most("texels of a side")
    square = sheet.ndim == 3 and sheet.shape[0] == 4 and sheet.shape[1] == sheet.shape[2]
    if sheet.dtype != torch.uint8 or not square or not 32 <= sheet.shape[1] <= most:
        _refuse(path, "'atlas' has another type or shape")
    values = sheet.float() / 255
    return Atlas(2 * values[:3] - 1, values[3:])


def _photo(path: Path, tensors: dict[str, Tensor], index: int, body: str) -> Source:
    picture, foreground = tensors[f"photo.{index}"], tensors[f"foreground.{index}"]
    background = tensors["background"] if index == 0 else picture
    if not picture.shape[:2] == foreground.shape == background.shape[:2]:
        _refuse(path, f"the pictures of photo {index + 1} differ in size")
    part = slice(index, index + 1)
    pose = Motion(
        rotations=tensors["rotations"][part],
        scale=tensors["scale"][part],
        translation=tensors["translation"][part],
        shape=tensors["shape"],
        flagged=torch.zeros(1, dtype=torch.bool),
        size=(picture.shape[0], picture.shape[1]),
        fps=Fraction(1),
        body=body,
    )
    turns = pose.rotations @ pose.rotations.mT
    flaw = pose.flaw()
    if flaw is None and float((turns - torch.eye(3)).abs().max()) > 0.01:
        flaw = "its rotations turn nothing"
    if flaw is not None:
        _refuse(path, flaw)
    image, empty = (_real(one) for one in (picture, background))
    return Source(image, foreground[None].float() / 255, empty, pose)


def _bytes(values: Tensor, channels: int) -> Tensor:
    """Return ``h w c`` bytes of ``c h w`` values in [-1, 1]."""
    assert values.shape[0] == channels
    return ((values + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).movedim(0, -1)


def _real(picture: Tensor) -> Tensor:
    return (picture.float() / 127.5 - 1).movedim(-1, 0).contiguous()


def _refuse(path: Path, flaw: str) -> NoReturn:
    raise InputError(f"The person file {path} cannot be used: {flaw}.")
