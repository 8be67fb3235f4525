"""Refinement corrects perturbed fits of people that it never saw, and leaves good ones alone."""

from dataclasses import replace
from fractions import Fraction
from functools import partial
from importlib.resources import files

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bdmm.body.camera import project
from bdmm.body.model import AnnyBody, SkinnedBody, load_body
from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.data.cached_sources import as_foreground, perturb_fit
from bdmm.media.pixels import to_frames
from bdmm.perception.fit_refiner import CHANNELS, SIDE, FitRefiner, load_refiner, picture_fit
from bdmm.perception.mediapipe_pose import _view
from bdmm.perception.person_crop import refine_seen
from bdmm.perception.pose import Detection, Silhouette
from bdmm.perception.refine_fit import (
    SMOOTHING,
    FrameView,
    _corrected,
    refine_motion,
    refine_photo,
)
from bdmm.perception.tracking import DetectedPerson, whole_frame
from bdmm.records import KEYPOINT_NAMES, Landmarks, Motion
from bdmm_synth.clip import ClipRequest, RenderedClip, render_clip

SEEDS = (70001, 70002)
"""Of people that no weights were trained on."""


@pytest.fixture(scope="module")
def body() -> AnnyBody:
    return load_body()


@pytest.fixture(scope="module")
def people(body: AnnyBody) -> list[RenderedClip]:
    return [render_clip(ClipRequest(seed, frames=3), body) for seed in SEEDS]


def missed(body: AnnyBody, motion: Motion, true: Motion) -> float:
    """Return the mean distance of the surfaces in pixels."""

    def places(one: Motion) -> torch.Tensor:
        return project(body.vertices(one.shape, one.rotations), one.scale, one.translation)[..., :2]

    return float((places(motion) - places(true)).norm(dim=-1).mean())


def looks(clip: RenderedClip) -> list[tuple[torch.Tensor, torch.Tensor]]:
    frames = to_frames(list(clip.frames_uint8))
    return [
        (frame, as_foreground(grey)) for frame, grey in zip(frames, clip.foregrounds, strict=True)
    ]


def made(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> list[FrameView]:
    return [lambda pair=pair: pair for pair in pairs]


@pytest.mark.slow
def test_spoilt_photos_come_nearer_to_the_truth(body, people) -> None:
    before, after = [], []
    for number, clip in enumerate(people):
        true, random = clip.motion[2:3], np.random.default_rng(number)
        spoilt = perturb_fit(true, body, 4.0, random)
        refined = refine_photo(body, spoilt, *looks(clip)[2])
        before.append(missed(body, spoilt, true))
        after.append(missed(body, refined, true))
    assert np.mean(after) < 0.8 * np.mean(before), (before, after)


@pytest.mark.slow
def test_true_fits_stay_nearly_where_they_are(body, people) -> None:
    moved = [
        missed(body, refine_photo(body, clip.motion[2:3], *looks(clip)[2]), clip.motion[2:3])
        for clip in people
    ]
    assert np.mean(moved) < 2.5, moved


def test_clips_keep_their_shape_and_move_as_smoothly(body, people) -> None:
    clip = people[0]
    spoilt = perturb_fit(clip.motion[:1], body, 4.0, np.random.default_rng(1))
    turned = clip.motion.rotations[:1].mT @ spoilt.rotations
    wrong = replace(clip.motion, rotations=clip.motion.rotations @ turned)
    refined = refine_motion(body, wrong, made(looks(clip)))
    assert torch.equal(refined.shape, wrong.shape)
    assert torch.equal(refined.flagged, wrong.flagged)
    assert missed(body, refined, clip.motion) < missed(body, wrong, clip.motion)


def test_frames_without_a_person_or_a_trusted_pose_are_not_looked_at(body, people) -> None:
    clip = people[0]
    nobody = [(frame, torch.zeros_like(grey)) for frame, grey in looks(clip)]
    assert refine_motion(body, clip.motion, made(nobody)) is clip.motion
    flagged = replace(clip.motion, flagged=torch.ones(len(clip.motion), dtype=torch.bool))
    assert refine_motion(body, flagged, made(looks(clip))) is flagged


def test_corrections_of_a_long_clip_are_those_of_all_refined_frames(monkeypatch) -> None:
    monkeypatch.setattr("bdmm.perception.refine_fit._AT_ONCE", 64)
    count = 900
    motion = Motion(
        torch.eye(3).expand(count, 24, 3, 3), torch.full((count,), 90.0), torch.zeros(count, 2),
        torch.zeros(20), torch.zeros(count, dtype=torch.bool), (256, 256), Fraction(25),
    )  # fmt: skip
    refined = [*range(0, 300, 4), *range(601, 900, 2)]  # with a long gap
    changes = [(0.1 * torch.randn(1, 24, 3), 0.1 * torch.randn(1), torch.randn(1, 2))
               for _ in refined]  # fmt: skip
    corrected = _corrected(motion, refined, changes)
    distance = torch.arange(count)[:, None] - torch.tensor(refined)
    weight = torch.softmax(-0.5 * (distance / SMOOTHING).square(), dim=1)
    turns, growths, moves = (torch.cat(part) for part in zip(*changes, strict=True))
    turn = (weight @ turns.flatten(1)).unflatten(1, (24, 3))
    close = partial(torch.testing.assert_close, rtol=1e-5, atol=1e-5)
    close(corrected.rotations, axis_angle_to_matrix(turn))
    close(corrected.scale, motion.scale * (weight @ growths).exp())
    close(corrected.translation, weight @ moves * 90, atol=1e-3)


@pytest.mark.slow
def test_views_of_the_person_serve_as_well_as_whole_frames(body, people) -> None:
    clip = people[0]
    spoilt = perturb_fit(clip.motion[:1], body, 4.0, np.random.default_rng(1))
    turned = clip.motion.rotations[:1].mT @ spoilt.rotations
    wrong = replace(clip.motion, rotations=clip.motion.rotations @ turned)
    silhouettes = tuple(
        Silhouette(number, foreground, (0.0, 0.0), 1.0)
        for number, (_, foreground) in enumerate(looks(clip))
    )
    marks = body.keypoints(clip.motion.shape, clip.motion.rotations)[..., :2]
    marks = marks * clip.motion.scale[:, None, None] + clip.motion.translation[:, None]
    views = []
    for number, frame in enumerate(clip.frames_uint8):
        keypoints = np.column_stack((marks[number].numpy(), np.ones(len(marks[number]))))
        square = whole_frame(frame.shape)
        one = DetectedPerson(keypoints, keypoints, np.ones((1, 1), np.float32), square)
        views.append(_view(number, one, frame))
    seen = Detection(_nobody(clip.motion), silhouettes, views=views)
    refined = refine_seen(body, wrong, seen)
    whole = refine_motion(body, wrong, made(looks(clip)), every=1)
    errors = [missed(body, one, clip.motion) for one in (wrong, whole, refined)]
    assert errors[2] < 1.1 * errors[1] < errors[0], errors
    assert refine_seen(body, wrong, replace(seen, views=())) is wrong


def _nobody(motion: Motion) -> Landmarks:
    count = len(motion)
    return Landmarks(
        torch.zeros(count, len(KEYPOINT_NAMES), 3),
        None,
        torch.zeros(count, dtype=torch.bool),
        motion.size,
        motion.fps,
    )


def test_the_network_is_loaded_as_it_was_trained() -> None:
    trained = FitRefiner()
    path = files("bdmm.assets") / "weights" / "fit_refiner.safetensors"
    trained.load_state_dict(load_file(str(path)))
    maps = torch.randn(1, CHANNELS, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(load_refiner()(maps), trained(maps), atol=1e-3, rtol=0)


def test_an_untrained_network_changes_nothing(body, people, monkeypatch) -> None:
    monkeypatch.setattr("bdmm.perception.refine_fit._shipped", FitRefiner)
    pose = people[0].motion[1:2]
    refined = refine_photo(body, pose, *looks(people[0])[1])
    assert missed(body, refined, pose) < 1e-3


def test_a_body_that_the_network_does_not_know_is_left_alone(body, people) -> None:
    other = SkinnedBody("other", body._tensors)
    pose = people[0].motion[1:2]
    assert refine_photo(other, pose, *looks(people[0])[1]) is pose
    assert refine_motion(other, people[0].motion, made(looks(people[0]))) is people[0].motion


def test_pictures_show_body_and_photo_at_one_place(body, people) -> None:
    clip = people[1]
    picture = picture_fit(body, clip.motion[2:3], *looks(clip)[2])
    assert picture.maps.shape == (CHANNELS, SIDE, SIDE)
    there, person = picture.maps[-1] > 0, picture.maps[3] > 0
    assert (there & person).sum() / (there | person).sum() > 0.6
    columns = torch.arange(SIDE).expand(1, SIDE, SIDE).float()
    vertices = torch.arange(0, len(body.weights), 50)
    x = picture.sampled(columns, picture.vertices[vertices, :2])[:, 0]
    wanted = (picture.vertices[vertices, 0] - picture.corner[0]) * (SIDE / picture.side) - 0.5
    torch.testing.assert_close(x, wanted.clamp(0, SIDE - 1), atol=1e-2, rtol=0)
