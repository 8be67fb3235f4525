"""The shadow of the feet: where they are, on the photo's own ground, and only there."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bdmm.body.retarget import retarget
from bdmm.inference.animate import Animation
from bdmm.inference.contact_shadow import ContactShadow, GroundLight, shaded_backgrounds
from bdmm.inference.prepare import Inputs
from bdmm.inference.renderers import CoarseRenderer
from bdmm.inference.source_view import SourceView
from bdmm.media.motion_file import load_shipped
from bdmm.records import KEYPOINT_NAMES

TOES = [KEYPOINT_NAMES.index(f"{side}_big_toe") for side in ("left", "right")]


def frames_of(inputs: Inputs) -> np.ndarray:
    return np.stack(list(Animation(inputs, CoarseRenderer())))


def shade_of(shadow: ContactShadow, part: slice) -> torch.Tensor:
    """Return the share of the light that the shadow takes away."""
    whole = shadow.background.expand(part.stop - part.start, -1, -1, -1)
    return 1 - ((shadow.background_of(part) + 1) / (whole + 1)).mean(dim=1)


@pytest.fixture(scope="module")
def grey(source):
    return replace(source, background=torch.full_like(source.background, 0.2))


def test_the_shadow_follows_the_feet(body, grey, motion):
    still = motion[:1]
    aside = replace(still, translation=still.translation + torch.tensor([20.0, 0.0]))
    near, far = (shade_of(ContactShadow(body, grey, one), slice(0, 1)) for one in (still, aside))
    torch.testing.assert_close(far[:, :, 20:], near[:, :, :-20], atol=0.02, rtol=0)
    feet = body.keypoints(still.shape, still.rotations)[0, TOES, :2]
    x, y = (feet * still.scale + still.translation).mean(dim=0).tolist()
    row, column = np.unravel_index(int(near[0].argmax()), near[0].shape)
    assert abs(row - y) < 8
    assert abs(column - x) < 12
    assert near[0, : int(y) - 25].abs().max() < 1e-6


@pytest.mark.parametrize(
    "light",
    [
        GroundLight(0.5, (1.6, 0.0), 0.015),
        GroundLight(0.4, (-0.8, 0.0)),
        GroundLight(0.3, rim=0.05),
    ],
)
def test_the_shadow_is_as_the_photos_own(body, grey, light):
    ours = ContactShadow(body, grey, grey.pose)
    ours.light = light
    person = grey.foreground
    ground = ours.background_of(slice(0, 1))[0]
    shaded = replace(grey, image=person * grey.image + (1 - person) * ground)
    found = ContactShadow(body, shaded, grey.pose).light
    assert (found.slope, found.rim) == (light.slope, light.rim)
    assert found.darkness == pytest.approx(light.darkness, abs=0.1)
    plain = replace(grey, image=person * grey.image + (1 - person) * grey.background)
    faint = ContactShadow(body, plain, grey.pose).light
    assert faint == GroundLight(0.15)


def test_a_jump_leaves_a_fainter_shadow_on_the_ground(body, grey, motion):
    still = motion[:9]
    still = replace(still, rotations=still.rotations[:1].expand(9, -1, -1, -1))
    still = replace(still, translation=still.translation[:1].repeat(9, 1), fps=motion.fps)
    jump = still.translation.clone()
    jump[4, 1] -= 0.2 * float(still.scale[0])
    shade = shade_of(ContactShadow(body, grey, replace(still, translation=jump)), slice(0, 9))
    assert 0.01 < float(shade[4].max()) < 0.5 * float(shade[0].max())
    lowest = [int(one.amax(dim=1).argmax()) for one in (shade[0], shade[4])]
    assert abs(lowest[0] - lowest[1]) < 8


def test_without_a_shadow_frames_are_the_same_to_the_bit(source_view, motion):
    part = motion[:2]
    plain = frames_of(Inputs(source_view, part, part))
    none = frames_of(Inputs(source_view, part, part, shadow="none"))
    contact = frames_of(Inputs(source_view, part, part, shadow="contact"))
    assert np.array_equal(plain, none)
    assert (contact <= plain).all()
    assert (contact < plain).any()


def test_another_background_and_a_full_size_photo_get_no_shadow(source_view, pasted_view, motion):
    white = np.full((1, 1, 3), 255, np.uint8)
    assert not Inputs(source_view, motion, motion, white, shadow="contact").casts_shadow
    assert not Inputs(pasted_view, motion, motion, shadow="contact").casts_shadow


def test_feet_out_of_the_photo_cast_no_shadow(body, source, source_view, motion):
    pose = replace(source.pose, translation=source.pose.translation + torch.tensor([0.0, 60.0]))
    low = replace(source, pose=pose)
    moved = retarget(load_shipped("walk"), pose)[:1]
    assert shaded_backgrounds(body, low, moved, iter([slice(0, 1)])) is None
    view = SourceView(
        source_view.photo, source_view.view, replace(source_view.person, photos=(low,))
    )
    contact = frames_of(Inputs(view, moved, moved, shadow="contact"))
    assert np.array_equal(contact, frames_of(Inputs(view, moved, moved, shadow="none")))
