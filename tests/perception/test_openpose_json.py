import json
import os
from fractions import Fraction
from pathlib import Path

import pytest

from bdmm.errors import InputError
from bdmm.files.outside import KEYPOINTS
from bdmm.perception.openpose_json import read_openpose

BODY = [value for i in range(25) for value in (100.0 + 3 * i, 50.0 + 8 * i, 0.9)]


def write(folder: Path, body: object = BODY, **more: object) -> Path:
    """Write two frames of one person; the second is hostile."""
    folder.mkdir(exist_ok=True)
    for number, keypoints in enumerate((BODY, body)):
        content = {"people": [{"pose_keypoints_2d": keypoints}], **more}
        (folder / f"{number:03d}_keypoints.json").write_text(json.dumps(content))
    return folder


def test_a_folder_is_read(tmp_path: Path):
    landmarks = read_openpose(write(tmp_path / "a", canvas_height=480, canvas_width=640))
    assert landmarks.size == (480, 640)
    assert landmarks.fps == Fraction(25)
    assert landmarks.found.tolist() == [True, True]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ([10**400] * 75, "not a JSON file of keypoints"),
        ([3.4e38] * 75, "far outside"),
        ([1e39] * 75, "no table of numbers"),
        ([float("nan")] * 75, "not a JSON file"),
        ([float("inf")] * 75, "not a JSON file"),
        ([[1, 2]] * 75, "50 keypoints"),
        ("x" * 75, "not a list"),
        (BODY[:74], "not a list"),
        ({"a": 1}, "not a list"),
        (BODY[:72], "24 keypoints"),
    ],
)
def test_hostile_numbers_are_named(body: object, complaint: str, tmp_path: Path):
    with pytest.raises(InputError, match=complaint) as caught:
        read_openpose(write(tmp_path / "a", body))
    assert "001_keypoints.json" in str(caught.value)


def test_a_person_on_one_spot_is_nobody(tmp_path: Path):
    landmarks = read_openpose(write(tmp_path / "a", [50.0, 60.0, 1.0] * 25))
    assert landmarks.found.tolist() == [True, False]


@pytest.mark.parametrize("size", [10**9, -5, 10**300, True, "640"])
def test_an_absurd_canvas_is_not_believed(size: object, tmp_path: Path):
    folder = write(tmp_path / "a", canvas_height=size, canvas_width=640)
    assert max(read_openpose(folder).size) < 1000


def test_odd_entries_of_a_folder_are_named(tmp_path: Path):
    folder = write(tmp_path / "a")
    odd = folder / "002_keypoints.json"
    for make in (
        lambda: os.mkfifo(odd),
        lambda: odd.symlink_to(folder / "nothing"),
        lambda: odd.mkdir(),
    ):
        make()
        with pytest.raises(InputError, match=r"002_keypoints\.json .* not a file"):
            read_openpose(folder)
        odd.rmdir() if odd.is_dir() else odd.unlink()
    for text in ("[" * 100_000, "{", "[]", '{"people": 1}', "\xff"):
        odd.write_text(text, encoding="latin1")
        with pytest.raises(InputError, match="002_keypoints"):
            read_openpose(folder)


def test_a_crowd_is_refused(tmp_path: Path):
    folder = write(tmp_path / "a")
    crowd = {"people": [{}] * (KEYPOINTS.most("people") + 1)}
    (folder / "002_keypoints.json").write_text(json.dumps(crowd))
    with pytest.raises(InputError, match="people"):
        read_openpose(folder)
