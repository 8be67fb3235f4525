from dataclasses import replace

import numpy as np
import pytest
import torch

from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.errors import InputError
from bdmm.inference.source_frames import choose_frames, source_shots
from bdmm.media.image import write_image
from bdmm.records import Motion


def turned(pose: Motion, yaws: list[float]) -> Motion:
    turns = torch.zeros(len(yaws), 3)
    turns[:, 1] = torch.deg2rad(torch.tensor(yaws))
    rotations = pose.rotations.repeat(len(yaws), 1, 1, 1)
    rotations[:, 0] = axis_angle_to_matrix(turns)
    count = len(yaws)
    return replace(
        pose,
        rotations=rotations,
        scale=pose.scale.repeat(count),
        translation=pose.translation.repeat(count, 1),
        flagged=torch.zeros(count, dtype=torch.bool),
    )


def test_frames_of_all_sides_are_chosen(source):
    motion = turned(source.pose, [80, 100, 0, 20, -95, 170, -175])
    even = torch.ones(len(motion))
    chosen = choose_frames(motion, 2 * even, even)
    assert chosen == [2, 6, 0, 4] or chosen == [2, 6, 1, 4]


def test_sharp_and_trusted_frames_win(source):
    motion = turned(source.pose, [0, 10, 5, 3])
    sharp, error = torch.tensor([0.2, 1.0, 1.0, 1.0]), torch.tensor([2.0, 2.0, 9.0, 2.0])
    motion = replace(motion, flagged=torch.tensor([False, False, False, True]))
    assert choose_frames(motion, error, sharp) == [1]


def test_nobody_gives_no_frames(source):
    motion = turned(source.pose, [0, 90])
    assert choose_frames(motion, torch.full((2,), torch.inf), torch.ones(2)) == []


def test_a_folder_gives_its_pictures_in_the_order_of_names(tmp_path):
    for i, name in enumerate(("b.png", "a.png")):
        write_image(tmp_path / name, np.full((8, 6, 3), 40 * i, np.uint8))
    shots = source_shots(tmp_path)
    assert [shot.name for shot in shots] == ["a.png", "b.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds 0 pictures"):
        source_shots(tmp_path / "empty")
