from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from bdmm.body.model import load_body
from bdmm.body.retarget import retarget
from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.errors import InputError
from bdmm.records import BONE_NAMES, Motion

BODY = load_body()


def make_motion(frames: int = 4, size=(256, 256), scale=100.0, place=(128.0, 110.0)) -> Motion:
    return Motion(
        rotations=torch.eye(3).repeat(frames, 24, 1, 1),
        scale=torch.full((frames,), scale),
        translation=torch.tensor(place).repeat(frames, 1),
        shape=torch.zeros(BODY.shape_size),
        flagged=torch.zeros(frames, dtype=torch.bool),
        size=size,
        fps=Fraction(25),
    )


def bent(motion: Motion, frame: int, angle: float) -> Motion:
    """A squat: hips and knees bent in one frame."""
    turn = torch.zeros(24, 3)
    for side in ("left", "right"):
        turn[BONE_NAMES.index(f"{side}_hip"), 0] = -angle
        turn[BONE_NAMES.index(f"{side}_knee"), 0] = angle
    rotations = motion.rotations.clone()
    rotations[frame] = axis_angle_to_matrix(turn)
    return replace(motion, rotations=rotations)


def lowest(motion: Motion) -> torch.Tensor:
    points = BODY.keypoints(motion.shape, motion.rotations)
    return motion.translation[:, 1] + motion.scale * points[..., 1].amax(dim=-1)


@pytest.mark.parametrize("root", ["relative", "absolute", "fixed"])
def test_a_motion_on_its_own_first_frame_stays_what_it_is(root):
    driving = make_motion()
    out = retarget(driving, driving[:1], root)
    torch.testing.assert_close(out.translation, driving.translation)
    torch.testing.assert_close(out.scale, driving.scale)
    torch.testing.assert_close(out.rotations, driving.rotations)


def test_travel_and_squats_on_the_own_body_are_kept_exactly():
    driving = bent(make_motion(), 2, 1.2)
    driving.translation[2] += torch.tensor([15.0, 22.0])
    out = retarget(driving, driving[:1])
    torch.testing.assert_close(out.translation, driving.translation)


def test_travel_is_measured_in_leg_lengths():
    driving = make_motion(scale=100.0)
    driving.translation[1:, 0] += 10
    source = make_motion(1, size=(512, 512), scale=200.0, place=(250.0, 220.0))
    out = retarget(driving, source)
    torch.testing.assert_close(out.translation[1] - out.translation[0], torch.tensor([20.0, 0.0]))
    assert out.size == (512, 512)
    torch.testing.assert_close(out.scale, torch.full((4,), 200.0))


def test_size_changes_are_carried_over_relatively():
    driving = make_motion()
    driving = replace(driving, scale=driving.scale * torch.tensor([1.0, 0.5, 0.8, 1.2]))
    source = make_motion(1, scale=60.0)
    out = retarget(driving, source)
    torch.testing.assert_close(out.scale / 60, torch.tensor([1.0, 0.5, 0.8, 1.2]))


def head_and_feet(motion: Motion) -> tuple[float, float]:
    y = (
        motion.translation[:, 1:]
        + motion.scale[:, None] * (BODY.keypoints(motion.shape, motion.rotations)[..., 1])
    )
    return float(y[:, 0].min()), float(y.max())


def growing(most: float) -> Motion:
    """Nothing for two seconds, then coming closer and going back in two more."""
    driving = make_motion(150)
    growth = 1 + (most - 1) * torch.cat([torch.zeros(50), torch.linspace(0, torch.pi, 100).sin()])
    return replace(driving, scale=driving.scale * growth)


def test_coming_closer_stops_where_head_or_feet_would_leave_the_photo():
    out = retarget(growing(4.0), make_motion(1))
    top, bottom = head_and_feet(out)
    assert top > 0
    assert 230 < bottom < 1.031 * 256
    assert out.scale[100] > 1.1 * out.scale[0]
    torch.testing.assert_close(out.scale[:20], torch.full((20,), 100.0))
    assert out.scale.diff().abs().max() < growing(4.0).scale.diff().abs().max()


def test_coming_closer_with_room_to_spare_is_kept_as_it_is():
    driving = growing(2.0)
    source = make_motion(1, scale=40.0)
    torch.testing.assert_close(retarget(driving, source).scale, 0.4 * driving.scale)


def test_a_jump_is_lowered_rather_than_cut():
    driving = make_motion(100)
    driving.translation[40:60, 1] -= 100
    out = retarget(driving, make_motion(1))
    top, _ = head_and_feet(out)
    assert -8 < top < 20
    torch.testing.assert_close(out.translation[:10], driving.translation[:10])


def test_a_driver_that_starts_bent_still_stands_on_the_photos_ground():
    driving = bent(make_motion(), 0, 1.2)
    driving.translation[0, 1] += float(lowest(driving)[1] - lowest(driving)[0])
    source = make_motion(1, place=(90.0, 120.0))
    out = retarget(driving, source)
    torch.testing.assert_close(lowest(out), lowest(source).expand(4), atol=0.05, rtol=0)


def test_the_start_is_the_first_trusted_frame():
    driving = make_motion()
    driving.translation[0] += 60
    driving.flagged[0] = True
    out = retarget(driving, make_motion(1))
    torch.testing.assert_close(out.translation[1:], driving.translation[1:])


def test_travel_never_takes_the_pelvis_out_of_the_photo():
    driving = make_motion()
    driving.translation[:, 0] += torch.tensor([0.0, 300.0, 600.0, -100.0])
    out = retarget(driving, make_motion(1))
    assert out.translation[:, 0].min() >= 0
    assert out.translation[:, 0].max() <= 256
    assert out.translation[1, 0] - out.translation[0, 0] == pytest.approx(
        float(out.translation[2, 0] - out.translation[1, 0]), abs=1e-3
    )


def test_absolute_maps_the_drivers_frame_into_the_photo():
    driving = make_motion(size=(1080, 1920), scale=400.0, place=(960.0 + 480, 500.0))
    source = make_motion(1, scale=400 * 256 / 1920)
    out = retarget(driving, source, "absolute")
    assert out.translation[0, 0] == pytest.approx(128 + 64, abs=1e-3)
    assert out.translation[0, 1] == pytest.approx(128 + (500 - 540) * 256 / 1920, abs=1e-3)


def test_fixed_keeps_column_size_and_ground():
    driving = bent(make_motion(), 2, 1.0)
    driving.translation[:, 0] += torch.arange(4) * 20
    driving = replace(driving, scale=driving.scale * torch.tensor([1.0, 1.5, 1.0, 0.7]))
    source = make_motion(1, place=(77.0, 111.0))
    out = retarget(driving, source, "fixed")
    torch.testing.assert_close(out.translation[:, 0], torch.full((4,), 77.0))
    torch.testing.assert_close(lowest(out), lowest(source).expand(4))
    torch.testing.assert_close(out.scale, source.scale.expand(4))


def test_a_person_cut_at_the_waist_is_held_by_the_pelvis():
    source = make_motion(1, scale=300.0, place=(128.0, 250.0))
    out = retarget(bent(make_motion(), 0, 1.0), source)
    torch.testing.assert_close(out.translation[0], source.translation[0])


def test_the_source_gives_the_shape():
    source = make_motion(1)
    source = replace(source, shape=torch.randn(BODY.shape_size) * 0.5)
    assert torch.equal(retarget(make_motion(), source).shape, source.shape)


def test_different_bodies_are_refused():
    with pytest.raises(InputError, match="body"):
        retarget(make_motion(), replace(make_motion(1), body="smpl"))
