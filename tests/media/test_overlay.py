import numpy as np
import torch

from bdmm.body.camera import project
from bdmm.body.model import load_body
from bdmm.body.rasterize import rasterize
from bdmm.media.motion_file import load_shipped
from bdmm.media.overlay import (
    ALARM,
    LEFT,
    RIGHT,
    draw_body,
    draw_keypoints,
    mark_flagged,
    tint_foreground,
)
from bdmm.perception.pose import Silhouette
from bdmm.records import KEYPOINT_NAMES


def grey():
    return np.full((120, 90, 3), 128, np.uint8)


def test_keypoints_lie_where_they_were_seen_in_the_colour_of_their_side():
    keypoints = torch.zeros(len(KEYPOINT_NAMES), 3)
    places = {"right_wrist": (20.5, 30.5, 0.9), "left_ankle": (60.5, 100.5, 0.9)}
    for name, values in places.items():
        keypoints[KEYPOINT_NAMES.index(name)] = torch.tensor(values)
    keypoints[KEYPOINT_NAMES.index("nose")] = torch.tensor([45.5, 10.5, 0.1])
    picture = draw_keypoints(grey(), keypoints)
    assert tuple(picture[30, 20]) == RIGHT
    assert tuple(picture[100, 60]) == LEFT
    assert (picture[:20] == 128).all()
    rows, columns = (picture != 128).any(axis=2).nonzero()
    near = [np.hypot(rows - y + 0.5, columns - x + 0.5) <= 4 for x, y, _ in places.values()]
    assert np.logical_or(*near).all()


def test_the_body_is_laid_over_its_own_outline():
    body, pose = load_body(), load_shipped("walk")[:1]
    points = body.vertices(pose.shape, pose.rotations)
    vertices = project(points, pose.scale, pose.translation)
    inside = rasterize(vertices, body.faces, pose.size).face[0].numpy() >= 0
    picture = draw_body(np.full((*pose.size, 3), 128, np.uint8), pose, body)
    covered = (picture != 128).any(axis=2)
    assert not (covered & ~inside).any()
    assert covered[inside].mean() > 0.95


def test_tint_and_rim():
    foreground = torch.zeros(120, 90)
    foreground[20:40, 30:50] = 1
    tinted = tint_foreground(grey(), foreground)
    assert ((tinted != 128).any(axis=2) == foreground.bool().numpy()).all()
    marked = mark_flagged(grey())
    assert tuple(marked[0, 45]) == tuple(marked[60, -1]) == ALARM
    assert (marked[10:-10, 10:-10] == 128).all()


def test_a_silhouette_is_laid_onto_its_place():
    """A square of 40 frame pixels from (20, 10) on, kept at half the size."""
    cutting = torch.zeros(1, 20, 20)
    cutting[0, 5:15, 5:15] = 1
    placed = Silhouette(0, cutting, (20.0, 10.0), 0.5).on((0.0, 0.0), 1.0, (100, 80))
    expected = torch.zeros(100, 80)
    expected[20:40, 30:50] = 1
    assert np.array_equal(placed.round(), expected.numpy())
