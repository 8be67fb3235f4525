"""Checkpoints are whole or not there, and the one before is always a way back."""

import os
import resource
import signal
import warnings
from pathlib import Path

import pytest
import torch

from bdmm.errors import InputError, Notice
from bdmm.training.run_state import (
    Checkpoint,
    checkpoints,
    load_checkpoint,
    load_latest,
    save_checkpoint,
)


def _checkpoint(step: int, size: int = 10) -> Checkpoint:
    tensors = {"a.b": torch.randn(size), "random": torch.get_rng_state(), "n": torch.tensor(step)}
    return Checkpoint(step, tensors, {"settings": {"preset": "x"}, "averaged": step})


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    saved = _checkpoint(3)
    save_checkpoint(tmp_path, saved)
    loaded = load_latest(tmp_path)
    assert loaded is not None
    assert (loaded.step, loaded.record) == (3, saved.record)
    assert loaded.tensors.keys() == saved.tensors.keys()
    for name, value in saved.tensors.items():
        assert torch.equal(loaded.tensors[name], value)
        assert loaded.tensors[name].dtype == value.dtype


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    assert load_latest(tmp_path) is None
    for step in (9, 10, 200):
        save_checkpoint(tmp_path, _checkpoint(step))
    assert [path.stem for path in checkpoints(tmp_path)] == ["00000010", "00000200"]
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2


def test_what_a_killed_writing_left_is_removed_by_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    process = os.fork()
    if process == 0:
        setattr(Path, "replace", lambda *_: os.kill(os.getpid(), signal.SIGKILL))  # noqa: B010
        save_checkpoint(tmp_path, _checkpoint(1))
    os.waitpid(process, 0)
    (left,) = folder.iterdir()
    assert left.name.startswith(".")
    assert load_latest(tmp_path) is None
    save_checkpoint(tmp_path, _checkpoint(1))
    assert [path.name for path in folder.iterdir()] == ["00000001.safetensors"]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_file_cut_off_is_passed_over_and_said_so(tmp_path: Path, share: float) -> None:
    save_checkpoint(tmp_path, _checkpoint(1))
    path = save_checkpoint(tmp_path, _checkpoint(2))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.warns(Notice, match=r"00000002.*goes on from 00000001") as told:
        loaded = load_latest(tmp_path)
    assert len(told) == 1
    assert loaded is not None
    assert loaded.step == 1
    # The run overwrites the damaged one when it gets there.
    save_checkpoint(tmp_path, _checkpoint(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_latest(tmp_path).step == 2  # pyright: ignore[reportOptionalMemberAccess]


def test_a_changed_number_is_found(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, _checkpoint(1))
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="checksum"):
        load_checkpoint(path)
    with pytest.raises(InputError, match=r"No checkpoint in .* is whole"):
        load_latest(tmp_path)


def test_another_kind_of_file_is_no_checkpoint(tmp_path: Path) -> None:
    from bdmm.files.tensor_files import write_safetensors

    path = tmp_path / "1.safetensors"
    for metadata in ({}, {"bdmm": "[]"}, {"bdmm": "{"}, {"bdmm": '{"step": 1}'}):
        write_safetensors(path, {"a": torch.zeros(1)}, metadata)
        with pytest.raises(InputError, match="not a checkpoint"):
            load_checkpoint(path)


def test_a_full_disk_leaves_the_previous_one(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, _checkpoint(1))
    save_checkpoint(tmp_path, _checkpoint(2))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(InputError, match=r"00000003.safetensors could not be written"):
            save_checkpoint(tmp_path, _checkpoint(3, size=100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "00000001.safetensors",
        "00000002.safetensors",
    ]
    loaded = load_latest(tmp_path)
    assert loaded is not None
    assert loaded.step == 2
