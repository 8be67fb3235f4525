"""Colours of the surface that no photo shows.

Two sources of colour agree or don't. *Diffusion* carries seen colours over the surface, those of
each kind (skin, hair and each garment, `garments.KINDS`) by themselves: of all colours ``c`` of the
vertices it takes those that minimise

    sum trust (c - seen)^2 + W sum likeness (c - fallback)^2 + sum_edges (c_i - c_j)^2

where only what the photos show of that kind counts. Which kind a hidden vertex is of is found
likewise: anatomy says what is likely there. So a shirt's colour ends at the belt.

The *fallback* is what the photo shows through the body or on its other side: it has texture, but
the wrong one where the front of an open jacket lies on the back, and its detail is displaced
anyway. So the fallback's coarse texture is taken where it is of the same kind and its mean colour
agrees with diffusion, the smooth colours elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float, Int
from scipy.sparse import diags_array
from torch import Tensor

from bdmm.appearance.cross_sections import kinds_around
from bdmm.appearance.garments import GARMENTS, KINDS, vertex_kinds
from bdmm.appearance.hands import hand_relief
from bdmm.appearance.photo_view import PhotoView, on_surface, photo_vertices, smoothed_over
from bdmm.body.model import PART_NAMES, AnnyBody
from bdmm.kernels.picture_filters import smoothed
from bdmm.kernels.push_pull import push_pull
from bdmm.kernels.sparse_solve import solve_symmetric

if TYPE_CHECKING:
    from bdmm.appearance.atlas import Texels

KindMaps = Float[Tensor, "k h w"]

_ANATOMY = 0.02
"""Weight of what is likely by anatomy against what is seen."""
_SEEN_AROUND = 0.1
"""Mean weight of a cross-section from which its kinds count fully."""
_BARE, _FAR = 0.1, 0.005
"""Weight of the face's colour against skin that is seen, on hands and elsewhere: it holds some 14
edges away from that."""
_UNLIKE_FACE = 0.7
"""Distance from the face's colour at which skin counts a quarter."""
_REST = 1e-4
"""Weight of the mean colour of a kind: decides only where nothing is known."""
_WIDER = 2
"""Edges around what disagrees where texture is left out too: the rim of a print."""
_ROUNDS = 25
_AGREE = 0.5
"""Distance of mean colours (RGB in [-1, 1]) at which a fallback's texture counts half."""
_DISPLACED = 0.004
"""Metres, standard deviation of how far a fallback's detail lies from its true place."""
_PRINT, _VARYING = 4.0, 0.02
"""Times the median of a garment's squared deviations, over 8 cm, from which on it is a print's, and
the least of it: what is everywhere on a garment is its fabric, what is in one place is a print."""
_SAME, _RARE = 0.4, 0.08
"""Distance of colours that are alike, and share of a garment below which a colour is rare."""
_SAMPLE, _KNOWN = 1000, 0.01
"""Colours that are compared with, and the weight from which a colour is known."""


class Fallback(NamedTuple):
    """Where a photo shows something alike, and how alike it is likely to be; 0: nowhere.

    Attributes:
        xy: places in the photo.
        likeness: of colours.
    """

    xy: Float[Tensor, "n 2"]
    likeness: Float[Tensor, "n"]


@dataclass(frozen=True)
class Seen:
    """Colours and kinds, and how much they count.

    Attributes:
        colours: ``n 3``.
        kinds: ``n k`` shares.
        weight: ``n`` from 0.
    """

    colours: Float[Tensor, "n 3"]
    kinds: Float[Tensor, "n k"]
    weight: Float[Tensor, "n"]


def complete(
    body: AnnyBody,
    views: Sequence[PhotoView],
    kinds: Sequence[KindMaps] | None,
    fallbacks: Sequence[Fallback],
    texels: "Texels",
) -> Float[Tensor, "n 3"]:
    """Return a colour for each texel as if it were hidden.

    Args:
        kinds: of each photo, the shares of `KINDS` at each pixel; None: all is of one kind.
        fallbacks: of each photo at the texels; the likeliest one is taken.
    """
    maps = inpainted(views, kinds)
    fallback = _likeliest(views, maps, fallbacks)
    under, seen = _at_vertices(body, texels, fallback), seen_at_vertices(views, maps)
    smooth = kind_colours(body, [*seen, under], views[0].skin)
    shares = seen[0].kinds if kinds is None else _vertex_shares(body, seen)
    own, means = shares.argmax(dim=1), _means(body, under)
    apart = _of(means - smooth, own).norm(dim=1) / _AGREE
    printed = _print_strength(body, under, means, own)
    agreed = 1 / (1 + _widened(body, torch.maximum(apart, printed)) ** 8)
    corners, corner_weights = body.faces[texels.face].long(), texels.barycentric[..., None]
    kind = (corner_weights * shares[corners]).sum(dim=1).argmax(dim=1)
    plain = (corner_weights * smooth[corners, kind[:, None]]).sum(dim=1)
    relief = on_surface(texels.face, texels.barycentric, body.faces, hand_relief(body).to(plain))
    plain = (plain + 1) * relief[:, None] - 1
    texture = on_surface(texels.face, texels.barycentric, body.faces, agreed)
    texture = (texture * (fallback.weight > 0) * _of(fallback.kinds, kind))[:, None]
    return texture * fallback.colours + (1 - texture) * plain


def kind_colours(
    body: AnnyBody, seen: Sequence[Seen], skin: Float[Tensor, "3"] | None
) -> Float[Tensor, "v k 3"]:
    """Return the colours that each kind has, or would have, at every vertex.

    Args:
        seen: at the vertices.
        skin: the face's colour; None if unknown.
    """
    made, count = [], seen[0].kinds.shape[1]
    bare = torch.where(body.parts == PART_NAMES.index("hands"), _BARE, _FAR if count > 1 else 0.0)
    for kind in range(count):
        weights = [_usual(one, kind) for one in seen]
        if skin is not None and count > 1 and KINDS[kind] == "skin":
            # A collar of nearly the skin's colour is taken for skin.
            pairs = zip(weights, seen, strict=True)
            weights = [
                w / (1 + ((one.colours - skin) / _UNLIKE_FACE).square().sum(dim=1)) ** 2
                for w, one in pairs
            ]
        total = torch.stack(weights).sum(dim=0)
        pairs = zip(weights, seen, strict=True)
        wanted = torch.stack([w[:, None] * one.colours for w, one in pairs]).sum(dim=0)
        mean = wanted.sum(dim=0) / total.sum().clamp(min=1e-6)
        # Where kinds are not told apart, hands alone have the skin's colour.
        if skin is not None and KINDS[kind] == "skin":
            wanted, total = wanted + bare[:, None] * skin, total + bare
        made.append(diffuse(body, wanted + _REST * mean, total + _REST))
    return torch.stack(made, dim=1)


def _usual(seen: Seen, kind: int) -> Float[Tensor, "v"]:
    """Return weights of what shows a kind, low where its colour is rare: prints, mixed rims."""
    weight = seen.weight * seen.kinds[:, kind]
    known = weight > _KNOWN
    colours, usual = seen.colours[known], weight.clone()
    usual[known] *= _commonness(colours, colours, weight[known])
    return usual


def _commonness(
    colours: Float[Tensor, "n 3"], others: Float[Tensor, "m 3"], weight: Float[Tensor, "m"]
) -> Float[Tensor, "n"]:
    """Return how common each colour is among others, or a sample of them, in [0, 1]."""
    step = max(1, len(others) // _SAMPLE)
    others, weight = others[::step], weight[::step]
    alike = (torch.cdist(colours, others) < _SAME).to(weight)
    share = alike @ weight / weight.sum().clamp(min=1e-6)
    return 1 / (1 + (_RARE / share) ** 4)


def diffuse(
    body: AnnyBody, wanted: Float[Tensor, "v c"], weight: Float[Tensor, "v"]
) -> Float[Tensor, "v c"]:
    """Return smooth values of all vertices.

    Args:
        wanted: sums of weights and values; see the module.
        weight: sums of weights, above 0.
    """
    coupling = body.edge_weights * -1.0
    diagonal = weight.cpu().double().numpy()
    matrix = coupling + diags_array(diagonal - coupling.sum(axis=1))
    solution = solve_symmetric(matrix, wanted.cpu().double().numpy())
    return torch.from_numpy(solution).to(wanted)


def seen_at_vertices(views: Sequence[PhotoView], kinds: Sequence[KindMaps]) -> list[Seen]:
    """Return what each photo shows of the vertices."""
    places = [photo_vertices(view.geometry)[:, :2] for view in views]
    weights = [view.trust.square() for view in views]
    return [_look(*one) for one in zip(views, kinds, places, weights, strict=True)]


def _of(values: Float[Tensor, "n k *c"], kind: Int[Tensor, "n"]) -> Float[Tensor, "n *c"]:
    """Return each row's values of one kind."""
    return values[torch.arange(len(kind), device=kind.device), kind]


def _look(
    view: PhotoView, kinds: KindMaps, xy: Float[Tensor, "n 2"], weight: Float[Tensor, "n"]
) -> Seen:
    return Seen(view.colours_at(xy), view.sample(kinds, xy), weight)


def inpainted(views: Sequence[PhotoView], kinds: Sequence[KindMaps] | None) -> list[KindMaps]:
    """Return shares of kinds that sum to 1 in the whole photo."""
    if kinds is None:
        return [torch.ones_like(view.source.foreground) for view in views]
    return [push_pull(one[None], one.sum(dim=0)[None, None].round())[0] for one in kinds]


def _likeliest(
    views: Sequence[PhotoView], kinds: Sequence[KindMaps], fallbacks: Sequence[Fallback]
) -> Seen:
    looked = [
        _look(_without_detail(view), one, *where)
        for view, one, where in zip(views, kinds, fallbacks, strict=True)
    ]
    likeness = torch.stack([one.weight for one in looked])
    best = likeness.argmax(dim=0)
    every = torch.arange(likeness.shape[1], device=best.device)
    colours, shares = (
        torch.stack([getattr(one, name) for one in looked])[best, every]
        for name in ("colours", "kinds")
    )
    return Seen(colours, shares, likeness[best, every])


def _without_detail(view: PhotoView) -> PhotoView:
    """Return a photo as it is expected at places that are known to `_DISPLACED` only."""
    times = max(1, round(2 * view.geometry.pixels(_DISPLACED) ** 2))  # each adds half to variance
    smooth = smoothed(view.appearance.transpose(0, 1), times).transpose(0, 1)
    return replace(view, appearance=smooth)


def _vertex_shares(body: AnnyBody, seen: Sequence[Seen]) -> Float[Tensor, "v k"]:
    """Return which kind each vertex is of, from what photos show of it and around it."""
    wanted = torch.stack([one.weight[:, None] * one.kinds for one in seen]).sum(dim=0)
    weight = torch.stack([one.weight for one in seen]).sum(dim=0)
    around, known = kinds_around(body, wanted / weight.clamp(min=1e-6)[:, None], weight)
    anatomy = torch.from_numpy(vertex_kinds(body)).to(wanted)
    # Skin and hair count as they are likely there, as a neckline is lower in front; garments do
    # alike: hems are as high behind.
    likely, garments = anatomy.clone(), [KINDS.index(kind) for kind in GARMENTS]
    likely[:, garments] = anatomy[:, garments].sum(dim=1, keepdim=True)
    # Gloves are worn where they are seen.
    anatomy[body.parts == PART_NAMES.index("hands")] = likely.new_tensor(
        [float(kind == "skin") for kind in KINDS]
    )
    known = (known / _SEEN_AROUND).clamp(max=1)[:, None]
    total = wanted + known * likely * around + _ANATOMY * anatomy
    return diffuse(body, total, total.sum(dim=1))


def _at_vertices(body: AnnyBody, texels: "Texels", fallback: Seen) -> Seen:
    """Return means of the texels around each vertex."""
    corners = body.faces[texels.face].flatten().long()
    share = texels.barycentric.flatten()
    weight = (texels.barycentric * fallback.weight[:, None]).flatten()
    count = len(body.vertex_bones)
    values = torch.cat((fallback.colours, fallback.kinds), dim=1).repeat_interleave(3, dim=0)
    total = values.new_zeros(count, values.shape[1])
    total.index_add_(0, corners, weight[:, None] * values)
    known, every = (weight.new_zeros(count).index_add(0, corners, one) for one in (weight, share))
    mean = total / known.clamp(min=1e-6)[:, None]
    return Seen(mean[:, :3], mean[:, 3:], known / every.clamp(min=1e-6))


def _means(body: AnnyBody, seen: Seen) -> Float[Tensor, "v k 3"]:
    """Return means over some 8 cm of each kind: stripes are averaged, prints are not."""
    weight = seen.weight[:, None] * seen.kinds
    values = torch.cat((weight[..., None], weight[..., None] * seen.colours[:, None]), dim=2)
    smooth = smoothed_over(body, values.flatten(1), _ROUNDS).view_as(values)
    return smooth[..., 1:] / smooth[..., :1].clamp(min=1e-3)


def _print_strength(
    body: AnnyBody, under: Seen, means: Float[Tensor, "v k 3"], kind: Int[Tensor, "v"]
) -> Float[Tensor, "v"]:
    """Return how much rare colours vary against what is usual on a garment; a print from 1 on."""
    varying = (under.colours - _of(means, kind)).square().sum(dim=1)
    rare = torch.zeros_like(varying)
    garments = [(kind == one, (kind == one) & (under.weight > _KNOWN)) for one in kind.unique()]
    garments = [(every, known) for every, known in garments if known.any()]
    for every, known in garments:
        rare[every] = 1 - _commonness(
            under.colours[every], under.colours[known], under.weight[known]
        )
    shares = torch.stack((torch.ones_like(varying), varying, rare * varying), dim=1)
    total, plain, printed = smoothed_over(body, under.weight[:, None] * shares, _ROUNDS).unbind(1)
    usual = torch.full_like(varying, _VARYING)
    for every, known in garments:
        usual[every] = (_PRINT * (plain / total)[known].median()).clamp(min=_VARYING)
    return printed / total.clamp(min=1e-3) / usual


def _widened(body: AnnyBody, values: Float[Tensor, "v"]) -> Float[Tensor, "v"]:
    """Return the largest value within some edges of each vertex."""
    faces = body.faces
    for _ in range(_WIDER):
        largest = values[faces].amax(dim=1, keepdim=True).expand(-1, 3)
        values = values.scatter_reduce(0, faces.flatten(), largest.flatten(), "amax")
    return values
