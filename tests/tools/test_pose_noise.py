"""Noise on poses: as much as its strength says, nested, and at every injection point."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bdmm.body.camera import project
from bdmm.body.model import load_body
from bdmm.config import NetworkConfig
from bdmm.data.clip_store import PreparedClip
from bdmm.errors import InputError
from bdmm.evaluation.config import EvalConfig
from bdmm.evaluation.evaluate import run
from bdmm.media.image import read_image
from bdmm.media.motion_file import load_shipped
from bdmm.network.generator import Generator
from bdmm.network.weights import save_weights
from bdmm.records import KEYPOINT_NAMES

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
from measure_noise import save_panels
from noise_trials import POINTS, Trial, list_trials, noisy_items
from pose_noise import (
    FULL_STRENGTH,
    RUN,
    PoseNoise,
    held,
    in_runs,
    joint_error,
    noise_of,
    noisy_keypoints,
    noisy_motion,
    refitted_motion,
)

COARSE = {"coarse": "coarse"}


def seeded() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A tiny network whose branches all say something."""
    config = NetworkConfig(joints=18, widths=(4, 6), style_widths=(4, 6), feeds_back=False)
    save_weights(tmp_path / "w.safetensors", Generator(config).state_dict(), config)
    return tmp_path / "w.safetensors"


def test_faults_last_are_as_frequent_as_asked_and_nested() -> None:
    some, more = (in_runs(4000, 3, share, seeded()) for share in (0.2, 0.5))
    assert some.float().mean() == pytest.approx(0.2, abs=0.03)
    assert more.float().mean() == pytest.approx(0.5, abs=0.03)
    assert not (some & ~more).any()
    begun = (some[1:] & ~some[:-1]).sum() / some.sum()
    assert begun == pytest.approx(0.8 / RUN, rel=0.15)
    assert not in_runs(50, 3, 0.0, seeded()).any()
    assert in_runs(50, 3, 1.0, seeded()).all()


def test_frozen_frames_repeat_the_last_that_moved() -> None:
    still = torch.tensor([True, False, True, True, False, True])
    assert held(still).tolist() == [0, 1, 1, 1, 4, 4]


def test_keypoints_are_hit_as_the_noise_says() -> None:
    clean = torch.rand(400, len(KEYPOINT_NAMES), 3) * 200
    clean[..., 2] = 1
    same = noisy_keypoints(clean, PoseNoise(), 1.0, seeded())
    assert torch.equal(same, clean)
    dropped = noisy_keypoints(clean, PoseNoise(drop=0.3), 1.0, seeded())
    assert (dropped[..., 2] == 0).float().mean() == pytest.approx(0.3, abs=0.03)
    assert torch.equal(dropped[..., :2], clean[..., :2])
    shaken = noisy_keypoints(clean, PoseNoise(jitter=5.0), 0.5, seeded())
    assert (shaken - clean)[..., :2].std() == pytest.approx(2.5, rel=0.05)
    swapped = noisy_keypoints(clean, PoseNoise(swap=0.4), 1.0, seeded())
    left, right = (KEYPOINT_NAMES.index(f"{side}_wrist") for side in ("left", "right"))
    hit = (swapped[:, left] == clean[:, right]).all(-1)
    assert hit.float().mean() == pytest.approx(0.4, abs=0.08)
    assert torch.equal(swapped[~hit, left], clean[~hit, left])
    frozen = noisy_keypoints(clean, PoseNoise(freeze=0.5), 1.0, seeded())
    assert (frozen[1:] == frozen[:-1]).all(-1).all(-1).float().mean() == pytest.approx(0.5, abs=0.1)


def test_a_body_is_off_by_the_pixels_asked_for(clip: PreparedClip) -> None:
    motion, body = clip.motion(), load_body()
    assert joint_error(noisy_motion(motion, PoseNoise(), body, seeded()), motion, body) == 0
    for pixels in (2.0, 10.0):
        shaken = noisy_motion(motion, PoseNoise(jitter=pixels), body, seeded())
        error = joint_error(shaken, motion, body) * 256 / clip.info.size[0]
        assert error == pytest.approx(pixels, rel=0.1)
    turns = shaken.rotations @ shaken.rotations.mT
    assert torch.allclose(turns, torch.eye(3).expand_as(turns), atol=1e-5)


def test_dropped_frames_of_a_body_are_bridged_and_frozen_ones_held(clip: PreparedClip) -> None:
    short, body = clip.motion(), load_body()
    motion = replace(
        short,
        rotations=short.rotations[:1].expand(40, -1, -1, -1),
        scale=short.scale[:1].expand(40),
        translation=torch.arange(40.0)[:, None].expand(-1, 2),
        flagged=torch.zeros(40, dtype=torch.bool),
    )
    dropped = noisy_motion(motion, PoseNoise(drop=0.5), body, seeded())
    kept = (~dropped.flagged).nonzero()[:, 0]
    assert 10 < len(kept) < 30
    # At one speed a bridge is exact; outside of the kept frames the nearest is held.
    expected = motion.translation.clamp(float(kept[0]), float(kept[-1]))
    torch.testing.assert_close(dropped.translation, expected)
    frozen = noisy_motion(motion, PoseNoise(freeze=0.5), body, seeded())
    steps = frozen.translation.diff(dim=0)[:, 0]
    assert 10 < (steps == 0).sum() < 30
    assert (steps >= 0).all()
    with pytest.raises(AssertionError, match="no left and right"):
        noisy_motion(motion, PoseNoise(swap=0.1), body, seeded())


@pytest.mark.slow
def test_a_body_fitted_to_noisy_keypoints_errs_less_than_they_do() -> None:
    motion, body = load_shipped("dance")[:32], load_body()
    points = body.keypoints(motion.shape, motion.rotations)
    points = project(points, motion.scale, motion.translation)
    points[..., 2] = 1.0

    def error(noise: PoseNoise) -> float:
        return joint_error(refitted_motion(motion, points, noise, body, seeded()), motion, body)

    pixel = min(motion.size) / 256
    clean, noisy = error(PoseNoise()), error(PoseNoise(drop=0.2, jitter=5.0))
    assert clean < pixel
    assert clean < noisy < 3 * pixel


def test_kinds_and_strengths_are_checked() -> None:
    assert noise_of("drop+jitter", 0.5) == PoseNoise(drop=0.2, jitter=5.0)
    with pytest.raises(InputError, match="no noise 'fog'; choose drop"):
        noise_of("fog", 0.5)
    with pytest.raises(InputError, match=r"between 0 and 1, not be 1\.5"):
        list_trials([0.5, 1.5])
    with pytest.raises(InputError, match="no noise 'swap' on the body"):
        Trial("body", "swap", 0.5)
    chosen = list_trials([0.0, 0.5, 1.0])
    kinds = sum(len(one) for one in POINTS.values())
    assert len(chosen) == len(POINTS) + 2 * kinds
    assert len({one.label for one in chosen}) == len(chosen)
    assert set(POINTS["body"]) == set(FULL_STRENGTH) - {"swap"}


def test_the_warp_suffers_from_noisy_bodies_and_the_numbers_are_kept(
    clip_folder: Path, tmp_path: Path
) -> None:
    config = EvalConfig(first=4, distribution_metrics=False)
    trials = list_trials([1.0], ["jitter"], ["body"])
    assert noisy_items(COARSE, [Trial("heatmaps", "drop", 1.0)], [clip_folder], config) == []
    results = run(noisy_items(COARSE, trials, [clip_folder], config), config, tmp_path)
    clean, noisy = (
        results.groups[f"coarse, {one.label}"]["walk"]["person"]["psnr"].mean for one in trials
    )
    assert noisy < clean - 2


@pytest.mark.slow
def test_the_network_sees_the_noise_at_every_point(clip_folder: Path, weights: Path) -> None:
    config = EvalConfig(first=3)

    def first_frames(trial: Trial) -> torch.Tensor:
        (item,) = noisy_items({"ours": str(weights)}, [trial], [clip_folder], config)
        frames = [one.pair.generated_uint8.astype(int) for one in item.open(print)[1]]
        return torch.from_numpy(np.stack(frames))

    clean = first_frames(Trial("heatmaps", "drop", 0.0))
    for point in POINTS:
        assert not torch.equal(first_frames(Trial(point, "jitter", 1.0)), clean)


def test_curves_are_drawn_in_panels(tmp_path: Path) -> None:
    lines = {"a": [(0.0, 20.0), (1.0, 10.0)], "b": [(0.0, 20.0), (1.0, float("nan"))]}
    save_panels(tmp_path / "p.png", "PSNR", [[("drop", "strength", lines)] * 2, [("x", "", {})]])
    picture = read_image(tmp_path / "p.png")
    assert picture.shape == (540, 600, 3)
    assert (picture == [0xD9, 0x5F, 0x02]).all(-1).any()
