"""Regions of anny's mesh that dress a sample person."""

from itertools import pairwise

import torch
from anny import Anny
from anny.face_segmentation import get_face_segmentation_mask
from body_keypoints import keypoint_places
from torch import Tensor

from bdmm.body.model import PART_NAMES
from bdmm.records import BONE_NAMES

BONE_PARTS = {
    "arms": ("shoulder", "elbow"),
    "legs": ("hip", "knee"),
    "hands": ("wrist", "hand"),
    "feet": ("ankle", "foot"),
}
SUPPORTS = {
    "ears": (0.1, ("l-ear-wing-incr", "r-ear-wing-incr")),
    "lips": (0.35, ("mouth-lowerlip-volume-incr", "mouth-upperlip-volume-incr")),
}
"""Local changes of anny that move one region only, and the share of their largest motion that
counts as inside."""
EAR_CANAL = 0.018
"""What is this near to an ear keypoint (metres) belongs to the ear too."""
CAVITIES = {"mouth": ["mouth_cavity"], "eyes": ["eye_cavity.L", "eye_cavity.R"]}
HAIRLINE = (
    (-0.115, -0.070),
    (-0.055, -0.048),
    (-0.03, 0.0),
    (0.02, 0.0),
    (0.03, 0.035),
    (0.07, 0.045),
)
"""(depth behind the ear, height below it) of the hairline from forehead to nape, metres."""


def label_faces(
    model: Anny, template: Tensor, vertex_bones: Tensor, keypoints: Tensor
) -> tuple[Tensor, Tensor]:
    """Return each vertex's and each face's index into PART_NAMES.

    Args:
        model: anny.
        template: ``v 3`` the mean person, camera axes.
        vertex_bones: ``v`` the dominant of our bones.
        keypoints: ``29 v`` weights of the keypoints.
    """
    parts = torch.full((len(template),), PART_NAMES.index("torso"))
    for part, bones in BONE_PARTS.items():
        for side in ("left", "right"):
            for bone in bones:
                parts[vertex_bones == BONE_NAMES.index(f"{side}_{bone}")] = PART_NAMES.index(part)
    parts[vertex_bones == BONE_NAMES.index("neck")] = PART_NAMES.index("neck")
    head = vertex_bones == BONE_NAMES.index("head")
    parts[head] = PART_NAMES.index("face")
    parts[(head | (parts == PART_NAMES.index("neck"))) & above_hairline(template, keypoints)] = (
        PART_NAMES.index("scalp")
    )
    for part, (share, changes) in SUPPORTS.items():
        for change in changes:
            column = model.blendshape_labels.index(f"local_change:{change}")
            moved = model.blendshapes[column].norm(dim=1)
            parts[(moved > share * moved.max()) & head] = PART_NAMES.index(part)
    places = keypoint_places(template, keypoints)
    for ear in (places["left_ear"], places["right_ear"]):
        parts[(template - ear).norm(dim=1) < EAR_CANAL] = PART_NAMES.index("ears")
    inside = {part: get_face_segmentation_mask(model, names) for part, names in CAVITIES.items()}
    faces = model.faces.long()
    # A face belongs to the region that most of its corners are in.
    face_parts = parts[faces].mode(dim=1).values
    for part, mask in inside.items():
        rim = torch.zeros(len(template), dtype=torch.bool)
        rim[faces[~mask].flatten()] = True
        deep = torch.zeros_like(rim)
        deep[faces[mask].flatten()] = True
        parts[deep & ~rim] = PART_NAMES.index(part)
        face_parts[mask] = PART_NAMES.index(part)
    return parts, face_parts


def above_hairline(template: Tensor, keypoints: Tensor) -> Tensor:
    """Return ``v`` which vertices would be above a short hairline."""
    ear = keypoint_places(template, keypoints)["left_ear"]
    depth, height = (template[:, axis] - ear[axis] for axis in (2, 1))
    line = torch.full_like(depth, HAIRLINE[0][1])
    for (start, high), (end, low) in pairwise(HAIRLINE):
        share = ((depth - start) / (end - start)).clamp(0, 1)
        line = torch.where(depth > start, high + share * (low - high), line)
    return height < line
