"""Source frames are spread over views and times; their fits err by as much as is asked."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bdmm.body.camera import project
from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.body.source_geometry import prepare_geometry
from bdmm.conditioning import body_keypoints, condition
from bdmm.data.cached_sources import choose_sources, perturb_fit
from bdmm.data.clip_writer import median_background


def test_sources_show_all_sides_of_a_person_who_turns(sliding) -> None:
    turns = torch.zeros(20, 3)
    turns[:, 1] = torch.linspace(0, 2 * torch.pi, 21)[:20]
    rotations = sliding.motion.rotations.clone()
    rotations[:, 0] = axis_angle_to_matrix(turns)
    motion = replace(sliding.motion, rotations=rotations)
    chosen = choose_sources(motion, np.ones(20, bool), 4)
    assert chosen[0] == 0
    quarters = sorted(round(float(turns[frame, 1]) / (torch.pi / 2)) % 4 for frame in chosen)
    assert quarters == [0, 1, 2, 3]


def test_sources_are_spread_over_time_and_only_usable_frames(sliding) -> None:
    usable = np.ones(20, bool)
    usable[[0, 19]] = False
    assert set(choose_sources(sliding.motion, usable, 2)) == {1, 18}
    assert len(choose_sources(sliding.motion, usable, 40)) == 18
    assert choose_sources(sliding.motion, np.zeros(20, bool), 4) == ()


@pytest.mark.parametrize("error", [0.0, 1.0, 5.0])
def test_a_spoilt_fit_errs_by_what_was_asked(sliding, body, error: float) -> None:
    pose = sliding.motion[:1]
    wrong = perturb_fit(pose, body, error, np.random.default_rng(3))
    places = [
        project(body.keypoints(one.shape, one.rotations), one.scale, one.translation)[..., :2]
        for one in (pose, wrong)
    ]
    apart = (places[0] - places[1]).norm(dim=-1)
    assert float(apart.mean()) == pytest.approx(error, abs=0.02)
    turned = wrong.rotations @ wrong.rotations.mT
    assert torch.allclose(turned, torch.eye(3).expand_as(turned), atol=1e-4)


def test_keypoints_are_those_that_inference_draws(sliding, body) -> None:
    motion = sliding.motion[:2]
    turned = motion.rotations.clone()
    turned[:, 0] = axis_angle_to_matrix(torch.tensor([0.0, 2.8, 0.0]))
    motion = replace(motion, rotations=turned)
    foreground = torch.from_numpy(sliding.foregrounds[0]).float()[None] / 255
    made = condition(body, prepare_geometry(body, motion[:1], foreground), motion)
    keypoints = body_keypoints(body, motion)
    assert torch.equal(keypoints, made.keypoints[0])
    assert keypoints[0, 0, 2] == 0


def test_the_empty_place_is_found_behind_a_person_who_moves() -> None:
    place = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    pictures, people = [], []
    for left in (2, 20, 40):
        person = np.zeros((64, 64), np.uint8)
        person[10:50, left : left + 12] = 255
        pictures.append(np.where(person[..., None] > 0, 7, place).astype(np.uint8))
        people.append(person)
    assert (median_background(pictures, people) == place).all()


def test_what_is_always_hidden_is_filled_from_around() -> None:
    person = np.zeros((64, 64), np.uint8)
    person[20:44, 20:44] = 255
    picture = np.where(person[..., None] > 0, 250, 90).astype(np.uint8).repeat(3, 2)
    assert np.abs(median_background([picture] * 3, [person] * 3).astype(int) - 90).max() < 12
