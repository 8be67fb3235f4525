from dataclasses import replace
from fractions import Fraction

import torch

from bdmm.body.model import load_body
from bdmm.body.viewpoint import orbit, seen_from
from bdmm.records import Motion

BODY = load_body()


def standing(frames: int = 4) -> Motion:
    translation = torch.tensor([128.0, 110.0]).repeat(frames, 1)
    translation[:, 0] += 10.0 * torch.arange(frames)
    return Motion(
        rotations=torch.eye(3).repeat(frames, 24, 1, 1),
        scale=torch.full((frames,), 100.0),
        translation=translation,
        shape=torch.zeros(BODY.shape_size),
        flagged=torch.zeros(frames, dtype=torch.bool),
        size=(256, 256),
        fps=Fraction(25),
    )


def test_the_own_viewpoint_changes_nothing():
    motion = standing()
    seen = seen_from(motion, torch.zeros(len(motion)))
    assert torch.equal(seen.rotations, motion.rotations)
    assert torch.equal(seen.translation, motion.translation)


def test_a_camera_at_the_right_sees_what_was_at_the_right_in_front():
    motion = standing(1)
    points = BODY.keypoints(motion.shape, motion.rotations)[0]
    seen = seen_from(motion, torch.tensor([90.0]))
    turned = BODY.keypoints(seen.shape, seen.rotations)[0]
    torch.testing.assert_close(turned[:, 2], -points[:, 0], atol=1e-5, rtol=0)
    torch.testing.assert_close(turned[:, 0], points[:, 2], atol=1e-5, rtol=0)
    torch.testing.assert_close(turned[:, 1], points[:, 1], atol=1e-5, rtol=0)


def test_a_way_across_the_picture_is_foreshortened_and_comes_back_from_behind():
    motion = standing()
    for degrees, share in ((60.0, 0.5), (180.0, -1.0)):
        seen = seen_from(motion, torch.full((4,), degrees))
        way = seen.translation[:, 0] - motion.translation[0, 0]
        torch.testing.assert_close(way, 10 * share * torch.arange(4.0), atol=1e-4, rtol=0)
        assert torch.equal(seen.translation[:, 1], motion.translation[:, 1])


def test_two_viewpoints_follow_one_another():
    motion = replace(standing(1), rotations=torch.eye(3).repeat(1, 24, 1, 1))
    twice = seen_from(seen_from(motion, torch.tensor([20.0])), torch.tensor([25.0]))
    torch.testing.assert_close(twice.rotations, seen_from(motion, torch.tensor([45.0])).rotations)


def test_an_orbit_goes_once_around_and_closes():
    degrees = orbit(8, start=45.0)
    torch.testing.assert_close(degrees.diff(), torch.full((7,), 45.0))
    assert degrees[0] == 45.0
    assert degrees[-1] == 360.0
