"""Reads folders of OpenPose's or DWPose's JSON files, one file per frame."""

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import torch
from jaxtyping import Float

from bdmm.errors import InputError
from bdmm.files.array_file import as_numbers
from bdmm.files.outside import KEYPOINTS, read_json
from bdmm.records import BODY25, COCO18, KEYPOINT_NAMES, Landmarks

People = list[Float[np.ndarray, "k 3"]]

_HANDS = {"hand_left_keypoints_2d": "left", "hand_right_keypoints_2d": "right"}
_KNUCKLES = {"index": 5, "pinky": 17}
"""Places of the knuckles among a hand's 21 keypoints."""
_FEET = ("left_big_toe", "left_small_toe", "left_heel",
         "right_big_toe", "right_small_toe", "right_heel")  # fmt: skip


def read_openpose(
    folder: str | Path,
    fps: Fraction = Fraction(25),
    size: tuple[int, int] | None = None,
    person: int | None = None,
) -> Landmarks:
    """Read one person's 2-D keypoints from a folder of ``*.json`` files, in the order of names.

    BODY-25 and COCO-18 bodies are told apart by their length; hands and feet in lists of their
    own are used where present. The person of the first frame that shows anybody is followed by
    nearness. Positions within [0, 1] are taken as shares of the frame.

    Args:
        folder: the files, as OpenPose's ``--write_json`` or DWPose make them.
        size: (height, width) of the frames; the files' own ``canvas_height`` and
            ``canvas_width``, or else the keypoints' extent, if None.
        person: which of several people, from the left from 1 on; the largest if None.

    Returns:
        Landmarks without 3-D keypoints. Frames without anybody are marked as not found.

    Raises:
        InputError: there are no files, one is damaged, nobody is in any of them, or fewer people
            than ``person``.
    """
    folder = Path(folder)
    paths = sorted(folder.glob("*_keypoints.json"), key=_frame_order)
    paths = paths or sorted(folder.glob("*.json"), key=_frame_order)
    if not paths:
        raise InputError(f"{folder} holds no OpenPose files (*_keypoints.json).")
    if len(paths) > KEYPOINTS.most("frames"):
        raise InputError(f"{folder} holds more than {KEYPOINTS.most('frames')} files.")
    frames: list[People] = []
    for path in paths:
        content = _load(path)
        frames.append(_people(content, path))
        size = size or _canvas(content)
    frames = _in_pixels(frames, size)
    size = size or _extent(frames)
    chosen = _follow(frames, person, folder)
    nobody = np.zeros((len(KEYPOINT_NAMES), 3), np.float32)
    keypoints = torch.from_numpy(np.stack([nobody if one is None else one for one in chosen]))
    found = torch.tensor([one is not None for one in chosen])
    return Landmarks(keypoints, None, found, size, fps)


def _frame_order(path: Path) -> tuple[list[int], str]:
    return [int(number) for number in re.findall(r"\d+", path.stem)], path.name


def _load(path: Path) -> dict[str, Any]:
    content = read_json(path, KEYPOINTS, f"{path} is not a JSON file of keypoints.")
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    if not isinstance(content, dict) or not isinstance(content.get("people"), list):
        raise InputError(f"{path} has no list of people: OpenPose's or DWPose's JSON is expected.")
    return content


def _people(content: dict[str, Any], path: Path) -> People:
    if len(content["people"]) > KEYPOINTS.most("people"):
        raise InputError(f"{path} has more than {KEYPOINTS.most('people')} people.")
    people = [_person(entry, path) for entry in content["people"] if entry]
    return [one for one in people if (one[:, 2] > 0).sum() >= 4 and _extends(one)]


def _extends(one: Float[np.ndarray, "k 3"]) -> bool:
    """Tell a person from keypoints that all lie on one spot."""
    places = one[one[:, 2] > 0, :2]
    return bool(np.ptp(places, axis=0).max() > 1e-3 * max(np.abs(places).max(), 1))


def _person(entry: Any, path: Path) -> Float[np.ndarray, "k 3"]:
    result = np.zeros((len(KEYPOINT_NAMES), 3), np.float32)
    body = _triples(entry, "pose_keypoints_2d", path)
    if body is None:
        return result
    if len(body) not in (18, 25):
        raise InputError(
            f"{path} has a body of {len(body)} keypoints: 25 (BODY-25) or 18 (COCO) are expected."
        )
    result[list(BODY25 if len(body) == 25 else COCO18)] = body
    if len(body) == 18:
        _add_hips_and_feet(result, _triples(entry, "foot_keypoints_2d", path))
    for key, side in _HANDS.items():
        hand = _triples(entry, key, path)
        if hand is not None and len(hand) == 21:
            for name, place in _KNUCKLES.items():
                result[KEYPOINT_NAMES.index(f"{side}_{name}")] = hand[place]
    result[result[:, 2] <= 0] = 0
    result[:, 2] = result[:, 2].clip(0, 1)
    return result


def _add_hips_and_feet(result: np.ndarray, feet: np.ndarray | None) -> None:
    left, right = (result[KEYPOINT_NAMES.index(f"{side}_hip")] for side in ("left", "right"))
    if min(left[2], right[2]) > 0:
        middle = (left + right) / 2
        middle[2] = min(left[2], right[2])
        result[KEYPOINT_NAMES.index("mid_hip")] = middle
    if feet is not None and len(feet) == len(_FEET):
        result[[KEYPOINT_NAMES.index(name) for name in _FEET]] = feet


def _triples(entry: Any, key: str, path: Path) -> Float[np.ndarray, "n 3"] | None:
    values = entry.get(key) if isinstance(entry, dict) else None
    if not values:
        return None
    trouble = f"{path}: {key} is not a list of x, y, confidence."
    if not isinstance(values, list) or len(values) % 3:
        raise InputError(trouble)
    known = [0.0 if value is None else value for value in values]
    triples = as_numbers(known, np.float32, f"{path}: {key}").reshape(-1, 3)
    if np.abs(triples).max() > KEYPOINTS.most("pixels"):
        raise InputError(f"{path}: {key} has a keypoint far outside of any frame.")
    return triples


def _canvas(content: dict[str, Any]) -> tuple[int, int] | None:
    height, width = content.get("canvas_height"), content.get("canvas_width")
    if _is_side(height) and _is_side(width):
        return height, width
    return None


def _is_side(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 < value <= KEYPOINTS.most("pixels of a side")


def _in_pixels(frames: list[People], size: tuple[int, int] | None) -> list[People]:
    highest = max((float(one[:, :2].max()) for people in frames for one in people), default=0.0)
    if highest > 2 or highest == 0:
        return frames
    height, width = size or (512, 512)
    factors = np.array([width, height, 1], np.float32)
    return [[one * factors for one in people] for people in frames]


def _extent(frames: Sequence[People]) -> tuple[int, int]:
    """Guess (height, width): a little more than the keypoints reach."""
    seen = [one[one[:, 2] > 0, :2] for people in frames for one in people]
    if not seen:
        return 256, 256
    right, bottom = np.concatenate(seen).max(0) * 1.05
    return max(2, 2 * round(float(bottom) / 2)), max(2, 2 * round(float(right) / 2))


def _follow(
    frames: Sequence[People], person: int | None, folder: Path
) -> list[Float[np.ndarray, "k 3"] | None]:
    """Return the chosen person of each frame, the one nearest to where they were last."""
    last: np.ndarray | None = None
    chosen: list[np.ndarray | None] = []
    for people in frames:
        if not people:
            chosen.append(None)
            continue
        last = _first(people, person, folder) if last is None else _nearest(people, last)
        chosen.append(last)
    if last is None:
        raise InputError(f"Nobody is seen in any of the {len(frames)} files of {folder}.")
    return chosen


def _first(people: People, person: int | None, folder: Path) -> np.ndarray:
    if person is None:
        return max(people, key=_height)
    ordered = sorted(people, key=lambda one: float(one[one[:, 2] > 0, 0].mean()))
    if not 1 <= person <= len(ordered):
        raise InputError(
            f"There is no person {person}: the first frame of {folder} that shows anybody has "
            f"{len(ordered)}."
        )
    return ordered[person - 1]


def _nearest(people: People, last: np.ndarray) -> np.ndarray:
    def distance(one: np.ndarray) -> float:
        both = (one[:, 2] > 0) & (last[:, 2] > 0)
        if not both.any():
            return float("inf")
        return float(np.linalg.norm(one[both, :2] - last[both, :2], axis=1).mean())

    return min(people, key=distance)


def _height(one: np.ndarray) -> float:
    rows = one[one[:, 2] > 0, 1]
    return float(rows.max() - rows.min())
