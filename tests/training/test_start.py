"""A run from prepared clips: what does not fit is said before the first step."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from bdmm.body.model import load_body
from bdmm.cli.preview import TrainingPreview, clip_start, preview_frames
from bdmm.conditioning import body_keypoints
from bdmm.config import NetworkConfig
from bdmm.data.clip_store import PreparedClip, find_clips
from bdmm.data.synth import SynthOptions, store_rendered
from bdmm.errors import InputError
from bdmm.inference.animate import Animation
from bdmm.inference.render import render
from bdmm.inference.renderers import load_network
from bdmm.media.pixels import to_pictures
from bdmm.media.video_reader import VideoReader
from bdmm.network.generator import Generator
from bdmm.network.weights import load_weights, save_weights
from bdmm.records import BONE_NAMES, Motion
from bdmm.training.loop import Outcome
from bdmm.training.settings import TrainSettings
from bdmm.training.start import Machine, Material, start
from bdmm_synth.clip import RenderedClip
from bdmm_synth.render.truth import TrueFlow

SIDE, COUNT = 32, 12


def no_truth(source: int) -> TrueFlow:
    raise NotImplementedError


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    body = load_body()
    motion = Motion(
        rotations=torch.eye(3).expand(COUNT, len(BONE_NAMES), 3, 3).clone(),
        scale=torch.full((COUNT,), 14.0),
        translation=torch.full((COUNT, 2), 16.0),
        shape=torch.zeros(body.shape_size),
        flagged=torch.zeros(COUNT, dtype=torch.bool),
        size=(SIDE, SIDE),
        fps=Fraction(25),
    )
    person = np.zeros((COUNT, SIDE, SIDE), np.uint8)
    person[:, 4:30, 11:21] = 255
    frames = np.where(person[..., None] > 0, [200, 60, 40], [90, 110, 90]).astype(np.uint8)
    folder = tmp_path_factory.mktemp("clips") / "block"
    options = SynthOptions(clips=1, size=64, frames=COUNT, fps=Fraction(25), sources=2, truth=False)
    clip = RenderedClip(frames, person, motion, body_keypoints(body, motion), no_truth)
    store_rendered(folder, clip, body, options, np.random.default_rng(1))
    return folder


def test_a_run_from_clips_leaves_weights_that_load(
    pixels_only: TrainSettings, clips: Path, tmp_path: Path
) -> None:
    run, cpu = tmp_path / "run", Machine("cpu")
    settings = replace(pixels_only, steps=1, windows=1)
    preview = TrainingPreview(PreparedClip(find_clips(clips)[0]), run)
    assert start(settings, Material([clips]), run, cpu, preview=preview) == Outcome(1, True)
    (video,) = (run / "samples").iterdir()
    assert video.name == "00000001.mp4"
    assert len(list(VideoReader(video))) == COUNT
    config, tensors = load_weights(run)
    Generator(config).load_state_dict(tensors)
    settings = replace(settings, steps=2)
    assert start(settings, Material([clips]), run, cpu) == Outcome(2, True)


def test_what_does_not_fit_is_said_before_the_folder_is_made(
    settings: TrainSettings, pixels_only: TrainSettings, clips: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    paper = TrainSettings()
    joints = replace(pixels_only, network=replace(pixels_only.network, joints=7))
    for one, material, words in (
        (paper, Material([clips]), "32x32 pixels; the network takes multiples of 8, 128"),
        (settings, Material([clips], vgg=tmp_path / "no.pth"), "VGG-19 weights are not at"),
        (pixels_only, Material([clips], split="val"), "split val"),
        (pixels_only, Material([tmp_path / "nowhere"]), "nowhere"),
        (joints, Material([clips]), "for 7 joints, not 18 or 25"),
    ):
        with pytest.raises(InputError, match=words):
            start(one, material, run, Machine("cpu"))
    assert not run.exists()
    with pytest.raises(InputError, match="1 device"):
        Machine(devices=0)
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="lacks 1 devices of the kind cuda"):
            start(pixels_only, Material([clips]), run, Machine("cuda"))


def test_a_run_begins_with_given_weights_and_may_leave_parts_of_them_out(
    pixels_only: TrainSettings, clips: Path, tmp_path: Path
) -> None:
    cpu, material = Machine("cpu"), Material([clips])
    first = replace(pixels_only, steps=1, windows=1)
    start(first, material, tmp_path / "first", cpu)
    _, given = load_weights(tmp_path / "first")

    still = replace(first, learning_rate=1e-12, final_rate=None)
    start(still, material, tmp_path / "same", cpu, init_weights=tmp_path / "first")
    _, kept = load_weights(tmp_path / "same")
    assert all(torch.allclose(kept[name], given[name], atol=1e-6) for name in given)

    network = replace(first.network, backward_branch=False)
    half = replace(still, network=network)
    start(half, material, tmp_path / "half", cpu, init_weights=tmp_path / "first")
    config, kept = load_weights(tmp_path / "half")
    assert not config.backward_branch
    assert kept.keys() < given.keys()
    assert all(torch.allclose(kept[name], given[name], atol=1e-6) for name in kept)
    with pytest.raises(InputError, match="of another network than the one to be trained"):
        start(first, material, tmp_path / "whole", cpu, init_weights=tmp_path / "half")
    assert not (tmp_path / "whole").exists()


@pytest.mark.parametrize("head", [pytest.param("rgb", marks=pytest.mark.slow), "layers"])
def test_a_preview_shows_what_inference_renders_of_the_same_weights(
    clips: Path, tmp_path: Path, head: str
) -> None:
    config = NetworkConfig(18, False, widths=(4, 6), style_widths=(4, 6), head=head)
    inputs, generator = clip_start(PreparedClip(find_clips(clips)[0])), Generator(config)
    shown = torch.cat(list(preview_frames(inputs, generator)))
    save_weights(tmp_path / "w.safetensors", generator.state_dict(), config)
    renderer = load_network(tmp_path / "w.safetensors")
    rendered = torch.cat([window.frames for window in render(inputs, renderer)])
    assert torch.equal(shown, rendered)
    assert np.array_equal(to_pictures(shown), np.stack(list(Animation(inputs, renderer))))
