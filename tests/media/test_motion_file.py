import json
import struct
import tracemalloc
import zlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.errors import InputError
from bdmm.media.motion_file import load_motion, save_motion
from bdmm.records import Motion


def _motion(frames: int = 5) -> Motion:
    """Four bones move; bone 0 turns once around, so that angles of pi and beyond occur."""
    axis_angle = torch.zeros(frames, 24, 3)
    axis_angle[:, 0, 1] = torch.linspace(0, 2 * torch.pi, frames)
    axis_angle[:, [4, 16, 23]] = 0.7 * torch.randn(frames, 3, 3)
    return Motion(
        rotations=axis_angle_to_matrix(axis_angle),
        scale=torch.linspace(200, 210, frames),
        translation=torch.randn(frames, 2) * 5 + 128,
        shape=torch.randn(20),
        flagged=torch.arange(frames) % 3 == 1,
        size=(256, 192),
        fps=Fraction(30000, 1001),
        body="anny24",
    )


@pytest.fixture
def good(tmp_path: Path) -> bytes:
    save_motion(tmp_path / "good.motion", _motion())
    return (tmp_path / "good.motion").read_bytes()


def _rewritten(contents: bytes, **changes) -> bytes:
    """The file's bytes with tensors replaced, or settings where the value is no tensor."""
    header = json.loads(contents[8 : 8 + struct.unpack("<Q", contents[:8])[0]])
    settings = json.loads(header["__metadata__"]["motion"])
    tensors = load(contents)
    for name, value in changes.items():
        (tensors if isinstance(value, torch.Tensor) else settings)[name] = value
    return save(tensors, {"motion": json.dumps(settings)})


def _packed(contents: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(zlib.compress(contents)), dtype=torch.uint8)


def _load_bytes(tmp_path: Path, contents: bytes) -> Motion:
    path = tmp_path / "given.motion"
    path.write_bytes(contents)
    return load_motion(path)


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    motion = _motion(40)
    save_motion(tmp_path / "a.motion", motion)
    back = load_motion(tmp_path / "a.motion")
    relative = motion.rotations.double().mT @ back.rotations.double()
    torch.testing.assert_close(
        relative, torch.eye(3).expand(40, 24, 3, 3).double(), atol=1e-3, rtol=0
    )
    for name in ("scale", "translation", "shape", "flagged"):
        assert torch.equal(getattr(back, name), getattr(motion, name)), name
    assert (back.size, back.fps, back.body) == ((256, 192), Fraction(30000, 1001), "anny24")


def test_bytes_are_reproducible(tmp_path: Path) -> None:
    for name in ("a.motion", "b.motion"):
        torch.manual_seed(3)
        save_motion(tmp_path / name, _motion())
    assert (tmp_path / "a.motion").read_bytes() == (tmp_path / "b.motion").read_bytes()


def test_smooth_motion_costs_about_a_byte_per_angle(tmp_path: Path) -> None:
    angle = torch.arange(300)[:, None, None] / 300 * 2 * torch.pi * torch.arange(1, 7)[:, None]
    axis_angle = torch.zeros(300, 24, 3)
    axis_angle[:, 4:10] = angle.sin() * torch.tensor([0.5, -0.3, 0.7])
    motion = replace(_motion(300), rotations=axis_angle_to_matrix(axis_angle))
    save_motion(tmp_path / "few.motion", motion)
    assert (tmp_path / "few.motion").stat().st_size < 300 * (6 * 3 + 12 + 1) + 1000


def test_rotations_that_come_back_are_rotations(tmp_path: Path, good: bytes) -> None:
    wild = torch.randint(0, 256, (5 * 4 * 3 * 2,), dtype=torch.uint8).numpy().tobytes()
    changed = _rewritten(good, rotations=_packed(wild))
    rotations = _load_bytes(tmp_path, changed).rotations
    unit = torch.eye(3).expand_as(rotations)
    torch.testing.assert_close(rotations @ rotations.mT, unit, atol=1e-4, rtol=0)
    assert (torch.linalg.det(rotations) > 0.99).all()


def test_a_deflate_bomb_is_refused_without_inflating_it(tmp_path: Path, good: bytes) -> None:
    bomb = _packed(b"\0" * 50_000_000)
    tracemalloc.start()
    with pytest.raises(InputError, match="rotations are damaged"):
        _load_bytes(tmp_path, _rewritten(good, rotations=bomb))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_existing_file_survives_a_failed_write_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "keep.motion"
    target.write_bytes(b"old")

    def full_disk(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(InputError, match=r"keep\.motion.*the disk is full"):
        save_motion(target, _motion())
    assert [file.name for file in tmp_path.iterdir()] == ["keep.motion"]
    assert target.read_bytes() == b"old"


def test_a_folder_that_does_not_exist_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        save_motion(tmp_path / "nowhere" / "a.motion", _motion())


def test_a_path_below_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="could not be written"):
        save_motion(tmp_path / "file" / "a.motion", _motion())


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.motion does not exist"):
        load_motion(tmp_path / "absent.motion")
    with pytest.raises(InputError, match="not a file"):
        load_motion(tmp_path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": 2}, "version is 2"),
        ({"version": None}, "version"),
        ({"fps": "30"}, "frame rate"),
        ({"fps": "0/1"}, "frame rate"),
        ({"fps": "30/0"}, "frame rate"),
        ({"fps": 30}, "frame rate"),
        ({"size": [256]}, "frame size"),
        ({"size": [256, -1]}, "frame size"),
        ({"size": [256, True]}, "frame size"),
        ({"body": "../../etc"}, "body"),
        ({"frames": 0}, "number of frames"),
        ({"frames": 4}, "for 4 frames"),
        ({"frames": 10**30}, "number of frames"),
        ({"frames": 10**5}, "for 100000 frames"),
        ({"scale": torch.tensor([200.0, 200, float("nan"), 200, 200])}, "scale"),
        ({"scale": torch.tensor([200.0, 200, 0, 200, 200])}, "scale"),
        ({"scale": torch.full((5,), 1e-30)}, "scale"),
        ({"scale": torch.full((5,), 1e30)}, "scale"),
        ({"scale": torch.ones(5, dtype=torch.float64)}, "'scale'"),
        ({"translation": torch.full((5, 2), float("inf"))}, "translation"),
        ({"translation": torch.zeros(5, 3)}, "'translation'"),
        ({"shape": torch.full((20,), float("nan"))}, "shape"),
        ({"shape": torch.full((20,), 1e30)}, "shape"),
        ({"shape": torch.zeros(19)}, "19 shape components and anny24 has 20"),
        ({"shape": torch.zeros(2000), "body": "other"}, "2000 shape components"),
        ({"flagged": torch.full((5,), 7, dtype=torch.uint8)}, "flags"),
        ({"bones": torch.tensor([0, 4, 16, 24], dtype=torch.uint8)}, "bones"),
        ({"bones": torch.tensor([0, 4, 4, 23], dtype=torch.uint8)}, "bones"),
        ({"rotations": torch.zeros(120, dtype=torch.uint8)}, "rotations are damaged"),
        ({"rotations": torch.zeros(0, dtype=torch.uint8)}, "rotations are damaged"),
        ({"rotations": _packed(bytes(119))}, "rotations are damaged"),
        ({"rotations": torch.zeros(5, 4, 3)}, "'rotations'"),
        ({"extra": torch.zeros(1)}, "tensors"),
    ],
)
def test_impossible_contents_are_refused_in_one_sentence(
    tmp_path: Path, good: bytes, changes: dict, reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        _load_bytes(tmp_path, _rewritten(good, **changes))
    message = str(caught.value)
    assert "given.motion" in message
    assert "\n" not in message
    assert message.endswith(".")


@pytest.mark.parametrize(
    "contents",
    [
        b"",
        b"\x00",
        b"not a motion at all, just some text that somebody renamed",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 10**8) + b"{}",
        struct.pack("<Q", 2**64 - 1) + b"{" * 100,
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 2000) + b"[" * 2000,
        struct.pack("<Q", 20) + b"{" + b"\xff" * 19,
    ],
    ids=lambda contents: f"{len(contents)}-bytes",
)
def test_other_files_are_refused(tmp_path: Path, contents: bytes) -> None:
    with pytest.raises(InputError, match=r"given\.motion is not a usable motion file"):
        _load_bytes(tmp_path, contents)


def test_deeply_nested_description_is_refused(tmp_path: Path, good: bytes) -> None:
    bomb = save(load(good), {"motion": "[" * 100_000})
    with pytest.raises(InputError, match="description"):
        _load_bytes(tmp_path, bomb)


def _valid(motion: Motion) -> bool:
    frames = len(motion)
    return bool(
        frames > 0
        and motion.rotations.shape == (frames, 24, 3, 3)
        and motion.rotations.isfinite().all()
        and motion.scale.shape == (frames,)
        and (motion.scale > 0).all()
        and motion.translation.shape == (frames, 2)
        and motion.translation.isfinite().all()
        and motion.shape.isfinite().all()
        and motion.fps > 0
        and min(motion.size) > 0
    )


def test_every_truncation_is_refused(tmp_path: Path, good: bytes) -> None:
    for length in range(0, len(good), 7):
        with pytest.raises(InputError):
            _load_bytes(tmp_path, good[:length])


def test_flipped_bytes_give_a_valid_motion_or_one_sentence(tmp_path: Path, good: bytes) -> None:
    generator = torch.Generator().manual_seed(0)
    refused = 0
    for position in range(len(good)):
        damaged = bytearray(good)
        damaged[position] ^= int(torch.randint(1, 256, (), generator=generator))
        try:
            motion = _load_bytes(tmp_path, bytes(damaged))
        except InputError:
            refused += 1
        else:
            assert _valid(motion), f"byte {position}"
    assert refused > len(good) // 4


def test_a_motion_without_movement_is_a_motion(tmp_path: Path) -> None:
    still = replace(_motion(), rotations=torch.eye(3).expand(5, 24, 3, 3))
    save_motion(tmp_path / "still.motion", still)
    assert torch.equal(load_motion(tmp_path / "still.motion").rotations, still.rotations)
