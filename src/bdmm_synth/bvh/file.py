"""BVH files: the recorded motion of a skeleton of joints, any channel order, any units."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from bdmm.errors import InputError
from bdmm.files.outside import BVH, reading

_POSITIONS = {"xposition": 0, "yposition": 1, "zposition": 2}
_ROTATIONS = {"xrotation": "X", "yrotation": "Y", "zrotation": "Z"}


@dataclass(frozen=True)
class Joint:
    """One joint of a recorded skeleton.

    Attributes:
        name: as in the file.
        parent: index of its parent, -1 for the root.
        offset: ``3`` from its parent at rest, in the file's units.
        channels: lower-case names of its channels in the file's order.
    """

    name: str
    parent: int
    offset: np.ndarray
    channels: tuple[str, ...]


@dataclass(frozen=True)
class Recording:
    """A skeleton and what it did, in the file's own axes and units.

    Attributes:
        file: name of the file.
        joints: parents before their children; end sites are joints without channels.
        turned: ``t j 3 3`` each joint's orientation in the world.
        places: ``t j 3`` each joint's position in the world.
        fps: frames per second.
    """

    file: str
    joints: tuple[Joint, ...]
    turned: np.ndarray
    places: np.ndarray
    fps: float

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.turned)


class _Ends(InputError):  # noqa: N818
    """The file ends too early."""


class _Reader:
    """The words of a file one after the other, and the number of the line of the last one."""

    def __init__(self, path: Path) -> None:
        with reading(path, BVH):
            text = path.read_text(encoding="utf-8", errors="replace")
        self.name = path.name
        self.line = 1
        self._words = self._split(text)

    def _split(self, text: str) -> Iterator[str]:
        for number, line in enumerate(StringIO(text), 1):
            for word in line.split():
                self.line = number
                yield word

    def fail(self, what: str) -> InputError:
        return InputError(f"{self.name}, line {self.line}: {what}.")

    def word(self, wanted: str) -> str:
        found = next(self._words, None)
        if found is None:
            raise _Ends(f"{self.name} ends where {wanted} should follow; it is incomplete.")
        return found

    def expect(self, wanted: str) -> None:
        found = self.word(wanted)
        if found.lower().rstrip(":") != wanted.lower():
            raise self.fail(f"found {found[:40]!r} where {wanted} should be")

    def number(self, wanted: str) -> float:
        found = self.word(wanted)
        try:
            value = float(found)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.fail(f"found {found[:40]!r} where {wanted} should be")
        return value

    def count(self, wanted: str, most: int) -> int:
        value = self.number(wanted)
        if value != int(value) or not 0 <= value <= most:
            raise self.fail(f"{value:g} is not {wanted}")
        return int(value)


def read_bvh(path: Path) -> Recording:
    """Read a BVH file.

    Args:
        path: the file.

    Raises:
        InputError: it cannot be read, or a line of it is not what it should be.
    """
    reader = _Reader(path)
    reader.expect("HIERARCHY")
    reader.expect("ROOT")
    joints: list[Joint] = []
    _read_tree(reader, joints)
    reader.expect("MOTION")
    reader.expect("Frames")
    most = BVH.most("frames times joints") // len(joints)
    frames = reader.count(f"a number of frames up to {most}", most)
    reader.expect("Frame")
    reader.expect("Time")
    pause = reader.number("a time between frames")
    if frames < 1 or not 1e-4 < pause < 10:
        raise reader.fail("there must be a frame at least, and a time between frames in seconds")
    values = _read_values(reader, joints, frames)
    turned, places = _move(joints, values)
    return Recording(path.name, tuple(joints), turned, places, 1 / pause)


def _read_tree(reader: _Reader, joints: list[Joint]) -> None:
    """Read joints in the order of the file; the reader stands behind the first ROOT."""
    above: list[int] = []
    kind = "root"
    while True:
        name = reader.word("a joint's name")
        while kind == "end" and name != "{" and not name.endswith("{"):
            name = reader.word("an opening brace")
        if kind != "end":
            reader.expect("{")
        if len(joints) >= BVH.most("joints"):
            raise reader.fail(f"there are more than {BVH.most('joints')} joints")
        joints.append(_read_joint(reader, name, above[-1] if above else -1, kind))
        above.append(len(joints) - 1)
        while (kind := reader.word("JOINT, End or }").lower()) == "}":
            above.pop()
            if not above:
                return
        if kind not in ("joint", "end"):
            raise reader.fail(f"found {kind[:40]!r} where JOINT, End or a brace should be")


def _read_joint(reader: _Reader, name: str, parent: int, kind: str) -> Joint:
    reader.expect("OFFSET")
    offset = np.array([reader.number("an offset") for _ in range(3)])
    if kind == "end":
        return Joint("", parent, offset, ())
    reader.expect("CHANNELS")
    count = reader.count("a number of channels from 0 to 6", 6)
    channels = tuple(reader.word("a channel").lower() for _ in range(count))
    unknown = [one for one in channels if one not in _POSITIONS and one not in _ROTATIONS]
    if unknown:
        raise reader.fail(f"{unknown[0][:40]!r} is no channel of a joint")
    return Joint(name, parent, offset, channels)


def _read_values(reader: _Reader, joints: list[Joint], frames: int) -> np.ndarray:
    """Return ``t c`` all channels of all frames."""
    width = sum(len(joint.channels) for joint in joints)
    values = np.zeros(frames * width)
    for place in range(len(values)):
        try:
            values[place] = reader.number("a finite number")
        except _Ends as error:
            raise InputError(
                f"{reader.name} ends after {place // width} of its {frames} frames; it is "
                "incomplete."
            ) from error
    return values.reshape(frames, width)


def _move(joints: list[Joint], values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``t j 3 3`` orientations and ``t j 3`` positions in the world."""
    frames = len(values)
    turned = np.zeros((frames, len(joints), 3, 3))
    places = np.zeros((frames, len(joints), 3))
    start = 0
    for index, joint in enumerate(joints):
        own = values[:, start : start + len(joint.channels)]
        start += len(joint.channels)
        place, turn = _local(joint, own)
        if joint.parent < 0:
            turned[:, index], places[:, index] = turn, place
        else:
            above = turned[:, joint.parent]
            turned[:, index] = above @ turn
            places[:, index] = places[:, joint.parent] + (above @ place[..., None])[..., 0]
    return turned, places


def _local(joint: Joint, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``t 3`` and ``t 3 3``: a joint against its parent; positions replace its offset."""
    place = np.tile(joint.offset, (len(values), 1))
    turn = np.tile(np.eye(3), (len(values), 1, 1))
    for channel, value in zip(joint.channels, values.T, strict=True):
        if channel in _POSITIONS:
            place[:, _POSITIONS[channel]] = value
        else:
            step = Rotation.from_euler(_ROTATIONS[channel], value[:, None], degrees=True)
            turn = turn @ step.as_matrix()
    return place, turn
