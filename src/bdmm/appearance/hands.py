"""Hands in a photo: the fit does not know fingers and may lay them on clothes, and clothes on them.

Both are judged by the skin's colour, once per photo. MediaPipe's hand model says whether a hand is
seen at all: one in a pocket is not. A hand that shows clothes is never copied
(`PhotoView.misplaced`); clothes that show a hand are not trusted beyond their own pixels.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.appearance.photo_view import smoothed_over
from bdmm.body.bones import HANDS, IS_HAND
from bdmm.body.camera import project
from bdmm.body.clothed_body import vertex_normals
from bdmm.body.model import PART_NAMES, AnnyBody
from bdmm.body.regions import nearest_pixel
from bdmm.body.source_geometry import HAND_GUARD, SourceGeometry
from bdmm.media.pixels import to_pictures
from bdmm.perception.pose_network import HandNetwork, hand_side
from bdmm.records import BONE_NAMES, KEYPOINT_NAMES, Source

SEEN, SMALLEST = 0.3, 45.0
"""Score of a hand from which it is seen, and pixels of its region from which that is asked: at 30
pixels the model misses half of the hands that are held out."""
UNLIKE_SKIN = 0.7
"""Distance from the skin's colour beyond which a point is not part of a hand."""
NEAR_HAND = 0.09
"""Metres around a hand within which a point of the skin's colour is the hand's."""
ARMS = [b for b, n in enumerate(BONE_NAMES) if n.endswith(("_elbow", "_wrist", "_hand"))]
"""From the elbow on."""
_ENOUGH = 12
_CREASE, _DEEP, _DARKEST = 10, 0.01, 0.35
"""Smoothings over a crease, metres of depth that would leave no light, the most light taken."""


def skin_colour(
    body: AnnyBody, colours: Float[Tensor, "v 3"], trust: Float[Tensor, "v"]
) -> Float[Tensor, "3"] | None:
    """Return the face's median colour; None where a photo does not show it."""
    face = (body.parts == PART_NAMES.index("face")) & (trust > 0.5)
    return colours[face].median(dim=0).values if face.sum() >= _ENOUGH else None


def unlike_skin(colours: Float[Tensor, "n 3"], skin: Float[Tensor, "3"]) -> Bool[Tensor, "n"]:
    """Return which colours are no part of a bare hand."""
    return (colours - skin).norm(dim=1) >= UNLIKE_SKIN


def hand_relief(body: AnnyBody) -> Float[Tensor, "v"]:
    """Return the share of light at each vertex of the hands, less in creases; 1 elsewhere.

    A crease lies below the surface around it: the smoothed surface is further out along the normal.
    """
    at = body.rest_vertices(torch.zeros(1, body.shape_size))[0]
    out = ((smoothed_over(body, at, _CREASE) - at) * vertex_normals(at, body.faces)).sum(dim=1)
    hands = body.parts == PART_NAMES.index("hands")
    depth = (out - out[hands].median()).clamp(min=0) * hands
    return 1 - smoothed_over(body, (depth / _DEEP).clamp(max=_DARKEST), 2)


def unseen_hands(body: AnnyBody, source: Source) -> list[int]:
    """Return the bones of hands that a photo large enough to tell does not show."""
    points = body.keypoints(source.pose.shape, source.pose.rotations)
    places = project(points, source.pose.scale, source.pose.translation)[0, :, :2].cpu().numpy()
    (picture,) = to_pictures(source.image[None])
    network, unseen = HandNetwork(), list[int]()
    for side in ("left", "right"):
        wrist, index, pinky = (
            places[KEYPOINT_NAMES.index(f"{side}_{name}")] for name in ("wrist", "index", "pinky")
        )
        knuckles = (index + pinky) / 2
        if hand_side(wrist, knuckles) < SMALLEST:
            continue
        if network.score(picture, wrist, knuckles) < SEEN:
            unseen += [bone for bone in HANDS if BONE_NAMES[bone].startswith(side)]
    return unseen


def misplaced(
    body: AnnyBody,
    geometry: SourceGeometry,
    vertices: Float[Tensor, "v 3"],
    colours: Float[Tensor, "v 3"],
    skin: Float[Tensor, "3"],
    unseen: list[int],
) -> tuple[Bool[Tensor, "v"], Bool[Tensor, "v"]]:
    """Return which vertices of the hands show clothes in a photo, and which others show a hand.

    Args:
        unseen: bones of hands of which nothing is to be copied.
    """
    bone = body.vertex_bones
    hand = IS_HAND.to(bone.device)[bone]
    arm = torch.isin(bone, bone.new_tensor(ARMS))
    by_clothes = _near(geometry, ~_of(geometry, ARMS), HAND_GUARD, vertices)
    by_hand = _near(geometry, _of(geometry, HANDS), NEAR_HAND, vertices)
    own = _bone_colours(bone, colours)[bone]
    clothes = unlike_skin(colours, skin)
    like_hand = ~clothes & ((colours - skin).norm(dim=1) < (colours - own).norm(dim=1))
    hidden = torch.isin(bone, bone.new_tensor(unseen))
    return hidden | (hand & clothes & by_clothes), ~arm & by_hand & like_hand


def _of(geometry: SourceGeometry, bones: list[int]) -> Bool[Tensor, "p"]:
    segment = geometry.maps.segment
    return torch.isin(segment, segment.new_tensor(bones))


def _near(
    geometry: SourceGeometry, region: Bool[Tensor, "p"], metres: float, vertices: Tensor
) -> Bool[Tensor, "v"]:
    """Return which vertices lie in the photo near a region of the body."""
    region = region & geometry.maps.on_mesh & geometry.maps.person
    row, _ = nearest_pixel(region.view(1, *geometry.size), max(1, round(geometry.pixels(metres))))
    height, width = geometry.size
    x, y = vertices[:, :2].floor().long().unbind(dim=1)
    return row[0, y.clamp(0, height - 1), x.clamp(0, width - 1)] >= 0


def _bone_colours(bone: Int[Tensor, "v"], colours: Float[Tensor, "v 3"]) -> Float[Tensor, "n 3"]:
    return torch.stack([colours[bone == i].median(dim=0).values for i in range(len(BONE_NAMES))])
