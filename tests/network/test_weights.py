import contextlib
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from bdmm.config import NetworkConfig
from bdmm.errors import InputError
from bdmm.files.tensor_files import read_pth, read_tensors
from bdmm.network.generator import Generator
from bdmm.network.weights import FILE_NAME, load_weights, save_weights, shapes_of

SMALL = NetworkConfig(
    joints=3, slope=0.2, feeds_back=False, widths=(4, 6, 8), style_widths=(4, 8), motion_mask=False
)
Edit = Callable[[dict[str, torch.Tensor], dict[str, Any]], object]


@pytest.fixture
def generator() -> Generator:
    return Generator(SMALL)


@pytest.fixture
def saved(generator: Generator, tmp_path: Path) -> Path:
    path = tmp_path / FILE_NAME
    save_weights(path, generator.state_dict(), SMALL)
    return path


def _rewrite(path: Path, edit: Edit) -> None:
    """Change a file's tensors and description, leaving a well-formed file."""
    tensors = load_file(path)
    text = path.read_bytes()
    header = json.loads(text[8 : 8 + int.from_bytes(text[:8], "little")])
    description = json.loads(header["__metadata__"]["bdmm"])
    edit(tensors, description)
    save_file(tensors, path, {"bdmm": json.dumps(description)})


def _refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_weights(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    return sentence


def test_what_is_saved_comes_back(generator: Generator, saved: Path) -> None:
    config, state = load_weights(saved)
    assert config == SMALL
    again = Generator(config)
    again.load_state_dict(state)
    for name, value in generator.state_dict().items():
        assert again.state_dict()[name].equal(value), name
    assert [p.name for p in saved.parent.iterdir()] == [FILE_NAME]


def test_the_folder_of_a_run_is_as_good_as_its_file(saved: Path) -> None:
    assert load_weights(saved.parent)[0] == load_weights(str(saved))[0] == SMALL


def test_who_may_read_other_new_files_may_read_weights(saved: Path) -> None:
    plain = saved.with_name("plain")
    plain.touch()
    assert saved.stat().st_mode == plain.stat().st_mode


def test_half_precision_stays(generator: Generator, tmp_path: Path) -> None:
    state = {name: value.bfloat16() for name, value in generator.state_dict().items()}
    save_weights(tmp_path / "half.safetensors", state, SMALL)
    loaded = load_weights(tmp_path / "half.safetensors")[1]
    assert all(
        value.dtype == torch.bfloat16 and value.equal(state[n]) for n, value in loaded.items()
    )


def test_shapes_are_told_without_making_numbers(generator: Generator) -> None:
    expected = {name: tuple(value.shape) for name, value in generator.state_dict().items()}
    assert shapes_of(SMALL) == expected
    assert all(not p.is_meta for p in Generator(SMALL).parameters())


def test_a_setting_that_an_old_file_lacks_has_its_default(saved: Path) -> None:
    _rewrite(saved, lambda _, description: description["config"].pop("motion_mask"))
    with pytest.raises(InputError, match="lacks the tensor 'decoder"):
        load_weights(saved)
    _rewrite(saved, lambda _, description: description["config"].update(motion_mask=False))
    assert load_weights(saved)[0] == SMALL


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda t, d: t.pop("head.to_rgb.bias"), "lacks the tensor 'head.to_rgb.bias'"),
        (lambda t, d: t.update(extra=torch.zeros(1)), "adds the tensor 'extra'"),
        (
            lambda t, d: t.update({"head.to_rgb.bias": torch.zeros(4)}),
            "'head.to_rgb.bias' has shape 4 and should have 3",
        ),
        (
            lambda t, d: t["head.to_rgb.bias"].fill_(torch.nan),
            "'head.to_rgb.bias' holds values that are not finite",
        ),
        (
            lambda t, d: t.update({"head.to_rgb.bias": torch.zeros(3, dtype=torch.int32)}),
            "'head.to_rgb.bias' does not hold real numbers",
        ),
        (lambda t, d: t["head.to_rgb.bias"].add_(1e-3), "do not match its checksum"),
        (lambda t, d: d.update(version=2), "format version is 2"),
        (lambda t, d: d["config"].update(wings=2), "'wings'"),
        (lambda t, d: d["config"].update(joints="many"), "'joints' is 'many'"),
        (lambda t, d: d["config"].update(joints=True), "'joints' is True"),
        (lambda t, d: d["config"].update(joints=0), "at least one joint"),
        (lambda t, d: d["config"].update(widths=[4, 10**12]), "'widths'"),
        (lambda t, d: d["config"].update(widths=[4] * 10**5), "'widths'"),
        (lambda t, d: d["config"].update(widths=[1] * 12), "'widths'"),
        (lambda t, d: d["config"].update(style_widths=[1] * 12), "'style_widths'"),
        (lambda t, d: d["config"].update(slope=float("nan")), "its description is damaged"),
        (lambda t, d: d.update(config=[1]), "it holds no settings"),
    ],
)
def test_a_wrong_file_is_refused_by_name(edit: Edit, said: str, saved: Path) -> None:
    _rewrite(saved, edit)
    assert said in _refusal(saved)


def test_a_file_of_other_tensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(2)}, path)
    assert "bdmm convert" in _refusal(path)


@pytest.mark.parametrize("keep", [0, 5, 200, -1])
def test_a_truncated_file_is_refused(keep: int, saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:keep])
    assert "damaged" in _refusal(saved)


def test_noise_and_nothing_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "noise.safetensors"
    path.write_bytes(os.urandom(5000))
    assert "damaged" in _refusal(path)
    assert "does not exist" in _refusal(tmp_path / "nothing.safetensors")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="does not exist"):
        load_weights(tmp_path / "empty")


class _MakesFolder:
    """Unpickling this runs code."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("kind", ["zip", "old", "bare pickle"])
def test_a_pickle_that_would_run_code_does_not(kind: str, tmp_path: Path) -> None:
    trap, path = tmp_path / "trap", tmp_path / "hostile.pth"
    content = {"a": torch.zeros(2), "b": _MakesFolder(trap)}
    if kind == "bare pickle":
        path.write_bytes(pickle.dumps(content["b"], protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    for read in (read_pth, read_tensors):
        with pytest.raises(InputError, match=r"hostile\.pth.* can run code"):
            read(path)
    assert "damaged or of another kind" in _refusal(path)
    assert not trap.exists()
    with contextlib.suppress(RuntimeError):
        torch.load(path, weights_only=False)
    assert trap.exists(), "the trap does not work, so nothing was shown"


@pytest.mark.parametrize("content", [[torch.zeros(1)], {"a": 3}, {3: torch.zeros(1)}])
def test_a_pth_that_is_no_table_of_tensors_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(InputError, match="flat table"):
        read_pth(tmp_path / "x.pth")


def test_a_compressed_pth_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch) -> None:
    torch.save({"a": torch.zeros(2**20)}, tmp_path / "plain.pth")
    bomb = tmp_path / "bomb.pth"
    with (
        zipfile.ZipFile(tmp_path / "plain.pth") as plain,
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    assert bomb.stat().st_size < 2**15
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was unpacked"))
    with pytest.raises(InputError, match="not a plain PyTorch weights file"):
        read_tensors(bomb)


def test_names_that_would_write_on_the_terminal_are_refused(tmp_path: Path) -> None:
    torch.save({"\x1b[2J\nall is well": torch.zeros(1)}, tmp_path / "x.pth")
    with pytest.raises(InputError, match="cannot be printed"):
        read_tensors(tmp_path / "x.pth")


def test_an_unwritable_place_is_an_error_in_a_sentence(
    generator: Generator, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="could not be written"):
        save_weights(tmp_path / "absent" / "x.safetensors", generator.state_dict(), SMALL)


def test_a_failed_write_leaves_the_old_file(
    generator: Generator, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full_disk(self: Path, data: bytes) -> None:
        self.open("wb").write(data[:4])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(InputError, match="the disk is full"):
        save_weights(saved, generator.state_dict(), SMALL)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == [FILE_NAME]


def test_weights_of_another_network_are_our_own_mistake(generator: Generator) -> None:
    with pytest.raises(AssertionError):
        save_weights("x.safetensors", generator.state_dict(), replace(SMALL, joints=4))
