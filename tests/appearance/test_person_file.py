import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from bdmm.appearance.person import build_person
from bdmm.appearance.person_file import load_person, save_person
from bdmm.errors import InputError
from bdmm.records import Person


@pytest.fixture(scope="module")
def person(painted, turning) -> Person:
    photos = painted(turning(4))
    return build_person([photos[0], photos[2]])


@pytest.fixture
def path(tmp_path, person):
    save_person(tmp_path / "me.person", person)
    return tmp_path / "me.person"


def test_a_person_comes_back_as_it_was(path, person):
    again = load_person(path)
    assert len(again.photos) == 2
    for before, after in zip(person.photos, again.photos, strict=True):
        assert (before.image - after.image).abs().max() < 0.005
        assert (before.foreground - after.foreground).abs().max() < 0.003
        assert torch.equal(before.pose.rotations, after.pose.rotations)
        assert torch.equal(before.pose.translation, after.pose.translation)
        assert before.pose.size == after.pose.size
    assert torch.equal(again.photos[0].background, again.photos[0].background)
    assert (again.atlas.colours - person.atlas.colours).abs().max() < 0.005
    assert [one.name for one in path.parent.iterdir()] == ["me.person"]


def changed(path, **tensors):
    held = load_file(path)
    for name, value in tensors.items():
        name = name.replace("_0", ".0")
        held.pop(name, None)
        if value is not None:
            held[name] = value
    save_file(held, path, {"person": json.dumps({"version": 1, "body": "anny24"})})


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"scale": torch.tensor([-1.0, 1.0])}, "scale"),
        ({"scale": torch.tensor([torch.nan, 1.0])}, "not finite"),
        ({"rotations": torch.zeros(2, 24, 3, 3)}, "rotations"),
        ({"shape": torch.zeros(7)}, "another type or shape"),
        ({"shape": None}, "lacks 'shape'"),
        ({"photo_0": torch.zeros(64, 64, 3, dtype=torch.uint8)}, "differ in size"),
        ({"photo_0": torch.zeros(1, 9000, 3, dtype=torch.uint8)}, "too small or too large"),
        ({"atlas": torch.zeros(4, 2048, 2048, dtype=torch.uint8)}, "atlas"),
        ({"photo_0": None}, "lacks 'photo.0'"),
        ({f"photo.{i}": torch.zeros(64, 64, 3, dtype=torch.uint8) for i in range(9)}, "9 photos"),
    ],
)
def test_hostile_files_are_refused_in_a_sentence(path, tensors, words):
    changed(path, **tensors)
    with pytest.raises(InputError, match=words) as refused:
        load_person(path)
    assert str(path) in str(refused.value)


def test_cut_files_and_other_versions_are_refused(path, person):
    whole = path.read_bytes()
    for length in (0, 7, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"me\.person"):
            load_person(path)
    path.write_bytes(whole)
    save_file(load_file(path), path, {"person": json.dumps({"version": 9, "body": "anny24"})})
    with pytest.raises(InputError, match="version 9; this program reads version 1"):
        load_person(path)
    save_file(load_file(path), path, {"other": "x"})
    with pytest.raises(InputError, match="not a person file"):
        load_person(path)
    save_person(path, replace(person, atlas=None))
    assert load_person(path).atlas is None
