"""Rendered clips: their truth holds in their pixels, and a seed always gives the same ones."""

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch

from bdmm.body.model import load_body
from bdmm_synth import clip as clips
from bdmm_synth.camera import Film
from bdmm_synth.clip import ClipRequest, render_clip
from bdmm_synth.render import renderer

_REQUEST = ClipRequest(seed=7, size=160, frames=4, fps=Fraction(10), background="studio")


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def clip(body):
    return render_clip(_REQUEST, body)


@pytest.fixture(scope="module")
def flat_clip(body):
    """The clip without light, shadows and grain: only what surfaces are coloured."""
    place = clips.random_place

    def lit(banks, model, posed, centre, eye, samples, ground):
        return samples.albedo.numpy(), np.ones((len(ground.position), 3), np.float32)

    def clear(*given):
        return replace(place(*given), film=Film(grain=0.0))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(renderer, "illuminate", lit)
        patch.setattr(clips, "random_place", clear)
        yield render_clip(_REQUEST, body)


def test_everything_has_its_shape(clip):
    assert clip.frames_uint8.shape == (4, 160, 160, 3)
    assert clip.frames_uint8.dtype == np.uint8
    assert clip.foregrounds.shape == (4, 160, 160)
    assert clip.keypoints.shape == (4, 29, 3)
    assert len(clip.motion) == 4
    assert clip.motion.size == (160, 160)
    share = (clip.foregrounds > 127).mean()
    assert 0.01 < share < 0.5


def test_a_seed_always_gives_the_same_bytes(clip, body):
    again = render_clip(_REQUEST, body)
    assert np.array_equal(again.frames_uint8, clip.frames_uint8)
    assert np.array_equal(again.foregrounds, clip.foregrounds)
    assert torch.equal(again.keypoints, clip.keypoints)
    assert torch.equal(again.motion.rotations, clip.motion.rotations)
    first, second = clip.flow(1), again.flow(1)
    assert torch.equal(first.flow.nan_to_num(), second.flow.nan_to_num())
    assert torch.equal(first.visible, second.visible)


def test_another_seed_gives_another_clip(clip, body):
    other = render_clip(replace(_REQUEST, seed=8, frames=1), body)
    assert not np.array_equal(other.frames_uint8[0], clip.frames_uint8[0])


@pytest.mark.parametrize("background", ["studio", "natural"])
def test_every_background_can_be_asked_for(body, background):
    request = replace(_REQUEST, frames=1, size=64, background=background)
    assert render_clip(request, body).frames_uint8.std() > 5


def test_warping_by_the_true_flow_shows_the_target(flat_clip):
    flow = flat_clip.flow(0)
    rows, columns = np.mgrid[:160, :160].astype(np.float32)
    for index in (1, 3):
        moved = flow.flow[index].nan_to_num().numpy()
        warped = cv2.remap(
            flat_clip.frames_uint8[0], columns + moved[..., 0], rows + moved[..., 1],
            cv2.INTER_LINEAR,
        )  # fmt: skip
        inner = cv2.erode(np.uint8(flat_clip.foregrounds[index] == 255), np.ones((3, 3))) > 0
        inner &= flow.visible[index].numpy()
        off = np.abs(warped.astype(float) - flat_clip.frames_uint8[index])[inner]
        copied = np.abs(flat_clip.frames_uint8[0].astype(float) - flat_clip.frames_uint8[index])
        assert inner.sum() > 300
        assert off.mean() < 3.5
        assert off.mean() < 0.35 * copied[inner].mean()


def test_flow_covers_the_person_and_nothing_else(clip):
    flow = clip.flow(2)
    on_person = ~torch.isnan(flow.flow[..., 0]).numpy()
    assert on_person[clip.foregrounds >= 192].all()
    assert not on_person[clip.foregrounds <= 63].any()
    assert torch.equal(flow.visible[2], torch.from_numpy(on_person[2]))
    assert flow.flow[2].nan_to_num().abs().max() < 1e-3


def test_the_true_body_is_seen_where_the_motion_says(clip, body):
    """The weak-perspective body lies within a few pixels of the pinhole camera's."""
    motion = clip.motion
    points = body.keypoints(motion.shape, motion.rotations)[..., :2]
    pixels = motion.scale[:, None, None] * points + motion.translation[:, None]
    off = (pixels - clip.keypoints[..., :2]).norm(dim=-1)
    assert off.mean() < 1.5
    assert off.max() < 6


def test_keypoints_that_count_lie_on_the_person(clip):
    near = np.stack([cv2.dilate(one, np.ones((9, 9))) for one in clip.foregrounds])
    for index, frame in enumerate(clip.keypoints.numpy()):
        assert set(np.unique(frame[:, 2])) <= {0.0, 1.0}
        shown = frame[frame[:, 2] > 0]
        column, row = shown[:, 0].astype(int), shown[:, 1].astype(int)
        assert (near[index, row, column] > 0).mean() > 0.95


def test_a_given_motion_is_performed(body):
    def stand(rig, random, frames, fps):
        rotations = np.tile(np.eye(3), (frames, 24, 1, 1))
        return rotations, np.tile([0.0, rig.standing, 0.0], (frames, 1))

    clip = render_clip(replace(_REQUEST, motion=stand, frames=2, size=96), body)
    assert torch.allclose(clip.motion.rotations[0, 1:], torch.eye(3).expand(23, 3, 3))
    assert np.nanmax(clip.flow(0).flow.numpy()) < 1e-3
