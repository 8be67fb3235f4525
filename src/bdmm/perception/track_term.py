"""How well a body that moves carries the points that were followed on the person."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.perception.pose import Link
from bdmm.perception.silhouette import fade

SIGMA = 2.0
"""Pixels of the fit at which a point's pull is halfway to fading out: clothes slip, points too."""
NEAR = 6.0
"""Pixels of the fit between a point and the vertex that carries it."""
LOOK_UP_EVERY = 20
"""Calls after which the carrying vertices are looked up again."""
_FAR = 1e4


class TrackTerm:
    """A penalty on vertices that move otherwise than the points that were followed.

    Only displacements count: a point is not pulled onto the vertex that carries it.

    Args:
        links: between frames of the fit.
        origin: (x, y) pixels of the frame at zero of the fit's coordinates.
        unit: pixels of the frame per pixel of the fit.
    """

    def __init__(self, links: Sequence[Link], origin: Float[Tensor, "2"], unit: float) -> None:
        most = max(len(one.points) for one in links)
        self.start = torch.tensor([one.start for one in links])
        self.end = torch.tensor([one.end for one in links])
        self.points = torch.zeros(len(links), most, 2)
        self.moved = torch.zeros(len(links), most, 2)
        self.given = torch.zeros(len(links), most, dtype=torch.bool)
        for index, one in enumerate(links):
            count = len(one.points)
            self.points[index, :count] = (one.points - origin) / unit
            self.moved[index, :count] = one.moved / unit
            self.given[index, :count] = True
        self._carriers = torch.zeros(len(links), most, dtype=torch.long)
        self._held = self.given
        self._calls = 0

    def __call__(self, vertices: Float[Tensor, "t p 3"]) -> Tensor:
        """Return the sum over all points, in squared pixels of the fit.

        Args:
            vertices: projected vertices (x, y, depth) of all frames in pixels of the fit.
        """
        if self._calls % LOOK_UP_EVERY == 0:
            with torch.no_grad():
                self._carriers, self._held = self._look_up(vertices)
        self._calls += 1
        chosen = self._carriers[..., None].expand(-1, -1, 2)
        flat = vertices[..., :2]
        moved = flat[self.end].gather(1, chosen) - flat[self.start].gather(1, chosen)
        squared = (moved - self.moved).square().sum(-1)
        return (fade(squared, SIGMA) * self._held).sum()

    def _look_up(
        self, vertices: Float[Tensor, "t p 3"]
    ) -> tuple[Int[Tensor, "l n"], Bool[Tensor, "l n"]]:
        """Return the foremost vertex near each point, and which points have one."""
        carriers = torch.zeros_like(self._carriers)
        held = self.given.clone()
        for index, frame in enumerate(self.start.tolist()):
            away = torch.cdist(self.points[index], vertices[frame, :, :2])
            cost = vertices[frame, :, 2] + away + _FAR * (away > NEAR)
            least, carriers[index] = cost.min(dim=1)
            held[index] &= least < _FAR / 2
        return carriers, held
