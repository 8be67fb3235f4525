"""The atlas: colours of a person's whole surface, once per person, in the body's own UVs.

Where photos show the surface, a texel is their mean, weighted by the square of trust. Elsewhere it
is completed (`completion`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.appearance.completion import Fallback, KindMaps, complete
from bdmm.appearance.hands import unlike_skin
from bdmm.appearance.photo_view import PhotoView, on_surface
from bdmm.appearance.visibility import shown, shown_bone
from bdmm.body.bones import IS_HAND, OTHER_SIDE
from bdmm.body.model import AnnyBody
from bdmm.body.rasterize import rasterize
from bdmm.body.regions import nearest_pixel
from bdmm.kernels.warp import warp
from bdmm.records import Atlas

SIDES = (256, 512, 1024)
"""Texels of an atlas's side: 256 match frames of 256 pixels."""
SURE = 0.3
"""Trust from which on a texel is as the photos show it."""
_THICK = 0.1
"""Metres through the body over which its front's likeness to its back falls to 1/e."""
_MIRRORED = 0.2
"""Likeness of a mirrored point."""
_GUTTER = 8
"""Texels beyond the charts' borders that carry their colours: bilinear samples reach over them."""


@dataclass(frozen=True)
class Texels:
    """The texels of an atlas that lie on the body.

    Attributes:
        index: ``n`` row by row.
        face: ``n`` of the body's mesh.
        barycentric: ``n 3`` weights of its corners.
    """

    side: int
    index: Int[Tensor, "n"]
    face: Int[Tensor, "n"]
    barycentric: Float[Tensor, "n 3"]

    def some(self, chosen: Bool[Tensor, "n"]) -> "Texels":
        """Return the chosen ones."""
        return Texels(self.side, self.index[chosen], self.face[chosen], self.barycentric[chosen])


def texels_of(body: AnnyBody, side: int) -> Texels:
    """Draw the body's charts."""
    flat = torch.nn.functional.pad(body.uv * side, (0, 1))
    raster = rasterize(flat[None], body.face_uv, (side, side))
    index = torch.nonzero(raster.face.flatten() >= 0)[:, 0]
    return Texels(side, index, raster.face.flatten()[index], raster.barycentric.view(-1, 3)[index])


def build_atlas(
    body: AnnyBody, views: Sequence[PhotoView], side: int, kinds: Sequence[KindMaps] | None = None
) -> Atlas:
    """Return the atlas of a person.

    Args:
        body: the shipped one; views have it in clothes.
        kinds: see `complete`.
    """
    texels = texels_of(body, side)
    parts = [_seen(view, texels) for view in views]
    weight = torch.stack([trust.square() for _, trust in parts])
    total = weight.sum(dim=0)
    colours = torch.stack([colour for colour, _ in parts])
    seen = (weight[..., None] * colours).sum(dim=0) / total.clamp(min=1e-6)[:, None]
    trust = torch.stack([trust for _, trust in parts]).amax(dim=0)
    known = (trust / SURE).clamp(max=1)
    lacking = known < 1
    hidden = texels.some(lacking)
    made = complete(body, views, kinds, [_fallback(view, hidden) for view in views], hidden)
    texture = known[:, None] * seen
    texture[lacking] += (1 - known[lacking])[:, None] * made
    return spread_texels(texels, texture, trust)


def look_up(
    atlas: Atlas,
    body: AnnyBody,
    face: Int[Tensor, "n"],
    barycentric: Float[Tensor, "n 3"],
) -> Float[Tensor, "3 n"]:
    """Return the surface's colours at points of faces."""
    corners = body.uv[body.face_uv[face]]
    grid = 2 * (corners * barycentric[..., None]).sum(dim=-2) - 1
    return warp(atlas.colours[None], grid[None, None], beyond="border")[0, :, 0]


def _seen(view: PhotoView, texels: Texels) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n"]]:
    """Return the colours that a photo shows, and with how much trust."""
    geometry = view.geometry
    xy, depth = _interpolate(geometry.corners, texels)
    bone, sample = geometry.face_bones[texels.face], geometry.at(xy)
    visible = shown(geometry, sample, depth, bone) & (geometry.facing[texels.face] > 0)
    inside = torch.where((sample.person | sample.interior)[:, None], xy, sample.interior_xy)
    trust = on_surface(texels.face, texels.barycentric, geometry.faces, view.trust)
    return view.colours_at(inside), trust * visible


def _fallback(view: PhotoView, texels: Texels) -> Fallback:
    """Return what a photo shows in place of each texel: through the body, or its mirror image.

    Through the body where the photo shows the same or an adjacent bone there, front or back;
    else the mirrored point on the body's other side, where the photo shows that. The thicker the
    body is there, the less does its front tell of its back's colours. A hand takes nothing unlike
    skin: the fit lays fingers on clothes.
    """
    geometry = view.geometry
    xy, behind = _interpolate(geometry.corners, texels)
    bone = geometry.face_bones[texels.face]
    sample = geometry.at(xy)
    through = shown_bone(geometry, sample, bone)
    thick = (behind - sample.deepest).clamp(min=0) / geometry.pixels(_THICK)
    mirrored, depth = _interpolate(geometry.mirrored_corners, texels)
    bone = OTHER_SIDE.to(bone.device)[bone]
    sample = geometry.at(mirrored)
    other = shown(geometry, sample, depth, bone) & (geometry.mirrored_facing[texels.face] > 0)
    mirrored = torch.where(sample.interior[:, None], mirrored, sample.interior_xy)
    place = torch.where(through[:, None], xy, mirrored)
    known = torch.where(through, torch.exp(-thick.square()), _MIRRORED * other)
    if view.skin is not None:
        hand = IS_HAND.to(bone.device)[bone]
        known = known * ~(hand & unlike_skin(view.colours_at(place), view.skin))
    return Fallback(place, known)


def _interpolate(
    corners: Float[Tensor, "f 3 3"], texels: Texels
) -> tuple[Float[Tensor, "n 2"], Float[Tensor, "n"]]:
    point = (texels.barycentric[..., None] * corners[texels.face]).sum(dim=1)
    return point[:, :2], point[:, 2]


def spread_texels(
    texels: Texels, colours: Float[Tensor, "n 3"], trust: Float[Tensor, "n"]
) -> Atlas:
    """Lay texels on the sheet and repeat them beyond the charts' borders."""
    side = texels.side
    sheet = colours.new_zeros(side * side, 4)
    sheet[texels.index] = torch.cat((colours, trust[:, None]), dim=1)
    used: Bool[Tensor, "h w"] = torch.zeros(side * side, dtype=torch.bool, device=sheet.device)
    used[texels.index] = True
    used = used.view(1, side, side)
    row, column = nearest_pixel(used, _GUTTER)
    gutter = (~used & (row >= 0))[0].flatten()
    sheet[gutter] = sheet[(row * side + column).flatten()[gutter]]
    sheet = sheet.T.reshape(4, side, side)
    return Atlas(sheet[:3].clamp(-1, 1).contiguous(), sheet[3:].contiguous())
