import numpy as np
import torch
from einops import repeat

from bdmm.inference.explanation import (
    SAMPLE,
    UNIT,
    draw_units,
    mean_offset,
    on_frame,
    sampling_points,
)
from bdmm.inference.trace import Modulated
from bdmm.media.colour_code import flow_colours


def modulated(dy=0.0, dx=0.0, mask=1.0, side=8):
    offsets = repeat(torch.tensor([dy, dx]), "yx -> 1 (p yx) h w", p=9, h=side, w=side).clone()
    return Modulated(torch.zeros(1, 2, side, side), offsets, torch.full((1, 9, side, side), mask))


def test_taps_moved_right_are_red_and_nothing_moved_is_white():
    right = on_frame(mean_offset(modulated(dx=1.5), 4), 4, (32, 32))
    assert right.shape == (2, 32, 32)
    assert (right[0] == 6).all()
    assert (right[1] == 0).all()
    assert (flow_colours(right, 6.0) == (255, 0, 0)).all()
    still = on_frame(mean_offset(modulated(), 4), 4, (32, 32))
    assert (flow_colours(still, 6.0) == 255).all()


def test_a_tap_counts_as_much_as_its_mask():
    one = modulated()
    one.masks[:] = 0
    assert (mean_offset(one, 2) == 0).all()
    one.masks[0, 0], one.masks[0, 5] = 0.5, 1.5
    one.offsets[0, 0], one.offsets[0, 11] = 4.0, 2.0  # tap 0 down, tap 5 right
    flow = mean_offset(one, 2)
    assert torch.allclose(flow[:, 3, 3], torch.tensor([2 * 1.5, 2 * 1.0]))
    assert torch.allclose(one.mean_mask, torch.tensor(2 / 9))


def test_a_map_is_enlarged_in_squares_and_cut_to_the_frame():
    values = torch.arange(6.0).reshape(2, 3)
    frame = on_frame(values, 2, (3, 5))
    assert frame.tolist() == [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]
    part = on_frame(values[:, :2], 1, (3, 4), corner=(2, 1), nothing=9.0)
    assert part.tolist() == [[9, 9, 9, 9], [9, 9, 9, 9], [9, 0, 1, 9]]


def test_units_sample_the_lattice_moved_by_the_offsets():
    one = modulated(dy=1.0, dx=-0.5, mask=0.25)
    places, masks = sampling_points(one, torch.tensor([[2.0, 5.0]]))
    lattice = [(x + 2.5 - 0.5, y + 5.5 + 1.0) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    assert torch.allclose(places[0], torch.tensor(lattice))
    assert (masks == 0.25).all()


def test_units_are_green_and_their_samples_red():
    frame = np.full((32, 32, 3), 90, np.uint8)
    picture = draw_units(frame, modulated(dx=2.0), 4, torch.tensor([[10.0, 21.0]]))
    scale = picture.shape[0] // 8
    assert picture.shape == (768, 768, 3)

    def near(x, y):
        return tuple(picture[round((y + 0.5) * scale), round((x + 0.5) * scale)].tolist())

    assert near(2, 5) == UNIT
    assert near(3, 5) == near(5, 6) == near(4, 4) == SAMPLE
    assert near(1, 5) == near(6, 5) == (90, 90, 90)
    part = draw_units(frame, modulated(dx=2.0, side=4), 4, torch.tensor([[10.0, 21.0]]), (16, 8))
    assert np.array_equal(part, picture)
    outside = draw_units(frame, modulated(side=4), 4, torch.tensor([[7.0, 21.0]]), (16, 8))
    assert (outside == 90).all()
    unseen = draw_units(frame, modulated(mask=0.0), 4, torch.tensor([[10.0, 21.0]]))
    assert (unseen == SAMPLE).all(axis=2).sum() <= 9
    wild = modulated(dx=float("nan"))
    assert draw_units(frame, wild, 4, torch.tensor([[10.0, 21.0]])).shape == picture.shape
