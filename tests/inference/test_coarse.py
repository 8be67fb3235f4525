from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch

from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.inference.renderers import coarse_frames
from bdmm.kernels.push_pull import spread_person
from bdmm.records import BONE_NAMES, PixelState
from bdmm.shapes import Frames

HEAD = BONE_NAMES.index("head")


@pytest.fixture(scope="module")
def render(source) -> Callable[..., Frames]:
    """Return a function of conditions and a background."""
    return partial(coarse_frames, source)


def turned(motion, yaw: float):
    rotations = motion.rotations.clone()
    rotations[:, 0] = axis_angle_to_matrix(torch.tensor([0.0, yaw, 0.0]))
    return replace(motion, rotations=rotations)


def grown(region):
    """Return a region with the two pixels around it, over which alpha is softened."""
    return torch.nn.functional.max_pool2d(region.float()[None], 5, 1, 2)[0] > 0


def test_the_sources_own_pose_gives_the_photo_back(source, conditioned, render):
    conditions = conditioned(source.pose)
    frame = render(conditions, source.background)[0]
    inside = ~grown(source.foreground[0] < 0.5)
    assert (frame - source.image)[:, inside].abs().mean() < 0.05
    far = ~grown(conditions.state[0, 0] != PixelState.NONE)
    assert torch.equal(frame[:, far], source.background[:, far])


def test_each_frame_may_have_its_own_background(source, motion, conditioned, render):
    conditions = conditioned(motion[:2])
    backgrounds = torch.stack([torch.zeros_like(source.image), torch.ones_like(source.image)])
    frames = render(conditions, backgrounds)
    for t in range(2):
        assert torch.equal(frames[t], render(conditioned(motion[t : t + 1]), backgrounds[t])[0])
        assert frames[t, :, 0, 0].tolist() == backgrounds[t, :, 0, 0].tolist()


def test_slices_give_the_same_frames(source, motion, conditioned, render):
    whole = render(conditioned(motion[:4]), source.background)
    parts = [render(conditioned(motion[a:b]), source.background) for a, b in ((0, 1), (1, 4))]
    assert torch.equal(whole, torch.cat(parts))


def test_copied_pixels_are_the_photos_own(source, conditioned, render):
    """A person who steps aside by whole pixels takes along every pixel's colour."""
    pose = source.pose
    moved = replace(pose, translation=pose.translation + torch.tensor([6.0, 3.0]))
    conditions = conditioned(moved)
    frame = render(conditions, source.background)[0]
    inside = -torch.nn.functional.max_pool2d(
        -(conditions.state[0] == PixelState.VISIBLE).float(), 5, 1, 2
    )
    there = torch.nonzero(inside[0])
    here = there - torch.tensor([3, 6])
    assert len(there) > 100
    got = frame[:, there[:, 0], there[:, 1]]
    person = spread_person(source.image[None], source.foreground[None])[0]
    torch.testing.assert_close(got, person[:, here[:, 0], here[:, 1]], atol=2e-3, rtol=0)


def test_the_back_of_the_head_has_the_heads_colour(source, person_conditions, render):
    conditions = person_conditions(turned(source.pose, torch.pi))
    frame = render(conditions, source.background)[0]
    head = (conditions.segment[0, 0] == HEAD) & (conditions.state[0, 0] == PixelState.HIDDEN)
    inner = -torch.nn.functional.max_pool2d(-head.float()[None], 3, 1, 1)[0] > 0
    assert inner.sum() > 10
    front = (person_conditions(source.pose).segment[0, 0] == HEAD) & (source.foreground[0] > 0.5)
    own = source.image[:, front].median(dim=1).values
    assert (frame[:, inner] - own[:, None]).norm(dim=0).median() < 0.1


def test_painted_pixels_stay_near_the_persons_colours(source, person_conditions, render):
    frames = render(
        person_conditions(turned(source.pose, torch.pi)), torch.full((3, *source.pose.size), -1.0)
    )
    body = person_conditions(turned(source.pose, torch.pi)).segment[0, 0] >= 0
    colours = source.image[:, source.foreground[0] > 0.5]
    low, high = colours.amin(dim=1), colours.amax(dim=1)
    inner = -torch.nn.functional.max_pool2d(-body.float()[None], 5, 1, 2)[0] > 0
    got = frames[0][:, inner]
    assert (got.mean(dim=1) > low).all()
    assert (got.mean(dim=1) < high).all()


def test_the_background_does_not_come_along_at_the_rim():
    """A red person with a soft rim before green: only red is left."""
    foreground = torch.zeros(1, 40, 40)
    foreground[:, 10:30, 10:30] = 1
    foreground = torch.nn.functional.avg_pool2d(foreground, 5, stride=1, padding=2)
    red, green = torch.tensor([1.0, -1, -1]), torch.tensor([-1.0, 1, -1])
    image = foreground * red[:, None, None] + (1 - foreground) * green[:, None, None]
    person = spread_person(image[None], foreground[None])[0]
    assert (person[0] - person[1])[foreground[0] > 0.05].min() > 1.2
