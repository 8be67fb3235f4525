"""One colour for each bone, for parts of the body of which the photo shows nothing."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.body.bones import OTHER_SIDE
from bdmm.body.regions import nearest_pixel
from bdmm.body.source_geometry import HAND_GUARD, SourceGeometry
from bdmm.records import BONE_NAMES, BONE_PARENTS
from bdmm.shapes import Image

ENOUGH = 12
"""Pixels that a bone must show to have a colour of its own."""
UNLIKE_SKIN = 0.7
"""Difference from the skin's colour beyond which a pixel isn't of a hand."""
HEAD = BONE_NAMES.index("head")
ARMS = [b for b, n in enumerate(BONE_NAMES) if n.endswith(("_elbow", "_wrist", "_hand"))]
"""From the elbow on."""
_HANDS = [
    (BONE_NAMES.index(f"{side}_hand"), BONE_NAMES.index(f"{side}_wrist"))
    for side in ("left", "right")
]
"""Fingers and palm."""
_HAIRLINE, _FACE = 0.22, (0.4, 0.9)
"""Shares of the head's height in the photo, from the top: what is hair, and what is face."""
_MOST = 0.5
"""Share of the fingers' pixels beside other parts of the body from which on they may be hidden."""


def bone_palette(person: Image, geometry: SourceGeometry) -> Float[Tensor, "n 3"]:
    """Return the colour in which parts of each bone are painted that the photo doesn't show.

    The median of the bone's pixels; of the other side's bone, else of the parent, where the photo
    shows too few. The head's is that of the hair: unseen parts of a head are its back and top.
    Hands whose place in the photo shows clothes (the fit doesn't know fingers, and they may be in
    a pocket) have the face's colour.

    Args:
        person: the photo with the person's colours spread beyond its rim (`spread_person`).
        geometry: of the same photo.
    """
    shown = geometry.maps
    bone = torch.where(shown.on_mesh & shown.person, shown.segment, -1)
    colours = person.flatten(1)
    down, across = _on_head(bone, person.shape[2])
    face = colours[:, (bone == HEAD) & _within(down, *_FACE) & _within(across, 0.3, 0.7)]
    hair = (bone != HEAD) | (down <= _HAIRLINE)
    beside = ~shown.on_mesh & shown.person & (shown.segment == HEAD)
    bone = torch.where(beside, HEAD, torch.where(hair, bone, -1))
    medians = [_median(colours[:, bone == index]) for index in range(len(BONE_NAMES))]
    skin, clothed = _median(face), trunk_beside(geometry).flatten() >= 0
    for fingers, palm in _HANDS:
        there = bone == fingers
        found = _fingers(colours[:, there], clothed[there], skin)
        if found is None:
            continue
        wrong, own = medians[fingers], medians[palm]
        medians[fingers] = found
        if own is not None and wrong is not None and (own - wrong).norm() < UNLIKE_SKIN:
            medians[palm] = found  # not a cuff
    everything = colours[:, shown.person]
    resolved = [(everything if everything.numel() else colours).mean(dim=1)]
    for index, parent in enumerate(BONE_PARENTS):
        own, other = medians[index], medians[OTHER_SIDE[index]]
        inherited = resolved[parent + 1]
        resolved.append(own if own is not None else other if other is not None else inherited)
    return torch.stack(resolved[1:])


def trunk_beside(geometry: SourceGeometry) -> Int[Tensor, "h w"]:
    """Return the bone that isn't an arm's within `HAND_GUARD` of each of the photo's pixels, or -1.

    What a hand copies there may be of that bone.
    """
    shown = geometry.maps
    bone = torch.where(shown.on_mesh & shown.person, shown.segment, -1).view(1, *geometry.size)
    trunk = (bone >= 0) & ~torch.isin(bone, bone.new_tensor(ARMS))
    row, column = nearest_pixel(trunk, reach_of_hand(geometry))
    return torch.where(row >= 0, bone[0, row.clamp(min=0), column.clamp(min=0)], -1)[0]


def reach_of_hand(geometry: SourceGeometry) -> int:
    """Return `HAND_GUARD` in pixels."""
    return max(1, round(geometry.pixels(HAND_GUARD)))


def _on_head(bone: Int[Tensor, "n"], width: int) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
    """Return pixels' places down and across the head: 0 to 1 on it, below 0 without a head."""
    index = torch.arange(len(bone), device=bone.device)
    places = []
    for place in (index // width, index % width):
        head = place[bone == HEAD].float()
        low, high = (head.min(), head.max()) if len(head) else (place.max() + 1, place.max() + 2)
        places.append((place - low) / (high - low).clamp(min=1))
    return places[0], places[1]


def _within(place: Float[Tensor, "n"], low: float, high: float) -> Bool[Tensor, "n"]:
    return (place > low) & (place < high)


def _fingers(
    hand: Float[Tensor, "3 n"], clothed: Bool[Tensor, "n"], skin: Float[Tensor, "3"] | None
) -> Float[Tensor, "3"] | None:
    """Return the colour of fingers that mostly miss their place in the photo; None if they don't.

    Args:
        hand: colours where the fit has the fingers.
        clothed: which of these places are close to other parts of the body.
        skin: the face's colour, if it is known.
    """
    own = _median(hand)
    if skin is None or own is None or (own - skin).norm() < UNLIKE_SKIN:
        return None
    bare = _median(hand[:, (hand - skin[:, None]).norm(dim=0) < UNLIKE_SKIN])
    return skin if bare is None and clothed.float().mean() > _MOST else bare


def _median(pixels: Float[Tensor, "3 n"]) -> Float[Tensor, "3"] | None:
    return pixels.median(dim=1).values if pixels.shape[1] >= ENOUGH else None
