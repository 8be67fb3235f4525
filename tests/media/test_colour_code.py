import numpy as np
import pytest

from bdmm.media.colour_code import colour_bar, flow_colours, flow_wheel, heat_colours


def painted(dx, dy, reach=1.0):
    return tuple(flow_colours(np.array([[[dx]], [[dy]]], float), reach)[0, 0].tolist())


def at_step(step):
    """The flow of full length whose hue is the wheel's step: right is 0, down comes before left."""
    angle = 2 * np.pi * step / 55
    return np.cos(angle), np.sin(angle)


@pytest.mark.parametrize(
    ("step", "colour"),
    [
        (0, (255, 0, 0)),
        (15, (255, 255, 0)),
        (21, (0, 255, 0)),
        (25, (0, 255, 255)),
        (36, (0, 0, 255)),
        (49, (255, 0, 255)),
        (30.5, (0, 127.5, 255)),
    ],
)
def test_the_wheel_has_the_published_hues(step, colour):
    assert np.abs(np.subtract(painted(*at_step(step)), colour)).max() <= 1


def test_directions_have_the_hues_that_everybody_knows():
    right, down, left, up = painted(1, 0), painted(0, 1), painted(-1, 0), painted(0, -1)
    assert right == (255, 0, 0)
    assert down[0] == 255
    assert down[1] > 200
    assert down[2] == 0
    assert left[2] == 255
    assert left[1] > 150
    assert left[0] == 0
    assert up[2] == 255
    assert 50 < up[0] < 150
    assert up[1] == 0


def test_nothing_moved_is_white_half_is_pale_and_beyond_is_dark():
    assert painted(0, 0) == (255, 255, 255)
    assert painted(4, 0, reach=8.0) == (255, 128, 128)
    assert painted(9, 0, reach=8.0) == (191, 0, 0)
    assert painted(np.nan, 0) == painted(0, np.inf) == (0, 0, 0)


def test_the_legend_shows_each_direction_where_it_leads():
    wheel = flow_wheel(101)
    assert tuple(wheel[50, 50]) == (255, 255, 255)
    assert tuple(wheel[0, 0]) == (255, 255, 255)
    assert np.abs(wheel[50, 99].astype(int) - painted(0.97, 0)).max() <= 3
    assert np.abs(wheel[98, 50].astype(int) - painted(0, 0.96)).max() <= 3


@pytest.mark.parametrize("palette", ["turbo", "inferno", "viridis", "grey"])
def test_a_bar_shows_the_colours_of_its_range(palette):
    bar = colour_bar((3, 201), palette)
    values = np.linspace(0, 2, 201)[None]
    assert np.array_equal(bar[:1], heat_colours(values, 0.0, 2.0, palette))
    ends = heat_colours(np.array([[-1.0, 5.0]]), 0.0, 2.0, palette)
    assert np.array_equal(ends[0], bar[0, [0, -1]])
    assert len(np.unique(bar[0], axis=0)) > 100


def test_what_is_no_number_is_black():
    assert (heat_colours(np.array([[np.nan]]), 0.0, 1.0, "turbo") == 0).all()
    assert (heat_colours(np.array([[0.5]]), 0.0, 1.0, "grey") == 128).all()
