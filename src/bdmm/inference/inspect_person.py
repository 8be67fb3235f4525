"""What each photo of a person gave, the atlas, and what was completed, as one sheet."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.appearance.atlas import SURE, spread_texels, texels_of
from bdmm.appearance.person import PersonViews, view_person
from bdmm.appearance.photo_choice import shares_shown, vertex_areas
from bdmm.appearance.photo_view import on_surface
from bdmm.body.viewpoint import seen_from
from bdmm.conditioning import condition_person
from bdmm.inference.renderers import coarse_frames
from bdmm.media.image import Picture, picture_size, resize_image
from bdmm.media.overlay import draw_body
from bdmm.media.pixels import to_pictures
from bdmm.records import Person

COLOURS = {
    "blue": (60, 110, 230), "orange": (240, 140, 30), "green": (40, 170, 80),
    "purple": (150, 70, 200), "yellow": (235, 205, 40), "cyan": (40, 190, 205),
    "pink": (235, 110, 170), "brown": (140, 90, 50),
}  # fmt: skip
"""Of photos, in their order; what was completed is grey."""
_GREY = (150, 150, 150)
_HEIGHT = 480
"""Of a row of pictures."""
_BAR = 12
"""Height of the bar above a photo, in its colour."""
_AROUND = (0.0, 90.0, 180.0, 270.0)


def inspect_person(person: Person) -> tuple[Picture, list[float]]:
    """Draw what is known of a person, and from where.

    Returns:
        Three rows, and the shares of the body's surface that each photo gave; the rest was
        completed. First row: the photos with the fitted body under a bar in the photo's colour,
        the atlas, and the atlas in the colours of what gave it. Second row: the person from four
        sides. Third row: the same in those colours.
    """
    known = view_person(person)
    shares = surface_shares(known)
    colours = _real([*list(COLOURS.values())[: len(known.views)], _GREY])
    marked = _marked(known, shares, colours)
    photos = []
    for view, colour in zip(known.views, COLOURS.values(), strict=False):
        (photo,) = to_pictures(view.source.image[None])
        photo = draw_body(photo, view.source.pose, known.body)
        photo = _as_tall(photo, _HEIGHT)
        photo[:_BAR] = colour
        photos.append(photo)
    for one in (known, marked):
        photos += [_as_tall(sheet, _HEIGHT) for sheet in to_pictures(one.atlas.colours[None])]
    rows = [photos, _seen_around(known), _seen_around(marked)]
    area = vertex_areas(known.body.template, known.body)
    given = (shares * area).sum(dim=1) / area.sum()
    return _stacked([np.concatenate(row, axis=1) for row in rows]), given[:-1].tolist()


def surface_shares(person: PersonViews) -> Float[Tensor, "k v"]:
    """Return the share of each photo in each vertex's colour in the atlas; last the completed."""
    trust = torch.stack([view.trust for view in person.views])
    known = (trust.amax(dim=0) / SURE).clamp(max=1)
    weight = trust.square()
    given = known * weight / weight.sum(dim=0).clamp(min=1e-6)
    return torch.cat((given, 1 - given.sum(dim=0, keepdim=True)))


def _marked(
    person: PersonViews, shares: Float[Tensor, "k v"], colours: Float[Tensor, "k 3"]
) -> PersonViews:
    """Return the person in the colours of what gave each point."""
    views = []
    for view, colour in zip(person.views, colours[:-1], strict=True):
        plain = colour[:, None, None].expand_as(view.appearance[0, :3])
        appearance = torch.cat((plain[None], view.appearance[:, 3:]), dim=1)
        views.append(replace(view, appearance=appearance))
    texels = texels_of(person.body, person.atlas.colours.shape[-1])
    channels = [
        on_surface(texels.face, texels.barycentric, person.body.faces, one)
        for one in (shares.T @ colours).T.contiguous()
    ]
    marks = torch.stack(channels, dim=1)
    atlas = spread_texels(texels, marks, marks.new_zeros(len(marks)))
    return replace(person, views=tuple(views), atlas=atlas)


def _seen_around(person: PersonViews) -> list[Picture]:
    source = person.views[0].source
    frames = []
    for degrees in _AROUND:
        motion = seen_from(source.pose, torch.tensor([degrees]))
        shares = shares_shown(person.views[0].geometry.body, person.views, motion)
        conditions = condition_person(person, motion, shares)
        frames.append(coarse_frames(source, conditions, torch.ones_like(source.image)))
    return [_as_tall(one, _HEIGHT) for one in to_pictures(torch.cat(frames))]


def _real(colours: Sequence[tuple[int, int, int]]) -> Float[Tensor, "k 3"]:
    return torch.tensor(colours) / 127.5 - 1


def _as_tall(picture: Picture, height: int) -> Picture:
    rows, columns = picture_size(picture)
    return resize_image(picture, (height, max(round(columns * height / rows), 1))).copy()


def _stacked(rows: Sequence[Picture]) -> Picture:
    """Put rows below each other on white."""
    width = max(row.shape[1] for row in rows)
    white = [
        np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255)
        for row in rows
    ]
    return np.concatenate(white)
