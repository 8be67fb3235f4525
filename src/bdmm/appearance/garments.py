"""Where photos show skin, hair and clothes.

Expectation maximisation: what the body's anatomy says of each pixel, and a histogram of colours of
each kind, which is learned from the person's own photos. At the end, shares are smoothed over the
photo, hardly across edges of colour (a random walk, Grady 2006).
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.linalg import cg
from scipy.spatial import KDTree
from torch import Tensor

from bdmm.appearance.photo_view import PhotoView, on_surface, photo_vertices
from bdmm.body.model import PART_NAMES, AnnyBody
from bdmm.body.rasterize import rasterize
from bdmm.body.regions import nearest_pixel
from bdmm.shapes import Image

KINDS = ("skin", "hair", "upper", "lower", "shoes")
GARMENTS = KINDS[2:]

_WAIST, _BELT = 0.07, 0.04
"""Metres of the waist above the pelvis joint of the mean body, and how sure that is."""
_NECKLINE = 0.25
"""Metres above the pelvis joint from which a back is hardly ever bare."""
_BINS, _SIGMA = (20, 32, 32), (1.5, 1.0, 1.0)
"""Of a histogram in CIE L*a*b*, and its smoothing in bins."""
_RANGE = ((0.0, 100.0), (-64.0, 64.0), (-64.0, 64.0))
_FLOOR = 0.02
"""Share of colours that were never seen, in times of an even distribution."""
_CERTAIN = 6
"""Power of the shares by anatomy from which colours are first learned: the surest parts."""
_SHADED, _ALIKE = (0.5, 1.0, 1.0), 9.0
"""Weights of L*, a* and b*, and the distance in them at which colours are alike but for shading."""
_SEED, _UNLIKE = 6, 0.5
"""Skin of the face's colour is this many times likelier, and hair of the scalp's; skin of another
colour is half as likely."""
_RATHER = 4
"""Power of how much more alike a colour is to one of the two than to the other."""
_HANGING, _HAIR = 0.3, 0.15
"""Share of hair near the scalp, and metres from the scalp over which it falls by the factor e."""
_SCALP, _HAIRLESS = 0.8, 0.01
"""Share of hair from which a pixel is on the scalp, and up to which long hair is not expected."""
_ROUNDS = 3
_PATCH = 0.012
"""Metres, standard deviation of the patch whose colours speak for a pixel: stripes and prints."""
_EDGE = 5.0
"""Difference of colours (L*a*b*) that is an edge."""
_LEAKY = 0.03
_FIDELITY = 0.08
"""Weight of a pixel's own share against a neighbour's of the same colour."""
_CONTRAST = 5.0
"""Power of the final shares: nearly each pixel is of one kind."""
_REACH = 0.2
"""Metres from the body up to which clothes and hair are the nearest part's."""


def find_kinds(body: AnnyBody, views: Sequence[PhotoView]) -> list[Float[Tensor, "n _ _"]]:
    """Return the shares of `KINDS` at each pixel of photos of one person; 0 where nobody is.

    Args:
        body: the shipped one.
        views: in one light.
    """
    pixels = [torch.nonzero((v.source.foreground[0] > 0.5).flatten())[:, 0] for v in views]
    colours = [_lab(v.source.image)[at] for v, at in zip(views, pixels, strict=True)]
    anatomy = vertex_kinds(body)
    priors = [_prior(*one, anatomy) for one in zip(views, pixels, colours, strict=True)]
    systems = [
        _walk(view.geometry.size, at, lab)
        for view, at, lab in zip(views, pixels, colours, strict=True)
    ]
    bins = np.concatenate([_bins(one) for one in colours])
    prior = np.concatenate(priors)
    shares = prior**_CERTAIN
    ends = np.cumsum([len(at) for at in pixels])[:-1]
    for _ in range(_ROUNDS):
        seen = np.split(np.log(_likelihood(bins, shares)), ends)
        patches = [_blurred(*one) for one in zip(views, pixels, seen, strict=True)]
        posterior = np.log(prior) + np.concatenate(patches)
        shares = np.exp(posterior - posterior.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
    runs = zip(systems, np.split(shares, ends), strict=True)
    shares = np.concatenate([_smoothed(system, one) for system, one in runs])
    shares = shares**_CONTRAST
    shares /= shares.sum(axis=1, keepdims=True)
    maps = []
    for view, at, one in zip(views, pixels, np.split(shares, ends), strict=True):
        height, width = view.geometry.size
        whole = torch.zeros(height * width, len(KINDS))
        whole[at.cpu()] = torch.from_numpy(one).float()
        maps.append(whole.T.view(-1, height, width).to(view.source.image))
    return maps


def vertex_kinds(body: AnnyBody) -> Float[np.ndarray, "v n"]:
    """Return how likely each vertex of anybody is of each of `KINDS`."""
    points = body.template.double().cpu().numpy()
    height = -points[:, 1]
    below = 1 / (1 + np.exp((height - _WAIST) / _BELT))
    one = np.ones_like(below)
    behind = (points[:, 2] > 0).astype(float)
    # Necklines are lower in front.
    bare = np.where((behind > 0) & (height > _NECKLINE), 0.005, 0.05)
    # Along the leg from the crotch to the ankle.
    foot = points[body.parts.cpu().numpy() == PART_NAMES.index("feet"), 1]
    down = np.clip(-height / max(float(foot.min()), 1e-6), 0, 1)
    by_part = {
        "torso": (bare, 0.02 * one, 0.9 - 0.65 * below, 0.03 + 0.7 * below, 0 * one),
        "arms": (0.45 * one, 0 * one, 0.55 * one, 0 * one, 0 * one),
        "legs": (0.2 + 0.3 * down, 0 * one, 0.15 * (1 - down), 0.65 - 0.25 * down, 0.1 * down**4),
        "hands": (0.48 * one, 0 * one, 0.44 * one, 0.08 * one, 0 * one),
        "feet": (0.15 * one, 0 * one, 0 * one, 0.07 * one, 0.78 * one),
        "neck": (0.75 - 0.43 * behind, 0.1 + 0.55 * behind, 0.15 - 0.12 * behind, 0 * one, 0 * one),
        "scalp": (0.08 * one, 0.9 * one, 0.02 * one, 0 * one, 0 * one),
    }
    face = (0.9 * one, 0.09 * one, 0.01 * one, 0 * one, 0 * one)
    parts = body.parts.cpu().numpy()
    kinds = np.zeros((len(points), len(KINDS)))
    for index, name in enumerate(PART_NAMES):
        here = parts == index
        kinds[here] = np.stack(by_part.get(name, face), axis=1)[here]
    scalp = KDTree(points[parts == PART_NAMES.index("scalp")])
    hair = kinds[:, KINDS.index("hair")]
    np.maximum(hair, _HANGING * np.exp(-scalp.query(points)[0] / _HAIR), out=hair)
    kinds += 1e-3
    return kinds / kinds.sum(axis=1, keepdims=True)


def _prior(
    view: PhotoView,
    pixels: Int[Tensor, "p"],
    lab: Float[np.ndarray, "p 3"],
    anatomy: Float[np.ndarray, "v n"],
) -> Float[np.ndarray, "p n"]:
    """Return how likely a photo's pixels are of each kind, by anatomy and colours of the head."""
    prior = _at_pixels(view, anatomy)[pixels]
    if view.skin is not None:
        skin, hair = prior[:, KINDS.index("skin")], prior[:, KINDS.index("hair")]
        scalp = hair > _SCALP
        face = _lab(view.skin[:, None, None])
        like_skin = _alike(lab, face)
        like_hair = _alike(lab, np.median(lab[scalp], axis=0) if scalp.any() else face)
        like_hair *= hair > _HAIRLESS
        rather_skin = 1 / (1 + (like_hair / like_skin) ** _RATHER)
        skin *= _UNLIKE + _SEED * like_skin * rather_skin
        hair *= 1 + _SEED * like_hair * (1 - rather_skin)
    return prior / prior.sum(axis=1, keepdims=True)


def _alike(lab: Float[np.ndarray, "p 3"], colour: Float[np.ndarray, "*one 3"]) -> np.ndarray:
    """Return how alike pixels' colours are to a colour, from 1."""
    apart = np.square((lab - colour) * _SHADED).sum(axis=1)
    return np.exp(-apart / (2 * _ALIKE**2)) + 1e-6


def _at_pixels(view: PhotoView, anatomy: Float[np.ndarray, "v n"]) -> Float[np.ndarray, "p n"]:
    """Return vertices' values at all pixels of a photo, beyond the body those of the nearest."""
    geometry = view.geometry
    raster = rasterize(photo_vertices(geometry)[None], geometry.faces.long(), geometry.size)
    on_body = raster.face >= 0
    row, column = nearest_pixel(on_body, round(geometry.pixels(_REACH)))
    nearest = (row.clamp(min=0) * geometry.size[1] + column.clamp(min=0)).flatten()
    values = torch.from_numpy(anatomy).float().to(raster.barycentric)
    face, barycentric = raster.face.flatten()[nearest], raster.barycentric.view(-1, 3)[nearest]
    shares = [on_surface(face, barycentric, geometry.faces, one) for one in values.unbind(dim=1)]
    mean = values.mean(dim=0)
    found = (row.flatten() >= 0)[:, None]
    return torch.where(found, torch.stack(shares, dim=1), mean).double().cpu().numpy()


def _lab(image: Image) -> Float[np.ndarray, "p 3"]:
    rgb = ((image + 1) / 2).movedim(0, -1).float().cpu().numpy()
    return cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2LAB).reshape(-1, 3)


def _bins(lab: Float[np.ndarray, "n 3"]) -> Int[np.ndarray, "n"]:
    places = [
        ((channel - low) / (high - low) * count).astype(np.int64).clip(0, count - 1)
        for channel, (low, high), count in zip(lab.T, _RANGE, _BINS, strict=True)
    ]
    return np.asarray(np.ravel_multi_index(tuple(places), _BINS))


def _likelihood(
    bins: Int[np.ndarray, "n"], shares: Float[np.ndarray, "n k"]
) -> Float[np.ndarray, "n k"]:
    """Return how likely each kind has a pixel's colour, by its histogram."""
    size, columns = int(np.prod(_BINS)), []
    for weight in shares.T:
        counts = np.bincount(bins, weight, size).reshape(_BINS)
        smooth = gaussian_filter(counts, _SIGMA, mode="nearest").ravel()
        columns.append(smooth[bins] / max(smooth.sum(), 1e-9) + _FLOOR / size)
    return np.stack(columns, axis=1)


def _blurred(
    view: PhotoView, pixels: Int[Tensor, "p"], values: Float[np.ndarray, "p k"]
) -> Float[np.ndarray, "p k"]:
    """Return means of the person's pixels over a patch around each one."""
    height, width = view.geometry.size
    place, deviation = pixels.cpu().numpy(), max(view.geometry.pixels(_PATCH), 0.5)
    sheet = np.zeros((height * width, values.shape[1] + 1), np.float32)
    sheet[place, :-1], sheet[place, -1] = values, 1
    channels = [cv2.GaussianBlur(c.reshape(height, width), (0, 0), deviation) for c in sheet.T]
    mean = np.stack(channels, axis=-1).reshape(-1, len(channels))[place]
    return (mean[:, :-1] / mean[:, -1:]).astype(np.float64)


def _walk(
    size: tuple[int, int], pixels: Int[Tensor, "n"], lab: Float[np.ndarray, "n 3"]
) -> csr_array:
    """Return the matrix of the random walk over the person's pixels."""
    height, width = size
    number = np.full((height, width), -1)
    number.ravel()[pixels.cpu().numpy()] = np.arange(len(pixels))
    rows, columns, data = [], [], []
    for first, second in ((number[:, :-1], number[:, 1:]), (number[:-1], number[1:])):
        joined = (first >= 0) & (second >= 0)
        a, b = first[joined], second[joined]
        apart = np.square(lab[a] - lab[b]).sum(axis=1)
        weight = np.exp(-apart / (2 * _EDGE**2)) + _LEAKY
        rows += [a, b]
        columns += [b, a]
        data += [weight, weight]
    joined = (np.concatenate(rows), np.concatenate(columns))
    coupling = coo_array((np.concatenate(data), joined), shape=(len(lab), len(lab))).tocsr()
    return (diags_array(_FIDELITY + coupling.sum(axis=1)) - coupling).tocsr()


def _smoothed(system: csr_array, shares: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    scaling = diags_array(1 / system.diagonal())
    smooth = [
        cg(system, _FIDELITY * one, x0=one, rtol=1e-2, maxiter=200, M=scaling)[0]
        for one in shares.T
    ]
    return np.stack(smooth, axis=1).clip(1e-6, 1)
