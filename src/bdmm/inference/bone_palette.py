"""One colour for each bone, for parts of the body of which the photo shows nothing."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bdmm.body.source_geometry import SourceGeometry
from bdmm.records import BONE_NAMES, BONE_PARENTS
from bdmm.shapes import Image

ENOUGH = 12
"""Pixels that a bone must show to have a colour of its own."""
UNLIKE_SKIN = 0.7
"""Difference from the skin's colour beyond which a pixel isn't of a hand."""
HEAD = BONE_NAMES.index("head")
_FINGERS = [bone for bone, name in enumerate(BONE_NAMES) if name.endswith("_hand")]
_HAIRLINE, _BROW = 0.22, 0.4
"""Shares of the head's height in the photo, from the top: what is hair, what is above the face."""
_SOME = 0.1
"""Share of a hand's pixels that must be skin to tell that the others are something else."""


def bone_palette(person: Image, geometry: SourceGeometry) -> Float[Tensor, "n 3"]:
    """Return the colour in which parts of each bone are painted that the photo doesn't show.

    The median of the bone's pixels; of the other side's bone, else of the parent, where the photo
    shows too few. The head's is that of the hair: unseen parts of a head are its back and top. Of
    fingers that mostly miss their place in the photo only what looks like the face counts.

    Args:
        person: the photo with the person's colours spread beyond its rim (`spread_person`).
        geometry: of the same photo.
    """
    shown = geometry.everywhere()
    bone = torch.where(shown.on_mesh & shown.person, shown.segment, -1)
    colours = person.flatten(1)
    row = torch.arange(len(bone), device=bone.device) // person.shape[2]
    face = colours[:, (bone == HEAD) & (row > _row_of_head(bone, row, _BROW))]
    hair = (bone != HEAD) | (row <= _row_of_head(bone, row, _HAIRLINE))
    beside = ~shown.on_mesh & shown.person & (shown.segment == HEAD)
    bone = torch.where(beside, HEAD, torch.where(hair, bone, -1))
    medians: list[Tensor | None] = []
    for index in range(len(BONE_NAMES)):
        pixels = colours[:, bone == index]
        if index in _FINGERS:
            pixels = _of_skin(pixels, face)
        medians.append(_median(pixels))
    everything = colours[:, shown.person]
    resolved = [(everything if everything.numel() else colours).mean(dim=1)]
    for index, parent in enumerate(BONE_PARENTS):
        own, other = medians[index], medians[_mirrored(index)]
        inherited = resolved[parent + 1]
        resolved.append(own if own is not None else other if other is not None else inherited)
    return torch.stack(resolved[1:])


def _row_of_head(bone: Int[Tensor, "n"], row: Int[Tensor, "n"], share: float) -> float:
    """Return the row that lies below a share of the head's height; 0 where there is no head."""
    rows = row[bone == HEAD]
    return float(rows[0] + share * (rows[-1] - rows[0])) if len(rows) else 0.0


def _of_skin(hand: Float[Tensor, "3 n"], face: Float[Tensor, "3 m"]) -> Float[Tensor, "3 k"]:
    """Return a hand's pixels, without those that aren't skin if most aren't but some are."""
    skin, own = _median(face), _median(hand)
    if skin is None or own is None or (own - skin).norm() < UNLIKE_SKIN:
        return hand
    like = hand[:, (hand - skin[:, None]).norm(dim=0) < UNLIKE_SKIN]
    return like if like.shape[1] >= max(_SOME * hand.shape[1], ENOUGH) else hand


def _median(pixels: Float[Tensor, "3 n"]) -> Float[Tensor, "3"] | None:
    return pixels.median(dim=1).values if pixels.shape[1] >= ENOUGH else None


def _mirrored(bone: int) -> int:
    name = BONE_NAMES[bone]
    side, _, rest = name.partition("_")
    other = {"left": "right", "right": "left"}.get(side)
    return BONE_NAMES.index(f"{other}_{rest}") if other else bone
