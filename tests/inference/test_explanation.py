from dataclasses import replace
from importlib.resources import as_file, files

import numpy as np
import pytest
import torch

from bdmm.config import NetworkConfig
from bdmm.inference.animate import Animation, compare
from bdmm.inference.explanation import Ranges, body_points, explain, ranges_of, round_up
from bdmm.inference.explanation_pictures import block_pictures, layer_pictures, legend
from bdmm.inference.prepare import Inputs
from bdmm.inference.renderers import CoarseRenderer, NetworkRenderer
from bdmm.inference.trace import Block, FrameTrace, Modulated
from bdmm.media.video_reader import VideoReader
from bdmm.network.generator import Generator

SMALL = NetworkConfig(joints=18, feeds_back=False, widths=(4, 6), style_widths=(4, 6, 8))
LAYERED = NetworkConfig(
    joints=18, feeds_back=False, widths=(4, 6), style_widths=(4, 6), head="layers", norm="pixel"
)


@pytest.fixture
def inputs(source_view, motion) -> Inputs:
    """Eight frames: a window and a rest."""
    return Inputs(source_view, motion[:8], motion[:8])


@pytest.mark.parametrize("config", [SMALL, LAYERED], ids=["plain", "layered"])
def test_every_frame_is_looked_into_and_stays_what_it_was(inputs, config):
    torch.manual_seed(0)
    layered = config.head == "layers"
    renderer = NetworkRenderer(Generator(config), traces=True)
    frames = list(Animation(inputs, renderer))
    numbers = []
    for explained, frame in zip(explain(inputs, renderer), frames, strict=True):
        numbers.append(explained.number)
        assert np.array_equal(explained.generated, frame)
        assert explained.driving.shape == frame.shape
        shown = block_pictures(explained, Block("backward", 2))
        assert list(shown) == ["offsets", "masks", "features", "units"]
        assert all(shown[kind].shape == frame.shape for kind in ("offsets", "masks", "features"))
        assert (shown["offsets"] == 255).all(), "fresh weights move no tap"
        looked = (shown["masks"] > 0).any(axis=2)
        assert np.unique(shown["masks"][looked], axis=0).shape == (1, 3)
        assert looked.mean() > 0.4
        assert looked.all() != layered, "a layered network looks at the person only"
        layers = layer_pictures(explained)
        assert list(layers) == (["alpha", "copy", "copied", "synthesis"] if layered else [])
        assert all(one.shape == frame.shape for one in layers.values())
    assert numbers == list(range(1, 9))


def test_a_driving_video_shows_its_own_frames(inputs):
    with as_file(files("bdmm.assets") / "samples" / "dance.mp4") as path:
        driven = replace(inputs, driving_video=VideoReader(path))
        shown = next(driven.driving_frames())
        first = next(iter(VideoReader(path)))
    assert shown.shape == inputs.photo.shape
    inside = ~(shown == 255).all(axis=2)
    assert abs(shown[inside].mean() - first.mean()) < 8


def test_points_follow_the_body(inputs, source):
    points = body_points(inputs)
    assert points.shape == (8, 11, 2)
    row, column = points[0, 0, 1].int(), points[0, 0, 0].int()
    assert source.foreground[0, row, column] > 0.5
    assert not torch.allclose(points[0], points[4], atol=1.0)


def test_scales_hold_almost_all_and_are_round():
    offsets = torch.zeros(1, 18, 8, 8)
    offsets[:, 1::2] = 0.7
    still = Modulated(torch.zeros(1, 2, 8, 8), torch.zeros_like(offsets), torch.ones(1, 9, 8, 8))
    blocks = {Block("forward", 4): replace(still, offsets=offsets), Block("backward", 4): still}
    ranges = ranges_of([FrameTrace(blocks, None)] * 2)
    assert ranges.offset == {4: 5.0}
    assert ranges.features == dict.fromkeys(blocks, 1.0)
    assert [round_up(value) for value in (0.011, 0.2, 3.0, 7.0, 0.0, float("nan"))] == [
        pytest.approx(0.02),
        pytest.approx(0.2),
        5.0,
        10.0,
        0.0,
        0.0,
    ]


def test_the_legend_has_the_pictures_size(inputs):
    ranges = Ranges({2: 8.0}, {Block("forward", 2): 20.0})
    shown = legend(inputs.photo, ranges, 2)
    assert shown.shape == inputs.photo.shape
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 200


@pytest.mark.slow
def test_all_systems_work_side_by_side(inputs):
    told = []
    other = NetworkRenderer(Generator(SMALL))
    shown = compare(
        inputs, {"coarse": CoarseRenderer(), "net": other}, lambda *stage: told.append(stage)
    )
    pictures = list(shown)
    height, width = inputs.size
    coarse = list(Animation(inputs, CoarseRenderer()))
    network = list(Animation(inputs, other))
    assert len(pictures) == 8
    for i, picture in enumerate(pictures):
        panels = [
            picture[-2 - height : -2, 2 + j * (width + 4) : 2 + j * (width + 4) + width]
            for j in range(4)
        ]
        assert picture.shape[1] == 4 * (width + 4)
        assert np.array_equal(panels[0], inputs.photo)
        assert np.array_equal(panels[2], coarse[i])
        assert np.array_equal(panels[3], network[i])
    assert told[-1] == ("Comparing", 8, 8)
