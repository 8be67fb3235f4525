"""Random motions: continuous, on the floor, the same for the same seed."""

import numpy as np
import pytest
import torch

from bdmm.body.model import load_body
from bdmm.body.rotations import pose_bones
from bdmm_synth.motion.random_motion import KINDS, random_motion
from bdmm_synth.motion.rig import BONE, TO_CAMERA, Rig, perform, stand_up
from bdmm_synth.motion.routines import walk
from bdmm_synth.motion.score import headed, mirrored, window

_BODY = load_body()


def _rig(seed: int) -> tuple[Rig, torch.Tensor]:
    shape = torch.from_numpy(np.random.default_rng(seed).normal(size=20).clip(-2, 2)).float()
    rest = _BODY.rest_vertices(shape).double().numpy()
    return stand_up(rest, _BODY.joints(shape).double().numpy()), shape


def _joints(rig: Rig, rotations: np.ndarray, pelvis: np.ndarray) -> np.ndarray:
    bones = pose_bones(torch.from_numpy(rotations), torch.from_numpy(rig.joints * TO_CAMERA))
    places = bones.numpy()[..., 3] * TO_CAMERA
    return places - places[:, :1] + pelvis[:, None]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_motions_are_continuous_and_on_the_floor(kind: str, seed: int) -> None:
    rig, shape = _rig(seed)
    rotations, pelvis = random_motion(rig, np.random.default_rng([seed, 7]), 48, 30, kind)
    assert rotations.shape == (48, 24, 3, 3)
    assert np.isfinite(rotations).all()
    joints = _joints(rig, rotations, pelvis)
    speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1) * 30
    assert speed.max() < 8
    vertices = _BODY.vertices(shape, torch.from_numpy(rotations[::8]).float()).numpy()
    low = (-vertices[..., 1] + pelvis[::8, 1:2]).min(axis=1)
    assert low.min() > -0.06
    assert low.max() < 0.15
    assert np.abs(pelvis[:, 0]).max() < 1.1
    assert np.abs(pelvis[:, 2]).max() < 1.8


def test_the_same_seed_makes_the_same_motion() -> None:
    rig, _ = _rig(0)
    first, second, other = (
        random_motion(rig, np.random.default_rng(seed), 30, 24) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert np.abs(first[0] - other[0]).max() > 0.05


@pytest.mark.parametrize("kind", ["pose", "turn", "exercise"])
def test_one_foot_stands_still(kind: str) -> None:
    rig, _ = _rig(3)
    joints = _joints(rig, *random_motion(rig, np.random.default_rng(1), 60, 30, kind))
    feet = joints[:, [BONE["left_foot"], BONE["right_foot"]]]
    slide = np.linalg.norm(np.diff(feet, axis=0)[..., [0, 2]], axis=-1).min(axis=1) * 30
    assert np.percentile(slide, 90) < 0.25


def test_mirroring_twice_changes_nothing() -> None:
    rig, _ = _rig(0)
    score = walk(rig)
    first, second = perform(rig, score), perform(rig, mirrored(mirrored(score)))
    np.testing.assert_allclose(first[0], second[0], atol=1e-12)
    # Halves of the stride swap: mirrored and half a stride later it is the same walk.
    heading = headed(mirrored(score), 2 * 10 * np.pi / 180)
    other = perform(rig, window(heading, 16, len(score.pelvis)))
    assert np.abs(other[1][:, 1] - first[1][:, 1]).max() < 0.01
