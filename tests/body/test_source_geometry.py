import math

import torch

from bdmm.body.source_geometry import GUARD, HAND_GUARD, foremost_limb
from bdmm.records import BONE_NAMES

HAND, SPINE = BONE_NAMES.index("left_hand"), BONE_NAMES.index("spine2")
SCALE = 100.0
RADIUS, HAND_RADIUS = round(GUARD * SCALE), round(HAND_GUARD * SCALE)


def test_the_foremost_limb_is_the_nearest_to_the_camera_around_hands_further_out():
    random = torch.Generator().manual_seed(4)
    bone = torch.randint(len(BONE_NAMES), (2, 17, 23), generator=random)
    depth = 40 * torch.randn(2, 17, 23, generator=random)
    empty = torch.rand(2, 17, 23, generator=random) < 0.6
    depth[empty], bone[empty] = math.inf, -1
    hands = torch.isin(
        bone,
        torch.tensor([i for i, n in enumerate(BONE_NAMES) if n.endswith(("_wrist", "_hand"))]),
    )
    near, limb = foremost_limb(depth, bone, SCALE)
    for t, row, column in torch.cartesian_prod(*map(torch.arange, depth.shape)).tolist():
        best, who = math.inf, -1
        for y in range(max(row - HAND_RADIUS, 0), min(row + HAND_RADIUS + 1, 17)):
            for x in range(max(column - HAND_RADIUS, 0), min(column + HAND_RADIUS + 1, 23)):
                close = max(abs(y - row), abs(x - column)) <= RADIUS
                if (close or hands[t, y, x]) and depth[t, y, x] < best:
                    best, who = float(depth[t, y, x]), int(bone[t, y, x])
        found = float(near[t, row, column])
        assert (math.isinf(found) and math.isinf(best)) or abs(found - best) <= 1 / 16
        assert limb[t, row, column] == who


def test_a_hand_reaches_further_than_the_back_behind_it():
    depth, bone = torch.full((1, 9, 9), math.inf), torch.full((1, 9, 9), -1)
    depth[0, 4, 4], bone[0, 4, 4] = -7.0, HAND
    _, limb = foremost_limb(depth, bone, SCALE)
    assert (limb == HAND).sum() == (2 * HAND_RADIUS + 1) ** 2
    bone[0, 4, 4] = SPINE
    assert (foremost_limb(depth, bone, SCALE)[1] == SPINE).sum() == (2 * RADIUS + 1) ** 2
