"""A bounded part of the fuzzing; the whole is ``python tools/fuzz.py --inputs 20000``."""

import json
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
import fuzz


@pytest.mark.slow
@pytest.mark.parametrize("reader", list(fuzz.READERS))
def test_hostile_files_end_in_a_sentence(reader: str, tmp_path: Path):
    counts = fuzz.fuzz(reader, 60, 7, tmp_path / "kept")
    assert counts["ok"] + counts["InputError"] == 60, [
        path.read_text() for path in (tmp_path / "kept").glob("*.txt")
    ]


def test_mutations_are_repeatable_and_change_something():
    data = json.dumps({"people": [{"pose_keypoints_2d": [1.0] * 75}]}).encode()
    for suffix in (".json", ".bvh", ".bin"):
        first = [fuzz.mutate(data, suffix, random.Random(3)) for _ in range(2)]
        assert first[0] == first[1]
        dice = random.Random(3)
        assert sum(fuzz.mutate(data, suffix, dice) != data for _ in range(50)) > 35
