from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import label
from torch.nn import functional

from bdmm.body.mesh_flow import MeshFlow, mesh_flow, plane_turns, solid
from bdmm.body.rotations import axis_angle_to_matrix, chain
from bdmm.body.source_geometry import SourceGeometry, prepare_geometry
from bdmm.records import BONE_NAMES, NOWHERE, Motion, PixelState

HEAD = BONE_NAMES.index("head")


def grown(region: torch.Tensor, pixels: int) -> torch.Tensor:
    return functional.max_pool2d(region.float(), 2 * pixels + 1, stride=1, padding=pixels)


def grid_of(flow: MeshFlow) -> torch.Tensor:
    return flow.source_grid((flow.state.shape[1], flow.state.shape[2]))


def pixels_of(flow: MeshFlow) -> torch.Tensor:
    """Source positions in pixels."""
    _, height, width = flow.state.shape
    return (grid_of(flow) + 1) * torch.tensor([width, height]) / 2


def centres(flow: MeshFlow) -> torch.Tensor:
    _, height, width = flow.state.shape
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([x, y], dim=-1)[None]


@pytest.fixture(scope="session")
def photo(body, standing, draw) -> Callable[..., tuple[SourceGeometry, Callable[..., MeshFlow]]]:
    """Return a function: a source turned by ``yaw``, and the flow to it from any motion."""

    def make(yaw: float = 0.0, margin: int = 1):
        pose = standing(yaw)
        foreground = grown(draw(body, pose).face >= 0, margin)
        geometry = prepare_geometry(body, pose, foreground)

        def flow(motion: Motion) -> MeshFlow:
            shrink = geometry.scale / motion.scale
            turns = plane_turns(geometry.orientations, chain(motion.rotations), shrink)
            return mesh_flow(geometry, draw(geometry.body, motion), turns)

        return geometry, flow

    return make


@pytest.fixture(scope="session")
def front(photo):
    return photo()


def test_the_sources_own_pose_maps_every_pixel_to_itself(front, standing):
    flow = front[1](standing())
    visible = flow.state == PixelState.VISIBLE
    # What a limb might hide just beside it comes along with that limb.
    assert visible.sum() > 0.995 * (flow.segment >= 0).sum() > 1000
    apart = (pixels_of(flow) - centres(flow))[visible].abs().amax(-1)
    assert (apart < 1e-3).float().mean() > 0.9, "only the rim is fetched from further inside"
    assert apart.max() < 3
    extended = flow.state == PixelState.EXTENDED
    assert (pixels_of(flow) - centres(flow))[extended].abs().max() < 1e-3


def test_a_shifted_person_is_fetched_from_where_it_was(front, standing):
    flow = front[1](standing(shift=(8.0, -5.0)))
    visible = flow.state == PixelState.VISIBLE
    moved = pixels_of(flow) - centres(flow)
    assert visible.sum() > 1000
    apart = (moved[visible] - torch.tensor([-8.0, 5.0])).abs().amax(-1)
    assert (apart < 1e-3).float().mean() > 0.9, "only the rim is fetched from further inside"
    assert apart.max() < 3


def test_one_pixels_position_is_x_then_y(front, standing):
    flow = front[1](standing())
    row, column = 60, 62  # the belly
    assert flow.state[0, row, column] == PixelState.VISIBLE
    x, y = grid_of(flow)[0, row, column].tolist()
    assert x == pytest.approx((column + 0.5) * 2 / 120 - 1, abs=1e-4)
    assert y == pytest.approx((row + 0.5) * 2 / 160 - 1, abs=1e-4)


def test_half_size_doubles_steps(front, standing):
    """Neighbours in a target of half the size are two pixels apart in the source."""
    motion = standing()
    small = Motion(**{**vars(motion), "scale": motion.scale / 2})
    flow = front[1](small)
    step = pixels_of(flow)[0, 65, 63] - pixels_of(flow)[0, 65, 61]
    torch.testing.assert_close(step, torch.tensor([4.0, 0.0]), atol=0.05, rtol=0)


def test_turning_round_hides_the_front_and_fills_through_the_body(front, standing):
    flow = front[1](standing(torch.pi))
    body = flow.segment >= 0
    assert not (flow.state == PixelState.VISIBLE).any()
    assert (flow.state[body] == PixelState.HIDDEN).all()
    head = flow.segment == HEAD
    assert not flow.fallback[head].any()
    assert flow.fallback[body & ~head].float().mean() > 0.8
    # Through the body means straight: mirrored across the axis of the turn, at the same height.
    belly = pixels_of(flow)[0, 60, 63]
    torch.testing.assert_close(belly, torch.tensor([120 - 63.5, 60.5]), atol=0.05, rtol=0)


def test_visible_share_falls_as_the_person_turns(front, standing):
    shares = []
    for yaw in (0.0, 0.5, 1.2, 2.0, 3.1):
        flow = front[1](standing(yaw))
        visible = flow.state == PixelState.VISIBLE
        shares.append(float(visible.sum() / (flow.segment >= 0).sum()))
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.9
    assert shares[-1] < 0.05


def test_a_limb_hidden_in_the_source_is_copied_from_the_other_side(photo, standing):
    """Seen from the side, the far arm is behind the body; the near arm stands in for it."""
    geometry, flow_to = photo(yaw=torch.pi / 2)
    flow = flow_to(standing())
    arms = {side: flow.segment == BONE_NAMES.index(f"{side}_elbow") for side in ("left", "right")}
    seen = {
        side: (flow.state[arm] == PixelState.VISIBLE).float().mean() for side, arm in arms.items()
    }
    far = min(seen, key=lambda side: float(seen[side]))
    assert seen[far] < 0.3
    copied = arms[far] & flow.fallback
    assert copied.sum() > 0.5 * arms[far].sum()
    shown = geometry.at(pixels_of(flow)[copied])
    near = "left" if far == "right" else "right"
    assert (shown.segment == BONE_NAMES.index(f"{near}_elbow")).float().mean() > 0.5


def test_states_and_grid_belong_together(front, standing):
    for yaw in (0.0, 0.7, 2.5):
        flow = front[1](standing(yaw, shift=(3.3, 1.7)))
        none = flow.state == PixelState.NONE
        assert set(flow.state.unique().tolist()) <= {0, 1, 2, 3}
        assert (grid_of(flow)[none] == NOWHERE).all()
        assert grid_of(flow)[~none].isfinite().all()
        assert (flow.state[flow.fallback] == PixelState.HIDDEN).all()
        on_body = (flow.state == PixelState.VISIBLE) | (flow.state == PixelState.HIDDEN)
        assert torch.equal(on_body, flow.segment >= 0)


def test_visible_and_copied_pixels_come_from_the_person(front, standing):
    geometry, flow_to = front
    for yaw in (0.0, 0.7, 2.5):
        flow = flow_to(standing(yaw))
        taken = flow.fallback | (flow.state == PixelState.VISIBLE)
        taken |= flow.state == PixelState.EXTENDED
        assert geometry.at(pixels_of(flow)[taken]).person.all()


def test_what_is_worn_beyond_the_dressed_body_is_carried_along(photo, standing):
    wide, flow_to = photo(margin=1)
    flow = flow_to(standing(shift=(4.0, 2.0)))
    extended = flow.state == PixelState.EXTENDED
    assert extended.any()
    moved = (pixels_of(flow) - centres(flow))[extended]
    torch.testing.assert_close(
        moved, torch.tensor([-4.0, -2.0]).expand_as(moved), atol=1e-3, rtol=0
    )
    assert wide.at(pixels_of(flow)[extended]).person.all()
    assert not wide.at(pixels_of(flow)[extended]).on_mesh.any()


def test_no_scrap_of_clothes_floats_off_the_body(body, standing, draw):
    pose = standing(0.0)
    seen = draw(body, pose).face >= 0
    scraps = grown(seen, 4) - grown(seen, 2) + grown(seen, 0)
    geometry, motion = prepare_geometry(body, pose, scraps), standing(shift=(4.0, 2.0))
    turns = plane_turns(geometry.orientations, chain(motion.rotations), torch.ones(1))
    flow = mesh_flow(geometry, draw(geometry.body, motion), turns)
    person = (flow.state[0] != PixelState.NONE).numpy()
    parts, count = label(person, np.ones((3, 3)))
    assert all((flow.segment[0].numpy()[parts == part] >= 0).any() for part in range(1, count + 1))


def test_frames_do_not_influence_each_other(body, front, standing, draw):
    _, flow_to = front
    motions = [standing(yaw, (yaw, 0.0)) for yaw in (0.0, 0.9, 2.0)]
    joined = Motion(
        **{
            **vars(motions[0]),
            **{
                name: torch.cat([getattr(motion, name) for motion in motions])
                for name in ("rotations", "scale", "translation", "flagged")
            },
        }
    )
    whole = flow_to(joined)
    for t, motion in enumerate(motions):
        one = flow_to(motion)
        assert torch.equal(whole.state[t], one.state[0])
        assert torch.equal(whole.fallback[t], one.fallback[0])


def test_a_person_out_of_the_picture_gives_an_empty_flow(front, standing):
    flow = front[1](standing(shift=(500.0, 0.0)))
    assert (flow.state == PixelState.NONE).all()
    assert (grid_of(flow) == NOWHERE).all()


def test_plane_turns_turn_back_and_mirror():
    source = torch.eye(3).repeat(24, 1, 1)
    turned = axis_angle_to_matrix(torch.tensor([[0.0, 0.0, 0.3], [0.0, torch.pi, 0.0]]))
    turns = plane_turns(source, turned[:, None].expand(2, 24, 3, 3), torch.tensor([1.0, 2.0]))
    back = axis_angle_to_matrix(torch.tensor([0.0, 0.0, -0.3]))[:2, :2]
    torch.testing.assert_close(turns[0, 5], back, atol=1e-5, rtol=0)
    mirror = torch.tensor([[-2.0, 0.0], [0.0, 2.0]])
    torch.testing.assert_close(turns[1, 5], mirror, atol=1e-5, rtol=0)


def test_a_spike_beside_a_limb_is_left_out(front):
    geometry, _ = front
    body, band, spike = torch.zeros(3, 1, 100, 100, dtype=torch.bool)
    body[:, :, 20:40] = True
    band[:, :, 40:50] = True
    spike[:, 50, 50:60] = True
    kept = solid(body, band | spike, geometry)
    assert kept[body | band].all()
    assert not kept[spike].any()
