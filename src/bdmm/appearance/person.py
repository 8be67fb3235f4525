"""Photos of a person to what is known of them: one light, trust in each photo, an atlas."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from bdmm.appearance.atlas import SIDES, build_atlas
from bdmm.appearance.colour_match import match_colours, with_gain
from bdmm.appearance.completion import KindMaps, inpainted, seen_at_vertices
from bdmm.appearance.cross_sections import beside_arms
from bdmm.appearance.garments import find_kinds
from bdmm.appearance.hands import misplaced, skin_colour, unseen_hands
from bdmm.appearance.photo_view import PhotoView, photo_vertices, view_photo
from bdmm.appearance.same_person import strangers
from bdmm.body.model import AnnyBody, load_body
from bdmm.errors import InputError
from bdmm.records import Atlas, Person, Source

_TEXELS = 1.5
"""Texels of the atlas's side for each pixel of the photo's shorter side."""


@dataclass(frozen=True)
class PersonViews:
    """A person ready to be looked up.

    Attributes:
        body: the shipped one, on the person's device.
        views: of the photos.
        kinds: the shares of `garments.KINDS` at each of their pixels.
    """

    body: AnnyBody
    views: tuple[PhotoView, ...]
    kinds: tuple[KindMaps, ...]
    atlas: Atlas


def build_person(photos: Sequence[Source], names: Sequence[str] = ()) -> Person:
    """Bring photos to the first one's light and make the atlas.

    Args:
        photos: of one person, of one common shape.
        names: of the photos, for messages.

    Raises:
        InputError: a photo shows someone else, or other clothes.
    """
    body = load_body(photos[0].pose.body)
    views = _views(body, photos)
    if len(photos) > 1:
        gains = match_colours(body, views)
        photos = [
            replace(photo, image=with_gain(photo.image, gain))
            for photo, gain in zip(photos, gains, strict=True)
        ]
        views = _views(body, photos)
        for stranger in strangers(body, views):
            name = names[stranger] if names else f"photo {stranger + 1}"
            raise InputError(
                f"{name}: The person does not look like the one of the other photos, as arms and "
                "legs have other colours: leave the photo out."
            )
    kinds = find_kinds(body, views)
    return Person(tuple(photos), _atlas(body, _within_arms(body, views, kinds), kinds))


def view_person(person: Person) -> PersonViews:
    """Prepare a person for looking up, on the device of their photos."""
    body = load_body(person.photos[0].pose.body).to(person.photos[0].image.device)
    assert isinstance(body, AnnyBody)
    views = _views(body, person.photos)
    kinds = find_kinds(body, views)
    views = _within_arms(body, views, kinds)
    atlas = _atlas(body, views, kinds) if person.atlas is None else person.atlas
    return PersonViews(body, tuple(views), tuple(kinds), atlas)


def _atlas(body: AnnyBody, views: Sequence[PhotoView], kinds: Sequence[KindMaps]) -> Atlas:
    return build_atlas(body, views, atlas_side(views[0].geometry.size), kinds)


def atlas_side(size: tuple[int, int]) -> int:
    """Return the side of an atlas in texels for frames of (height, width)."""
    return next((side for side in SIDES if side >= _TEXELS * min(size)), SIDES[-1])


def resized(person: Person, size: int) -> Person:
    """Return a person whose first photo's shorter side has ``size`` pixels, the others in scale."""
    factor = size / min(person.photos[0].pose.size)
    return replace(person, photos=tuple(_scaled(photo, factor) for photo in person.photos))


def _scaled(photo: Source, factor: float) -> Source:
    height, width = (2 * round(side * factor / 2) for side in photo.pose.size)
    if (height, width) == photo.pose.size:
        return photo
    stretch = photo.pose.translation.new_tensor(
        [width / photo.pose.size[1], height / photo.pose.size[0]]
    )

    def scaled(picture: Tensor) -> Tensor:
        large = functional.interpolate(
            picture[None], (height, width), mode="bicubic", align_corners=False, antialias=True
        )
        return large[0].clamp(picture.min(), picture.max())

    pose = replace(
        photo.pose,
        scale=photo.pose.scale * stretch.mean(),
        translation=photo.pose.translation * stretch,
        size=(height, width),
    )
    return Source(scaled(photo.image), scaled(photo.foreground), scaled(photo.background), pose)


def _views(body: AnnyBody, photos: Sequence[Source]) -> list[PhotoView]:
    views = [view_photo(body, photo) for photo in photos]
    vertices = [photo_vertices(view.geometry) for view in views]
    colours = [view.colours_at(at[:, :2]) for view, at in zip(views, vertices, strict=True)]
    skins = [skin_colour(body, c, v.trust) for c, v in zip(colours, views, strict=True)]
    known = [skin for skin in skins if skin is not None]
    if not known:
        return views
    trusted = []
    for view, at, colour, own in zip(views, vertices, colours, skins, strict=True):
        skin = torch.stack(known).mean(dim=0) if own is None else own
        unseen = unseen_hands(body, view.source)
        hands, marks = misplaced(body, view.geometry, at, colour, skin, unseen)
        trust = torch.where(hands | marks, 0.0, view.trust)
        trusted.append(replace(view, trust=trust, misplaced=hands.to(trust), skin=skin))
    return trusted


def _within_arms(
    body: AnnyBody, views: Sequence[PhotoView], kinds: Sequence[KindMaps]
) -> list[PhotoView]:
    """Trust nothing that the fit puts beside an arm."""
    within = []
    for view, seen in zip(views, seen_at_vertices(views, inpainted(views, kinds)), strict=True):
        beside = beside_arms(body, seen.kinds, seen.weight)
        trust = torch.where(beside, 0.0, view.trust)
        within.append(replace(view, trust=trust, beside=beside.to(trust)))
    return within
