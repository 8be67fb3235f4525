"""Rendered people as prepared clips: the same by seed, whatever the number of processes."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from bdmm.batch.distributor import Distributor
from bdmm.batch.run import Run
from bdmm.data.clip_store import TRUTH, PreparedClip
from bdmm.data.synth import SynthOptions, find_bvh, synthesise
from bdmm.errors import InputError

SMALL = SynthOptions(clips=2, size=64, frames=4, sources=2, seed=5)


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def quick_render(monkeypatch: pytest.MonkeyPatch, sliding):
    """Return the seeds of the clips that were rendered, which takes no time."""
    seeds = []

    def render(request, body):
        seeds.append(request.seed)
        return sliding

    monkeypatch.setattr("bdmm.data.synth.render_clip", render)
    return seeds


def test_each_clip_has_its_seed_and_is_made_once(quick_render, tmp_path: Path) -> None:
    make = partial(SynthOptions, size=96, frames=20, sources=1)
    report = synthesise(make(clips=2), Run(tmp_path / "out"))
    assert [clip["name"] for clip in report.clips] == ["0000-000000", "0000-000001"]
    assert len(set(quick_render)) == 2
    report = synthesise(make(clips=3), Run(tmp_path / "out"))
    assert (report.made, len(quick_render)) == (1, 3)
    synthesise(make(clips=1, seed=1), Run(tmp_path / "other"))
    assert quick_render[-1] not in quick_render[:-1]


def test_without_truth(quick_render, tmp_path: Path) -> None:
    options = SynthOptions(clips=1, size=96, frames=20, sources=1, truth=False)
    synthesise(options, Run(tmp_path / "out"))
    (folder,) = (tmp_path / "out" / "clips").iterdir()
    assert [path.name for path in folder.glob("truth*")] == []
    assert not PreparedClip(folder).info.truth


def test_the_networks_pose_is_the_true_one_but_the_sources_fit_errs(clip, sliding) -> None:
    assert torch.equal(clip.motion().scale, clip.motion(TRUTH).scale)
    assert all(0 < one.error <= 5 * 96 / 256 for one in clip.info.sources)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"clips": 0}, "number of clips"), ({"size": 97}, "even"), ({"size": 9}, "size"),
     ({"frames": 1}, "number of frames"), ({"sources": 5, "frames": 4}, "number of sources"),
     ({"seed": -1}, "seed")],
)  # fmt: skip
def test_options_out_of_range(change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        SynthOptions(**({"clips": 1} | change))


def test_bvh_files_are_checked_before_any_work(quick_render, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \.bvh"):
        find_bvh(tmp_path)
    (tmp_path / "bad.BVH").write_text("HIERARCHY nonsense")
    options = SynthOptions(clips=1, bvh=tuple(find_bvh(tmp_path)))
    with pytest.raises(InputError, match=r"bad\.BVH"):
        synthesise(options, Run(tmp_path / "out"))
    assert quick_render == []
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_two_processes_make_the_same_bytes_as_one(tmp_path: Path) -> None:
    synthesise(SMALL, Run(tmp_path / "one"))
    synthesise(SMALL, Run(tmp_path / "two", Distributor(2)))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    (first, second) = sorted((tmp_path / "one" / "clips").iterdir())
    frames = [PreparedClip(folder).frames() for folder in (first, second)]
    assert not torch.equal(frames[0], frames[1])


@pytest.mark.slow
def test_true_warps_bring_the_source_onto_the_target(tmp_path: Path) -> None:
    from bdmm.kernels.warp import warp

    synthesise(SynthOptions(clips=1, size=96, frames=6, sources=2), Run(tmp_path / "out"))
    clip = PreparedClip(next((tmp_path / "out" / "clips").iterdir()))
    exact, frame = clip.warps(0, part=TRUTH), clip.info.sources[0].frame
    source = clip.frames(frame, frame + 1).expand(6, -1, -1, -1)
    error = (warp(source, exact.source_grid) - clip.frames()).abs().mean(dim=1)
    copied = (source - clip.frames()).abs().mean(dim=1)
    seen = exact.state == 1
    seen[frame] = False
    assert error[seen].mean() < 0.6 * copied[seen].mean()
    assert np.isfinite(error[seen].numpy()).all()
