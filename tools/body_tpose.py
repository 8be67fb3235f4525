"""How each bone turns from anny's rest pose to an idealised SMPL-like T-pose."""

import torch
from torch import Tensor

from bdmm.body.rotations import frame, rotation_between
from bdmm.records import BONE_NAMES

DOWN = torch.tensor([0.0, 1.0, 0.0])
FRONT = torch.tensor([0.0, 0.0, -1.0])


def t_pose_rotations(joints: Tensor) -> Tensor:
    """Return ``24 3 3`` global rotations from the rest pose to the T-pose.

    In the T-pose the arms are level and straight with elbows that bend forwards and palms that
    face down; shanks are vertical; spine, collars, thighs and feet keep anny's directions, which
    are close to SMPL's. It is not SMPL's own template, only its convention.

    Args:
        joints: ``24 3`` rest positions, camera axes.
    """
    place: dict[str, Tensor] = dict(zip(BONE_NAMES, joints, strict=True))
    turns: dict[str, Tensor] = {bone: torch.eye(3) for bone in BONE_NAMES}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        outward = torch.tensor([sign, 0.0, 0.0])
        shoulder, elbow, wrist, hand = (
            place[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist", "hand")
        )
        upper, lower = elbow - shoulder, wrist - elbow
        # The elbow bends in the plane of the two bones; in the T-pose that plane is level.
        hinge = torch.linalg.cross(upper, lower)
        level = torch.linalg.cross(outward, FRONT)
        for bone, along in (("shoulder", upper), ("elbow", lower)):
            turns[f"{side}_{bone}"] = frame(outward, level) @ frame(along, hinge).mT
        # The forearm's turn carries the hand; what is left straightens it.
        carried = turns[f"{side}_elbow"] @ (hand - wrist)
        turns[f"{side}_wrist"] = rotation_between(carried, outward) @ turns[f"{side}_elbow"]
        turns[f"{side}_hand"] = turns[f"{side}_wrist"]
        shank = place[f"{side}_ankle"] - place[f"{side}_knee"]
        turns[f"{side}_knee"] = rotation_between(shank, DOWN)
    return torch.stack([turns[bone] for bone in BONE_NAMES])
