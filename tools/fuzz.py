"""Throw mutated files at every reader and count what becomes of them.

    python tools/fuzz.py --inputs 20000 --seed 1
    python tools/fuzz.py --readers motion bvh --inputs 500

The program makes its own seeds. A mutation changes bytes, or the structure: numbers and texts of
JSON, tensors' headers, entries of archives, words of text. Each reader works in a process of its
own with bounded memory; what ends neither well nor with an `InputError` within ten seconds and
1 GiB is kept in the folder of ``--keep``, and the program exits with 1.
"""

import argparse
import contextlib
import dataclasses
import io
import json
import pickle
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from select import select
from typing import Any

import numpy as np

LONGEST = 10.0
"""Seconds after which a reader hangs."""
PEAK = 2**30
"""Bytes of memory that reading may take at most."""
_ADDRESSES = 6 * 2**30
OUTCOMES = ("ok", "InputError", "traceback", "hang", "peak", "crash")
_HOSTILE_NUMBERS = (0, -1, 1, 255, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
_HOSTILE_VALUES = (
    None, True, -1, 0, 10**9, 10**30, 10**400, 1e-308, 1e30, 3.4e38, 1e308, float("inf"),
    float("nan"), "", "x" * 5000, "../../x", "\x1b[2J", [], {}, [[]], [1e30] * 100, 2**31, -(2**63),
)  # fmt: skip
_HOSTILE_WORDS = (
    "-1", "0", "1e30", "1e308", "nan", "inf", "99999999", "{", "}", "", "JOINT", "End", "\x00",
    "9" * 400, "CHANNELS", "Frames:", "MOTION",
)  # fmt: skip

# --- readers: each runs in a process of its own and takes the path of a mutated file ---


def _read_picture(path: Path) -> None:
    from bdmm.media.image import read_image

    read_image(path)


def _read_video(path: Path) -> None:
    from bdmm.media.video_reader import VideoReader

    for _ in VideoReader(path, max_side=256):
        pass


def _write_sound(path: Path) -> None:
    from bdmm.media.video_writer import create_video

    with (
        tempfile.TemporaryDirectory() as folder,
        create_video(Path(folder) / f"o{path.suffix}", Fraction(10), sound_from=path) as video,
    ):
        for _ in range(5):
            video.write(np.zeros((16, 16, 3), np.uint8))


def _read_motion(path: Path) -> None:
    from bdmm.media.motion_file import load_motion

    load_motion(path)


def _read_smpl(path: Path) -> None:
    from bdmm.body.model import load_body
    from bdmm.perception.smpl_params import read_smpl_motion

    source = path.parent if path.suffix == ".json" else path
    motion = read_smpl_motion(source, load_body())
    assert bool(motion.rotations.isfinite().all()), "finite rotations"


def _read_smpl_model(path: Path) -> None:
    from bdmm.media.smpl_file import read_smpl

    read_smpl(path)


def _read_keypoints(path: Path) -> None:
    from bdmm.body.model import load_body
    from bdmm.perception import body_fit
    from bdmm.perception.openpose_json import read_openpose

    landmarks = read_openpose(path.parent)
    assert bool(landmarks.keypoints.isfinite().all()), "finite keypoints"
    assert max(landmarks.size) < 2**20, "a size"
    motion = body_fit.fit_motion(landmarks, load_body())
    assert bool(motion.rotations.isfinite().all()), "finite rotations"


def _read_bvh(path: Path) -> None:
    from bdmm_synth.bvh.file import read_bvh

    read_bvh(path)


def _read_weights(path: Path) -> None:
    from bdmm.files.tensor_files import read_tensors
    from bdmm.network.weights import load_weights

    read_tensors(path) if path.suffix == ".pth" else load_weights(path)


def _read_clip(path: Path) -> None:
    from bdmm.data.clip_store import PreparedClip

    clip = PreparedClip(path.parent)
    clip.frames()
    clip.foregrounds()
    clip.background()
    clip.motion()
    clip.keypoints()
    for place in range(len(clip.info.sources)):
        clip.warps(place)


def _read_report(path: Path) -> None:
    from bdmm.evaluation.reports.report_file import load_report

    load_report(path)


def _read_person(path: Path) -> None:
    from bdmm.appearance.person_file import load_person

    load_person(path)


def _read_checkpoint(path: Path) -> None:
    from bdmm.training.run_state import load_checkpoint

    load_checkpoint(path)


READERS: dict[str, Callable[[Path], None]] = {
    "picture": _read_picture,
    "video": _read_video,
    "sound": _write_sound,
    "motion": _read_motion,
    "smpl": _read_smpl,
    "smpl model": _read_smpl_model,
    "keypoints": _read_keypoints,
    "bvh": _read_bvh,
    "weights": _read_weights,
    "clip": _read_clip,
    "report": _read_report,
    "person": _read_person,
    "checkpoint": _read_checkpoint,
}

# --- seeds ---


def make_seeds(reader: str, folder: Path) -> list[Path]:
    """Write a reader's seeds; a seed in a folder of its own is read with what lies next to it."""
    folder.mkdir(parents=True)
    return list(_SEEDS[reader](folder))


def _picture_seeds(folder: Path) -> Iterator[Path]:
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 255, (40, 50, 4)).astype(np.uint8)
    for suffix in ("png", "jpg", "webp", "avif", "tif", "gif", "bmp", "ppm", "tga", "jp2"):
        picture = Image.fromarray(noise)
        if suffix in ("jpg", "ppm", "avif", "jp2"):
            picture = picture.convert("RGB")
        with contextlib.suppress(OSError, KeyError):  # a format that this Pillow lacks
            picture.save(folder / f"a.{suffix}")
            yield folder / f"a.{suffix}"
    for mode in ("P", "I;16", "CMYK", "F", "1"):
        path = folder / f"{mode[0]}.{'tif' if mode in ('CMYK', 'F') else 'png'}"
        Image.new(mode, (40, 30), 1).save(path)
        yield path


def _video_seeds(folder: Path) -> Iterator[Path]:
    import av

    kinds = (
        ("mp4", "libx264", "aac"), ("mkv", "libx264", "libopus"), ("webm", "libvpx-vp9", "libopus"),
        ("avi", "mjpeg", "pcm_s16le"), ("mov", "mpeg4", "pcm_s16le"), ("mkv", "ffv1", "flac"),
        ("mpg", "mpeg2video", "mp2"), ("ts", "libx264", "aac"), ("gif", "gif", None),
    )  # fmt: skip
    random_source = np.random.default_rng(0)
    for suffix, codec, sound in kinds:
        path = folder / f"{codec}.{suffix}"
        with av.open(str(path), "w") as output:
            stream: Any = output.add_stream(codec, rate=25)
            stream.width, stream.height = 64, 48
            stream.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
            track: Any = output.add_stream(sound, rate=48_000, layout="stereo") if sound else None
            for number in range(8):
                pixels = random_source.integers(0, 255, (48, 64, 3)).astype(np.uint8)
                frame = av.VideoFrame.from_ndarray(pixels).reformat(format=stream.pix_fmt)
                frame.pts, frame.time_base = number, Fraction(1, 25)
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
            if track is not None:
                silence = av.AudioFrame(format="s16", layout="stereo", samples=9600)
                silence.sample_rate, silence.pts = 48_000, 0
                silence.planes[0].update(bytes(silence.planes[0].buffer_size))
                context = track.codec_context
                if not context.is_open:
                    context.open()
                resampler = av.AudioResampler(
                    context.format, context.layout, context.sample_rate, context.frame_size or None
                )
                for piece in (*resampler.resample(silence), *resampler.resample(None)):
                    output.mux(track.encode(piece))
                output.mux(track.encode(None))
        yield path


def _sound_seeds(folder: Path) -> Iterator[Path]:
    return (
        path for path in _video_seeds(folder) if path.suffix not in (".gif", ".mpg", ".ts", ".avi")
    )


def _motion_seeds(folder: Path) -> Iterator[Path]:
    from bdmm.media.motion_file import load_shipped, save_motion

    for name in ("wave", "turn"):
        save_motion(folder / f"{name}.motion", load_shipped(name))
        yield folder / f"{name}.motion"


def _smpl_table() -> dict[str, np.ndarray]:
    return {
        "cam": np.tile(np.array([0.9, 0.1, 0.2], np.float32), (4, 1)),
        "pose": np.random.default_rng(0).normal(0, 0.3, (4, 72)),
        "betas": np.zeros((4, 10), np.float32),
    }


def _smpl_seeds(folder: Path) -> Iterator[Path]:
    table: dict[str, Any] = _smpl_table()
    np.savez(folder / "plain.npz", **table)
    np.savez_compressed(folder / "small.npz", **table)
    for protocol in (0, 2, 4, 5):
        (folder / f"p{protocol}.pkl").write_bytes(pickle.dumps(table, protocol=protocol))
    lists = {name: values.tolist() for name, values in table.items()}
    (folder / "lists.pkl").write_bytes(pickle.dumps(lists))
    (folder / "json").mkdir()
    frames = [{name: values[i].tolist() for name, values in table.items()} for i in range(2)]
    for number, frame in enumerate(frames):
        (folder / "json" / f"{number}.json").write_text(json.dumps(frame))
    yield from folder.glob("*.npz")
    yield from folder.glob("*.pkl")
    yield folder / "json" / "1.json"


def _smpl_model_seeds(folder: Path) -> Iterator[Path]:
    import scipy.sparse

    from bdmm.records import BONE_PARENTS

    bones = len(BONE_PARENTS)
    table = {
        "v_template": np.zeros((6890, 3)), "shapedirs": np.zeros((6890, 3, 10), np.int8),
        "posedirs": np.zeros((6890, 3, 9 * (bones - 1)), np.int8),
        "J_regressor": scipy.sparse.csc_matrix(np.eye(bones, 6890)),
        "weights": np.ones((6890, bones), np.int8), "f": np.zeros((3, 3), np.int32),
        "kintree_table": np.stack([[0, *BONE_PARENTS[1:]], np.arange(bones)]),
    }  # fmt: skip
    (folder / "model.pkl").write_bytes(pickle.dumps(table, protocol=2))
    table["J_regressor"] = table["J_regressor"].toarray()
    np.savez_compressed(folder / "model.npz", **table)
    yield from (folder / "model.pkl", folder / "model.npz")


def _keypoint_seeds(folder: Path) -> Iterator[Path]:
    body = [value for i in range(25) for value in (100.0 + 3 * i, 50.0 + 8 * i, 0.9)]
    hand = [value for i in range(21) for value in (100.0 + i, 50.0 + i, 0.9)]
    for name, count in (("body25", 25), ("coco18", 18)):
        person = {"pose_keypoints_2d": body[: 3 * count], "hand_left_keypoints_2d": hand}
        content = {"people": [person, person], "canvas_height": 480, "canvas_width": 640}
        (folder / name).mkdir()
        for number in range(2):
            (folder / name / f"{number}_keypoints.json").write_text(json.dumps(content))
        yield folder / name / "1_keypoints.json"


def _bvh_seeds(folder: Path) -> Iterator[Path]:
    names = ("Hips", "Spine", "Neck", "Head")
    text = "HIERARCHY\nROOT Hips\n{\nOFFSET 0 90 0\nCHANNELS 6 Xposition Yposition Zposition "
    text += "Zrotation Xrotation Yrotation\n"
    for name in names[1:]:
        text += f"JOINT {name}\n{{\nOFFSET 0 10 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
    text += "End Site\n{\nOFFSET 0 1 0\n}\n" + "}\n" * len(names)
    text += "MOTION\nFrames: 3\nFrame Time: 0.04\n" + ("1.5 " * 15 + "\n") * 3
    (folder / "a.bvh").write_text(text)
    yield folder / "a.bvh"


def _weights_seeds(folder: Path) -> Iterator[Path]:
    import torch

    from bdmm.config import NetworkConfig
    from bdmm.network.weights import save_weights, shapes_of

    config = NetworkConfig(joints=2, feeds_back=False, widths=(2, 3), style_widths=(2, 3))
    tensors = {name: torch.full(shape, 0.5) for name, shape in shapes_of(config).items()}
    save_weights(folder / "a.safetensors", tensors, config)
    torch.save(dict(list(tensors.items())[:5]), folder / "a.pth")
    torch.save(tensors, folder / "old.pth", _use_new_zipfile_serialization=False)
    yield from (folder / "a.safetensors", folder / "a.pth", folder / "old.pth")


def _clip_seeds(folder: Path) -> Iterator[Path]:
    from bdmm.body.model import load_body
    from bdmm.data.clip_store import CachedSource, Origin
    from bdmm.data.clip_writer import NewClip, write_clip
    from bdmm.media.motion_file import load_shipped

    motion = load_shipped("wave")[:3]
    side = min(motion.size)
    side -= side % 2
    frames = [
        (np.full((*motion.size, 3), 90, np.uint8), np.full(motion.size, 200, np.uint8))
        for _ in range(len(motion))
    ]
    origin = Origin("a.mp4", "", motion.size, (0, 0, side), (0, len(motion)))
    clip = NewClip("videos", "test", origin, motion, [CachedSource(0)])
    write_clip(folder / "clip", clip, frames, load_body(), np.random.default_rng(0))
    yield from sorted((folder / "clip").iterdir())


def _report_seeds(folder: Path) -> Iterator[Path]:
    from bdmm.evaluation.jobs.scores import ClipResult, Failure, gather
    from bdmm.evaluation.reports.report_file import Report, save_report
    from bdmm.metrics.running import Summary

    scores = {"frame": {"psnr": Summary(20.0, 1.0, 3, 0, 0), "ssim": Summary(0.5, 0.1, 3, 0, 0)}}
    clips = [ClipResult(one, "a", "all", 3, 25.0, scores) for one in ("ours", "copy")]
    systems = tuple({"name": one.system, "path": "", "sha256": ""} for one in clips)
    results = gather(clips, [Failure("ours", "b", "because")])
    save_report(folder, Report("frames", {"name": "modern"}, {}, systems, results))
    yield folder / "report.json"


def _person_seeds(folder: Path) -> Iterator[Path]:
    import torch

    from bdmm.appearance.person_file import save_person
    from bdmm.media.motion_file import load_shipped
    from bdmm.records import Atlas, Person, Source

    motion = load_shipped("wave")[:1]
    size = (80, 64)
    pose = dataclasses.replace(
        motion, size=size, scale=motion.scale / 10, translation=torch.tensor([[32.0, 40.0]])
    )
    photo = Source(torch.zeros(3, *size), torch.ones(1, *size), torch.zeros(3, *size), pose)
    atlas = Atlas(torch.zeros(3, 256, 256), torch.ones(1, 256, 256))
    for name, person in (("one", Person((photo,))), ("two", Person((photo, photo), atlas))):
        save_person(folder / f"{name}.person", person)
        yield folder / f"{name}.person"


def _checkpoint_seeds(folder: Path) -> Iterator[Path]:
    import torch

    from bdmm.training.run_state import Checkpoint, save_checkpoint

    tensors = {"a.weight": torch.ones(3, 4), "random.cpu": torch.zeros(5, dtype=torch.uint8)}
    record = {"seed": 0, "rates": [0.1, 0.2], "name": "small"}
    yield save_checkpoint(folder, Checkpoint(7, tensors, record))


_SEEDS: dict[str, Callable[[Path], Iterator[Path]]] = {
    "picture": _picture_seeds, "video": _video_seeds, "sound": _sound_seeds,
    "motion": _motion_seeds, "smpl": _smpl_seeds, "smpl model": _smpl_model_seeds,
    "keypoints": _keypoint_seeds, "bvh": _bvh_seeds, "weights": _weights_seeds,
    "clip": _clip_seeds, "report": _report_seeds,
    "person": _person_seeds, "checkpoint": _checkpoint_seeds,
}  # fmt: skip

# --- mutations ---


def mutate(data: bytes, suffix: str, dice: random.Random) -> bytes:
    """Return other bytes: half of them changed by the file's structure where it has a known one."""
    if dice.random() < 0.5:
        with contextlib.suppress(
            ValueError, KeyError, IndexError, zipfile.BadZipFile, struct.error
        ):
            if suffix == ".json":
                return _mutated_json(data, dice)
            if suffix in (".safetensors", ".motion", ".person"):
                return _mutated_tensors(data, dice)
            if suffix in (".npz", ".pth"):
                return _mutated_archive(data, dice)
            if suffix == ".bvh":
                return _mutated_words(data, dice)
    return _mutated_bytes(data, dice)


def _mutated_bytes(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4, 16))):
        place = int(len(changed) * dice.random() ** dice.choice((1, 3)))
        kind = dice.randrange(7)
        if kind == 0 and changed:
            changed[place] ^= 1 << dice.randrange(8)
        elif kind == 1 and changed:
            changed[place] = dice.randrange(256)
        elif kind == 2:
            size = dice.choice((1, 2, 4, 8))
            number = dice.choice(_HOSTILE_NUMBERS) % 256**size
            changed[place : place + size] = number.to_bytes(size, dice.choice(("little", "big")))
        elif kind == 3:
            del changed[place : place + dice.choice((1, 4, 64, 1024))]
        elif kind == 4:
            length = dice.choice((4, 64, 1024))
            other = int(len(changed) * dice.random())
            changed[place:place] = changed[other : other + length]
        elif kind == 5:
            changed[place:place] = dice.randbytes(dice.choice((1, 8, 100)))
        elif dice.random() < 0.3:
            del changed[place:]
    return bytes(changed)


def _mutated_json(data: bytes, dice: random.Random) -> bytes:
    content = json.loads(data)
    for _ in range(dice.choice((1, 1, 3))):
        content = _changed_tree(content, dice)
    text = json.dumps(content)
    if dice.random() < 0.05:
        depth = dice.choice((500, 100_000))
        text = "[" * depth + text + "]" * depth
    return text.encode()


def _changed_tree(tree: Any, dice: random.Random) -> Any:
    if not tree or not isinstance(tree, dict | list) or dice.random() < 0.1:
        return dice.choice(_HOSTILE_VALUES)
    keys = list(tree) if isinstance(tree, dict) else range(len(tree))
    key = dice.choice(keys)
    if dice.random() < 0.1:
        del tree[key]
    elif isinstance(tree, list) and dice.random() < 0.05:
        return tree * dice.choice((2, 100))
    else:
        tree[key] = _changed_tree(tree[key], dice)
    return tree


def _mutated_tensors(data: bytes, dice: random.Random) -> bytes:
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    own = header.get("__metadata__", {})
    if own and dice.random() < 0.5:
        name = dice.choice(list(own))
        own[name] = _mutated_json(own[name].encode(), dice).decode()
    else:
        header = _changed_tree(header, dice)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


def _mutated_archive(data: bytes, dice: random.Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    name = dice.choice(list(entries))
    kind = dice.randrange(4)
    if kind == 0:
        entries[name] += bytes(dice.choice((1000, 10**8)))
    elif kind == 1:
        entries[f"more{name}"] = entries.pop(name)
    else:
        entries[name] = _mutated_bytes(entries[name], dice)
    packing = dice.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    packing = zipfile.ZIP_DEFLATED if kind == 0 else packing
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", packing) as archive:
        for entry, content in entries.items():
            archive.writestr(entry, content)
    return result.getvalue()


def _mutated_words(data: bytes, dice: random.Random) -> bytes:
    words = data.decode(errors="replace").split(" ")
    for _ in range(dice.choice((1, 2, 8))):
        place = dice.randrange(len(words))
        kind = dice.randrange(4)
        if kind == 0:
            del words[place]
        elif kind == 1:
            words[place:place] = words[place : place + dice.choice((1, 20))] * dice.choice((1, 50))
        else:
            words[place] = dice.choice(_HOSTILE_WORDS)
    return " ".join(words).encode()


# --- the process that reads, and the one that watches it ---


def serve(reader: str) -> None:
    """Read the files that standard input names; print an outcome and the peak in bytes for each."""
    from bdmm.errors import InputError

    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    warnings.simplefilter("ignore")
    read = READERS[reader]
    for line in sys.stdin:
        before = _memory("VmRSS", reset=True)
        trace = ""
        try:
            read(Path(line.rstrip("\n")))
            outcome = "ok"
        except InputError as error:
            outcome, trace = "InputError", str(error)
        except Exception:
            outcome, trace = "traceback", traceback.format_exc()
        peak = max(_memory("VmHWM") - before, 0)
        sys.stdout.write(json.dumps([outcome, peak, trace]) + "\n")
        sys.stdout.flush()


def _memory(name: str, reset: bool = False) -> int:
    if reset:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) * 1024


class Child:
    """A process that reads files of one kind; started anew after each death."""

    def __init__(self, reader: str) -> None:
        self._command = [sys.executable, __file__, "--serve", reader]
        self._process: subprocess.Popen | None = None

    def read(self, path: Path) -> tuple[str, str]:
        """Return an outcome of `OUTCOMES` and what can be said about it."""
        fresh = self._process is None
        if self._process is None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        limit = LONGEST + (60 if fresh else 0)  # imports take their time
        ready, _, _ = select([self._process.stdout], [], [], limit)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            self.close()
            return ("crash", "the process died") if ready else ("hang", f"{limit:.0f} s")
        outcome, peak, trace = json.loads(line)
        if peak > PEAK:
            return "peak", f"{peak / 2**20:.0f} MiB; {outcome} {trace}"
        return outcome, trace

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def fuzz(reader: str, count: int, seed: int, keep: Path | None) -> Counter[str]:
    """Read the seeds, which must be read well, then ``count`` mutated files.

    Args:
        reader: one of `READERS`.
        count: how many files.
        seed: of the mutations.
        keep: folder for the files that failed.

    Returns:
        How many ended in each way of `OUTCOMES`.
    """
    counts: Counter[str] = Counter()
    dice = random.Random(f"{reader} {seed}")
    with tempfile.TemporaryDirectory() as name, contextlib.closing(Child(reader)) as child:
        seeds = make_seeds(reader, Path(name) / "seeds")
        for path in seeds:
            outcome, said = child.read(path)
            assert outcome == "ok", f"the seed {path.name} ends with {outcome}: {said}"
        for number in range(count):
            path = seeds[number % len(seeds)]
            whole = path.read_bytes()
            path.write_bytes(mutate(whole, path.suffix, dice))
            outcome, said = child.read(path)
            counts[outcome] += 1
            if outcome not in ("ok", "InputError") and keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                stem = f"{reader.replace(' ', '_')}-{seed}-{number}-{outcome}"
                shutil.copy(path, keep / f"{stem}{path.suffix}")
                (keep / f"{stem}.txt").write_text(f"{path.name}\n{said}")
            path.write_bytes(whole)
    return counts


def main() -> None:
    """Fuzz the readers that are named and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--readers", nargs="*", default=list(READERS), choices=list(READERS))
    options.add_argument("--inputs", type=int, default=2200, help="in all, at least")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--keep", type=Path, help="folder for files that fail")
    options.add_argument("--serve", choices=list(READERS), help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.serve:
        serve(given.serve)
        return
    total: Counter[str] = Counter()
    print(f"| reader | inputs | {' | '.join(OUTCOMES)} | s |")
    print("|---" * (len(OUTCOMES) + 3) + "|")
    for reader in given.readers:
        started = time.monotonic()
        counts = fuzz(reader, -(-given.inputs // len(given.readers)), given.seed, given.keep)
        total += counts
        row = " | ".join(str(counts[one]) for one in OUTCOMES)
        print(
            f"| {reader} | {counts.total()} | {row} | {time.monotonic() - started:.0f} |",
            flush=True,
        )
    print(f"| all | {total.total()} | {' | '.join(str(total[one]) for one in OUTCOMES)} | |")
    sys.exit(any(total[one] for one in OUTCOMES[2:]))


if __name__ == "__main__":
    main()
