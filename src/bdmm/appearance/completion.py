"""Colours of the surface that no photo shows.

Two sources of colour agree or don't. *Diffusion* carries seen colours over the surface: of all
colours ``c`` of the vertices it takes those that minimise

    sum trust (c - seen)^2 + W sum likeness (c - fallback)^2 + sum_edges k (c_i - c_j)^2

with ``k`` small between scalp and skin. The *fallback* is what the photo shows through the body or
on its other side: it has texture, but the wrong one where the front of an open jacket lies on the
back. So the fallback's texture is taken where its mean colour agrees with diffusion, the smooth
colours elsewhere.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import splu
from torch import Tensor

from bdmm.appearance.photo_view import PhotoView, on_surface, photo_vertices, smoothed_over
from bdmm.body.model import PART_NAMES, AnnyBody
from bdmm.records import BONE_NAMES

if TYPE_CHECKING:
    from bdmm.appearance.atlas import Texels

_FALLBACK = 1.0
"""Weight of a fallback of likeness 1 against what is seen."""
_BARE = 0.1
"""Weight of the skin's colour on hands."""
_REST = 1e-4
"""Weight of the person's mean colour: decides only where nothing is known."""
_BARRIER = 0.002
"""``k`` between scalp and skin, 1 elsewhere."""
_WIDER = 2
"""Edges around what disagrees where texture is left out too: the rim of a print."""
_TOP, _ENOUGH, _HAIR = 0.22, 12, 0.3
"""Share of the head's height in a photo whose scalp is hair, how many vertices of it are needed,
and the distance of colours at which one counts a quarter."""
_ROUNDS = 25
_AGREE = 0.5
"""Distance of mean colours (RGB in [-1, 1]) at which a fallback's texture counts half."""


class Fallback(NamedTuple):
    """Colours in place of hidden ones, and how alike they are likely to be; 0 where none are."""

    colours: Float[Tensor, "n 3"]
    likeness: Float[Tensor, "n"]


def complete(
    body: AnnyBody,
    views: Sequence[PhotoView],
    fallbacks: Sequence[Fallback],
    texels: "Texels",
) -> Float[Tensor, "n 3"]:
    """Return a colour for each texel as if it were hidden.

    Args:
        fallbacks: of each photo at the texels; the likeliest one is taken.
    """
    likeness = torch.stack([one.likeness for one in fallbacks])
    best = likeness.argmax(dim=0)
    every = torch.arange(likeness.shape[1], device=best.device)
    colours = torch.stack([one.colours for one in fallbacks])[best, every]
    fallback = Fallback(colours, likeness[best, every])
    at_vertices, weight = _at_vertices(body, texels, fallback)
    smooth = diffuse(body, views, at_vertices, weight)
    apart = (_smoothed(body, at_vertices, weight) - smooth).norm(dim=1) / _AGREE
    agreed = 1 / (1 + _widened(body, apart) ** 4)

    def at_texels(values: Float[Tensor, "v"]) -> Float[Tensor, "n"]:
        return on_surface(texels.face, texels.barycentric, body.faces, values)

    texture = (at_texels(agreed) * (fallback.likeness > 0))[:, None]
    plain = torch.stack([at_texels(channel) for channel in smooth.unbind(dim=1)], dim=1)
    return texture * fallback.colours + (1 - texture) * plain


def diffuse(
    body: AnnyBody,
    views: Sequence[PhotoView],
    fallback: Float[Tensor, "v 3"],
    weight: Float[Tensor, "v"],
) -> Float[Tensor, "v 3"]:
    """Return the smooth colours of all vertices; see the module.

    Args:
        weight: likeness of the fallbacks.
    """
    trust = torch.stack([view.trust for view in views])
    seen = torch.stack([view.colours_at(photo_vertices(view.geometry)[:, :2]) for view in views])
    hair = _hair(body, views, seen)
    squared = trust.square() * _like_hair(body, seen, hair)
    weight = _FALLBACK * weight * _like_hair(body, fallback, hair)
    total = squared.sum(dim=0)
    mean = (squared[..., None] * seen).sum(dim=(0, 1)) / squared.sum().clamp(min=1e-6)
    wanted = (squared[..., None] * seen).sum(dim=0)
    wanted = wanted + weight[:, None] * fallback + _REST * mean
    bare = _BARE * (body.parts == PART_NAMES.index("hands"))
    if (skin := views[0].skin) is not None:
        total = total + bare
        wanted = wanted + bare[:, None] * skin
    coupling = _edges(body) * -1.0
    diagonal = (total + weight + _REST).cpu().double().numpy()
    matrix = coupling + diags_array(diagonal - coupling.sum(axis=1))
    solution = splu(matrix.tocsc()).solve(wanted.cpu().double().numpy())
    return torch.from_numpy(solution).to(wanted)


def _like_hair(
    body: AnnyBody, colours: Float[Tensor, "*k v 3"], hair: Float[Tensor, "3"] | None
) -> Float[Tensor, "*k v"]:
    """Return weights that leave out what is unlike hair on the scalp: the forehead, the wall.

    The fit does not know the hairline. The hair's colour is that of the head's top.

    Args:
        colours: of the vertices.
        hair: the hair's; None leaves nothing out.
    """
    if hair is None:
        return torch.ones_like(colours[..., 0])
    scalp = body.parts == PART_NAMES.index("scalp")
    apart = (colours - hair).norm(dim=-1) / _HAIR
    return torch.where(scalp, 1 / (1 + apart.square()).square(), 1.0)


def _hair(
    body: AnnyBody, views: Sequence[PhotoView], seen: Float[Tensor, "k v 3"]
) -> Float[Tensor, "3"] | None:
    """Return the median colour of the head's top; None where no photo shows it."""
    scalp = body.parts == PART_NAMES.index("scalp")
    head = body.vertex_bones == BONE_NAMES.index("head")
    tops = []
    for view, colours in zip(views, seen, strict=True):
        row = photo_vertices(view.geometry)[:, 1]
        top, bottom = row[head].min(), row[head].max()
        tops.append(colours[scalp & (view.trust > 0) & (row < top + _TOP * (bottom - top))])
    found = torch.cat(tops)
    return found.median(dim=0).values if len(found) >= _ENOUGH else None


def _edges(body: AnnyBody) -> csr_array:
    """Return the mesh's edges, weak between the scalp and other parts."""
    scalp = (body.parts == PART_NAMES.index("scalp")).cpu().numpy()
    edges = body.edge_weights.tocoo()
    across = scalp[edges.row] != scalp[edges.col]
    data = np.where(across, _BARRIER * edges.data, edges.data)
    return csr_array((data, (edges.row, edges.col)), shape=edges.shape)


def _at_vertices(
    body: AnnyBody, texels: "Texels", fallback: Fallback
) -> tuple[Float[Tensor, "v 3"], Float[Tensor, "v"]]:
    """Return means of the texels around each vertex, and their likeness."""
    corners = body.faces[texels.face].flatten()
    share = texels.barycentric.flatten()
    weight = (texels.barycentric * fallback.likeness[:, None]).flatten()
    spread = fallback.colours[:, None].expand(-1, 3, -1).reshape(-1, 3)
    none = spread.new_zeros(len(body.vertex_bones))
    count, texel_count = (none.index_add(0, corners, each) for each in (weight, share))
    total = spread.new_zeros(len(none), 3).index_add(0, corners, weight[:, None] * spread)
    return total / count.clamp(min=1e-6)[:, None], count / texel_count.clamp(min=1e-6)


def _smoothed(
    body: AnnyBody, colours: Float[Tensor, "v 3"], weight: Float[Tensor, "v"]
) -> Float[Tensor, "v 3"]:
    """Return means over some 8 cm of what is known: stripes are averaged, prints are not."""
    known = smoothed_over(body, weight, _ROUNDS).clamp(min=1e-3)
    channels = [smoothed_over(body, weight * one, _ROUNDS) / known for one in colours.unbind(1)]
    return torch.stack(channels, dim=1)


def _widened(body: AnnyBody, values: Float[Tensor, "v"]) -> Float[Tensor, "v"]:
    """Return the largest value within some edges of each vertex."""
    faces = body.faces
    for _ in range(_WIDER):
        largest = values[faces].amax(dim=1, keepdim=True).expand(-1, 3)
        values = values.scatter_reduce(0, faces.flatten(), largest.flatten(), "amax")
    return values
