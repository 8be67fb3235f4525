"""Clothes of another person, on a person.

Each photo of the person is made anew: the other one is moved into its pose, on this person's body
in the other one's clothes, and their garment is laid over the photo. What it no longer covers is
this person: skin or their next garment, whose colours are carried over the surface from where the
photos show it. The atlases are joined likewise. The result is a person like any other.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from bdmm.appearance.atlas import build_atlas, spread_texels, texels_of
from bdmm.appearance.colour_match import match_colours, with_gain
from bdmm.appearance.completion import kind_colours, seen_at_vertices
from bdmm.appearance.garments import GARMENTS, KINDS, vertex_kinds
from bdmm.appearance.person import PersonViews, resized, view_person
from bdmm.appearance.photo_choice import shares_shown
from bdmm.appearance.photo_view import PhotoView, on_surface, photo_vertices
from bdmm.body.bones import HANDS
from bdmm.body.camera import project
from bdmm.body.clothed_body import vertex_normals
from bdmm.body.model import PART_NAMES, AnnyBody
from bdmm.body.rasterize import rasterize
from bdmm.conditioning import condition_person
from bdmm.errors import InputError
from bdmm.kernels.picture_filters import smoothed
from bdmm.kernels.push_pull import push_pull, spread_person
from bdmm.records import BONE_NAMES, Atlas, Person, PixelState, Source

_LARGEST = 2048
"""Pixels of the other one's photo at most, when it is brought to this person's scale."""
_SHOWN = 0.04
"""Share of a garment's place on the body at which photos show the garment; shorts have 0.1."""
_LIKELY = 0.5
_DARKEST = 0.06
"""Intensity of 0..1 that is added, so that dark pixels do not decide."""
_NO_LIGHT = 20.0
"""Weight of light from everywhere alike, in well-shown vertices."""
_DEEPEST = 0.5
"""Largest logarithm of a shade."""
_STEEP = 8.0
"""Slope of a garment's edge in terms of its share: completed shares fade slowly."""
_RIMS = 2, 5
"""Pixels around the garment that is taken off in which its colours linger: on the person, and
beyond the outline."""
_OVER = {"upper": (), "lower": ("upper",), "shoes": ("lower",)}
"""Garments that hang over each one."""
_HEAD = [BONE_NAMES.index("head"), BONE_NAMES.index("neck")]
_UNDRESSED = ("hands", "face", "scalp", "ears", "lips", "eyes", "mouth")


@dataclass(frozen=True)
class _Dressed:
    """A person and where which of their clothes are.

    Attributes:
        labels: the same photos with the shares of `GARMENTS` in place of colours, in [-1, 1].
    """

    views: PersonViews
    labels: PersonViews


def wearing(person: Person, other: Person, part: str, name: str = "The other person") -> Person:
    """Return a person in a garment of another one.

    Args:
        part: one of `GARMENTS`.
        name: of the other one, for messages.

    Raises:
        InputError: there is no such part, or the other one does not show it.
    """
    check_part(part)
    me, them = _dressed(person), _dressed(_at_scale(other, person))
    if _share_shown(them, part) < _SHOWN:
        raise InputError(f"{name} does not show {_SPOKEN[part]}: use another photo for --wear.")
    them = replace(them, views=_garment_of(them, part, _light(me, them)))
    under = _colours_beneath(me)
    photos = [_dress_photo(me, k, them, part, under) for k in range(len(person.photos))]
    return Person(tuple(photos), _dress_atlas(me, them, part, under))


_SPOKEN = {"upper": "upper clothes", "lower": "lower clothes", "shoes": "shoes"}


def check_part(part: str) -> None:
    """Check the name of a garment.

    Raises:
        InputError: there is no such part.
    """
    if part not in GARMENTS:
        raise InputError(f"There are no clothes {part!r}; the parts are {', '.join(GARMENTS)}.")


def _at_scale(other: Person, person: Person) -> Person:
    """Return the other person with as many pixels per metre, as far as their photo goes."""
    first = other.photos[0].pose
    factor = float(person.photos[0].pose.scale / first.scale)
    factor = min(factor, _LARGEST / max(first.size))
    return resized(other, round(factor * min(first.size)))


def _dressed(person: Person) -> _Dressed:
    views, labelled = view_person(person), list[PhotoView]()
    for view, one in zip(views.views, views.kinds, strict=True):
        foreground = view.source.foreground[None]
        labels = spread_person(2 * _garments(view, one)[None] - 1, foreground)
        appearance = torch.cat((labels, foreground), dim=1)
        skin = None if view.skin is None else torch.full_like(view.skin, -1)
        labelled.append(replace(view, appearance=appearance, skin=skin))
    atlas = build_atlas(views.body, labelled, views.atlas.colours.shape[-1])
    return _Dressed(views, replace(views, views=tuple(labelled), atlas=atlas))


def _garments(view: PhotoView, kinds: Float[Tensor, "n h w"]) -> Float[Tensor, "g h w"]:
    """Return the shares of `GARMENTS`; hair that lies on the trunk hides the upper one."""
    maps, shares = view.geometry.maps, kinds[-len(GARMENTS) :].clone()
    lies = maps.on_mesh & ~torch.isin(maps.segment, maps.segment.new_tensor(_HEAD))
    hair = kinds[KINDS.index("hair")] * lies.view(view.geometry.size)
    shares[GARMENTS.index("upper")] += hair
    return shares


def _at_vertices(view: PhotoView, values: Float[Tensor, "n h w"]) -> Float[Tensor, "v n"]:
    """Return what a photo has at the body's vertices."""
    height, width = view.geometry.size
    x, y = photo_vertices(view.geometry)[:, :2].floor().long().unbind(dim=1)
    return values[:, y.clamp(0, height - 1), x.clamp(0, width - 1)].T


def _share_shown(them: _Dressed, part: str) -> float:
    """Return the share of the part's place on the body where a photo shows it."""
    body, kind = them.views.body, KINDS.index(part)
    place = torch.from_numpy(vertex_kinds(body)[:, kind]) > _LIKELY
    shown = torch.zeros_like(place)
    for view, kinds in zip(them.views.views, them.views.kinds, strict=True):
        likely = _at_vertices(view, kinds)[:, kind] > _LIKELY
        shown |= (likely & (view.trust > 0)).cpu()
    return float((shown & place).sum() / place.sum())


def _garment_of(them: _Dressed, part: str, gain: Float[Tensor, "3"]) -> PersonViews:
    """Return the other person with the garment's colours everywhere.

    Hidden parts of the garment are completed from the garment alone.

    Args:
        gain: of their colours.
    """
    kind, views, known = KINDS.index(part), [], []
    for view, kinds in zip(them.views.views, them.views.kinds, strict=True):
        image, foreground = with_gain(view.source.image, gain), view.source.foreground
        colours = spread_person(image[None], (foreground * kinds[kind])[None])
        appearance = torch.cat((colours, foreground[None]), dim=1)
        views.append(replace(view, appearance=appearance, skin=None))
        share = _at_vertices(view, kinds)[:, kind]
        known.append(replace(views[-1], trust=view.trust * share))
    atlas = build_atlas(them.views.body, known, them.views.atlas.colours.shape[-1])
    return replace(them.views, views=tuple(views), atlas=atlas)


def _light(me: _Dressed, them: _Dressed) -> Float[Tensor, "3"]:
    """Return the gain that brings the other one's photo to this one's light, by bare skin.

    Half of what their skin differs by is taken for light, half for their own.
    """
    bare = []
    for one in (me, them):
        view = one.views.views[0]
        skin = _at_vertices(view, one.views.kinds[0])[:, KINDS.index("skin")]
        bare.append(replace(view, trust=view.trust * skin))
    return match_colours(me.views.body, bare)[1].sqrt()


def _colours_beneath(me: _Dressed) -> Float[Tensor, "n v 3"]:
    """Return the colours that skin and each garment would have at every vertex."""
    views = me.views.views
    seen = seen_at_vertices(views, me.views.kinds)
    return kind_colours(me.views.body, seen, views[0].skin).movedim(1, 0)


def _revealed(
    under: Float[Tensor, "n v 3"],
    body: AnnyBody,
    points: tuple[Int[Tensor, "m"], Float[Tensor, "m 3"]],
    labels: Float[Tensor, "g m"],
    part: str,
) -> Float[Tensor, "3 m"]:
    """Return what a garment reveals when it is taken off: what the other one has there.

    Args:
        under: see `_colours_beneath`.
        points: faces and barycentric weights.
        labels: shares of `GARMENTS` on the other person at the points.
    """
    labels = labels.clone()
    labels[GARMENTS.index(part)] = 0
    labels = torch.cat(((1 - labels.sum(dim=0, keepdim=True)).clamp(min=0), labels))
    total = labels.sum(dim=0).clamp(min=1e-6)
    kinds = (KINDS.index("skin"), *(KINDS.index(one) for one in GARMENTS))
    colour = under.new_zeros(3, labels.shape[1])
    for kind, share in zip(kinds, labels, strict=True):
        channels = [
            on_surface(*points, body.faces, one.contiguous()) for one in under[kind].unbind(dim=1)
        ]
        colour += share / total * torch.stack(channels)
    return colour


def _dress_photo(
    me: _Dressed, index: int, them: _Dressed, part: str, under: Float[Tensor, "n v 3"]
) -> Source:
    """Return a photo of the person in the other one's garment."""
    view, kinds = me.views.views[index], me.views.kinds[index]
    source, pose = view.source, view.source.pose
    (colour, alpha), (labels, _) = (_moved(one, view) for one in (them.views, them.labels))
    over = _in_front(view, kinds, part)
    # The other one's clothes on this body.
    clothed = them.views.views[0].geometry.body
    vertices = project(
        clothed.vertices(pose.shape[None], pose.rotations), pose.scale, pose.translation
    )
    raster = rasterize(vertices, clothed.faces, pose.size)
    bone = torch.where(raster.face < 0, -1, clothed.vertex_bones[clothed.faces[raster.face, 0]])
    # Hands of the fit that the photo shows elsewhere: what is behind them is as around them.
    known = (~(torch.isin(bone, bone.new_tensor(HANDS)) & (over < 0.5))).to(colour)
    colour, labels = (push_pull(one[None], known[None])[0] for one in (colour, labels))
    labels = _steep(labels)
    new = alpha * labels[GARMENTS.index(part)] * (1 - over)
    old = _taken_off(kinds, part) * (1 - over)
    on_body = torch.nonzero(raster.face.flatten() >= 0)[:, 0]
    points = raster.face.flatten()[on_body], raster.barycentric.view(-1, 3)[on_body]
    beneath = source.background.flatten(1).clone()
    colours = _revealed(under, me.views.body, points, labels.flatten(1)[:, on_body], part)
    normals = vertex_normals(vertices[0], clothed.faces)
    shade = on_surface(*points, clothed.faces, _shade(view, kinds, normals))
    beneath[:, on_body] = (colours + 1) * shade.exp() - 1
    beneath = beneath.view_as(source.image)
    solid = (raster.face >= 0).to(source.foreground)
    image = torch.lerp(torch.lerp(source.image, beneath, old), colour, new)
    foreground = torch.lerp(torch.lerp(source.foreground, solid, old), torch.ones_like(solid), new)
    return replace(source, image=image.clamp(-1, 1), foreground=foreground.clamp(0, 1))


def _shade(
    view: PhotoView, kinds: Float[Tensor, "n h w"], normals: Float[Tensor, "v 3"]
) -> Float[Tensor, "v"]:
    """Return logarithms of how much brighter vertices are than the skin that a photo shows.

    Least squares over all that the photo shows: an intensity for each of `KINDS`, and one light,
    which falls on a surface by its normal.

    Args:
        normals: of the vertices to be lit.
    """
    vertices = photo_vertices(view.geometry)
    own, shares = vertex_normals(vertices, view.geometry.body.faces), _at_vertices(view, kinds)
    intensity = (view.colours_at(vertices[:, :2]).mean(dim=1) + 1) / 2
    unknown, weight = torch.cat((shares, own), dim=1), view.trust[:, None]
    ridge = _NO_LIGHT * torch.eye(unknown.shape[1]).to(unknown)
    wanted = unknown.T @ (weight * (intensity + _DARKEST).log()[:, None])
    light = torch.linalg.solve(unknown.T @ (weight * unknown) + ridge, wanted)[-3:, 0]
    skin = view.trust * shares[:, KINDS.index("skin")]
    usual = (skin * (own @ light)).sum() / skin.sum().clamp(min=1e-6)
    return (normals @ light - usual).clamp(-_DEEPEST, _DEEPEST)


def _moved(
    views: PersonViews, onto: PhotoView
) -> tuple[Float[Tensor, "3 h w"], Float[Tensor, "1 h w"]]:
    """Return a person's colours and alpha in the pose of a photo of another one."""
    pose = onto.source.pose
    shares = shares_shown(views.views[0].geometry.body, views.views, pose)
    conditions = condition_person(views, pose, shares)
    assert conditions.warped is not None
    warped, state = conditions.warped[0, 0], conditions.state[0, 0]
    body = (state == PixelState.VISIBLE) | (state == PixelState.HIDDEN)
    alpha = torch.where(body, 1.0, warped[3] * (state != PixelState.NONE))
    colours = torch.where(state == PixelState.NONE, -1.0, warped[:3])
    return colours, smoothed(alpha[None, None])[0]


def _taken_off(kinds: Float[Tensor, "n h w"], part: str) -> Float[Tensor, "1 h w"]:
    """Return where a garment was, its rim included."""
    worn = _steep(2 * kinds[KINDS.index(part)] - 1)[None]
    inside, beyond = (
        functional.max_pool2d(worn, 2 * reach + 1, stride=1, padding=reach) for reach in _RIMS
    )
    return torch.where(kinds.sum(dim=0, keepdim=True) > 0, inside, beyond)


def _in_front(view: PhotoView, kinds: Float[Tensor, "n h w"], part: str) -> Float[Tensor, "1 h w"]:
    """Return the share of this person that stays in front of a new garment."""
    segment = view.geometry.maps.segment.view(view.geometry.size)
    bare = torch.isin(segment, segment.new_tensor([*HANDS, BONE_NAMES.index("head")]))
    over = kinds[KINDS.index("hair")] + bare * kinds[KINDS.index("skin")]
    for garment in _OVER[part]:
        over = over + kinds[KINDS.index(garment)]
    return _steep(2 * over - 1)[None]


def _steep(labels: Float[Tensor, "*c"]) -> Float[Tensor, "*c"]:
    """Return shares in [0, 1], most of them 0 or 1, of labels in [-1, 1]."""
    return (_STEEP / 2 * labels + 0.5).clamp(0, 1)


def _dress_atlas(me: _Dressed, them: _Dressed, part: str, under: Float[Tensor, "n v 3"]) -> Atlas:
    body, mine = me.views.body, me.views.atlas
    side = mine.colours.shape[-1]
    theirs, labels = _sheet(them.views.atlas, side), _sheet(them.labels.atlas, side)
    own, worn = _steep(me.labels.atlas.colours), _steep(labels.colours)
    texels = texels_of(body, side)
    bare = torch.isin(
        body.face_parts[texels.face],
        body.face_parts.new_tensor([PART_NAMES.index(one) for one in _UNDRESSED]),
    )

    def at(sheet: Float[Tensor, "c r r"]) -> Float[Tensor, "c n"]:
        return sheet.flatten(1)[:, texels.index]

    kept = sum((at(own)[GARMENTS.index(one)] for one in _OVER[part]), torch.zeros_like(at(own)[0]))
    free = (~bare) * (1 - kept.clamp(0, 1))
    new, old = at(worn)[GARMENTS.index(part)] * free, at(own)[GARMENTS.index(part)] * free
    points = texels.face, texels.barycentric
    beneath = _revealed(under, body, points, at(worn), part)
    colours = torch.lerp(torch.lerp(at(mine.colours), beneath, old), at(theirs.colours), new)
    trust = torch.lerp(at(mine.confidence)[0] * (1 - old), at(theirs.confidence)[0], new)
    return spread_texels(texels, colours.T, trust)


def _sheet(atlas: Atlas, side: int) -> Atlas:
    """Return an atlas with another side."""
    colours, confidence = (
        functional.interpolate(one[None], (side, side), mode="bilinear", align_corners=False)[0]
        for one in (atlas.colours, atlas.confidence)
    )
    return Atlas(colours, confidence)
