"""Photos taken in other light, brought to the first photo's: a gain for each colour channel.

The gains are solved for where two photos show the same point of the surface, or one of them the
mirrored point (the other sleeve), by robust least squares on logarithms of intensity.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.appearance.photo_view import PhotoView, photo_vertices
from bdmm.body.model import SkinnedBody

_MIRRORED = 0.25
"""Weight of a mirrored point against the same point."""
_UNKNOWN = 150.0
"""Weight of a gain of 1, in well-shown vertices of the body's 13 000."""
_SIGMA = 0.35
"""Difference of log intensities at which the robust loss is half its limit."""
_DARKEST = 0.06
"""Intensity of 0..1 that is added, so that dark pixels do not decide."""
_MOST = 0.7
"""Largest logarithm of a gain: twice as bright, or half."""
_ROUNDS = 8


def match_colours(body: SkinnedBody, views: Sequence[PhotoView]) -> Float[Tensor, "k 3"]:
    """Return the gains of intensity (0..1) that bring each photo's colours to the first one's."""
    trust = torch.stack([view.trust for view in views])
    logs = torch.stack([_log_colours(view) for view in views])
    mirrored = body.mirrored_vertices
    gains = logs.new_zeros(len(views), 3)
    pairs = [(i, j) for j in range(1, len(views)) for i in range(j)]
    for _ in range(_ROUNDS):
        normal = _UNKNOWN * torch.eye(len(views)).to(logs).expand(3, -1, -1).clone()
        wanted = logs.new_zeros(3, len(views))
        for i, j in pairs:
            for other, weight in ((slice(None), 1.0), (mirrored, _MIRRORED)):
                apart = logs[i] - logs[j][other]
                overlap = weight * trust[i] * trust[j][other]
                residual = (apart + gains[i] - gains[j]).norm(dim=1)
                overlap = overlap / (1 + (residual / _SIGMA).square()).square()
                total = overlap.sum()
                mean = (overlap[:, None] * apart).sum(dim=0)
                normal[:, i, i] += total
                normal[:, j, j] += total
                normal[:, i, j] -= total
                normal[:, j, i] -= total
                wanted[:, i] -= mean
                wanted[:, j] += mean
        normal[:, 0, 0] += 1e9
        gains = torch.linalg.solve(normal, wanted[..., None])[..., 0].T.clamp(-_MOST, _MOST)
    gains[0] = 0
    return gains.exp()


def with_gain(image: Float[Tensor, "3 h w"], gain: Float[Tensor, "3"]) -> Float[Tensor, "3 h w"]:
    """Return a picture in [-1, 1] whose intensities are multiplied, as `match_colours` means it."""
    intensity = (image + 1) / 2 + _DARKEST
    return ((intensity * gain[:, None, None] - _DARKEST) * 2 - 1).clamp(-1, 1)


def _log_colours(view: PhotoView) -> Float[Tensor, "v 3"]:
    colours = view.colours_at(photo_vertices(view.geometry)[:, :2])
    return ((colours + 1) / 2 + _DARKEST).clamp(min=1e-3).log()
