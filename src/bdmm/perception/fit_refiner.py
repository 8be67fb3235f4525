"""The network of fit refinement (a small U-Net) and its input.

The input is one crop around person and body: the photo, the foreground, and for each pixel of the
body its surface point (a position on the mean body at rest), its normal and its nearness. The
output is the displacement from each of the body's points to where the photo shows that point.
"""

from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from bdmm.body.camera import project
from bdmm.body.clothed_body import clothed, vertex_normals
from bdmm.body.model import SkinnedBody
from bdmm.body.rasterize import rasterize
from bdmm.kernels.warp import warp
from bdmm.records import Motion
from bdmm.shapes import Foreground, Image

SIDE = 192
"""Pixels of the crop's sides."""
CHANNELS = 12
"""RGB and foreground in [-1, 1]; the body's rest position (2 per metre), normal, nearness (4
per metre) and mask."""
_MARGIN = 1.12
"""Side of the crop in longer sides of the box around person and body."""
_THICK = 0.02
"""Metres that a vertex may lie behind the surface drawn at its pixel and still be seen."""


@dataclass(frozen=True)
class FitPicture:
    """The network's input, and what is needed to read its output.

    Attributes:
        maps: ``12 192 192``, see `CHANNELS`.
        corner: (x, y) of the crop's top left corner, in pixels of the picture.
        side: length of the crop's sides in the same.
        vertices: ``v 3`` the clothed body's, (x, y, depth) in pixels of the picture.
        depth: ``h w`` of the body, +inf where it isn't.
        face: ``h w`` visible face at each pixel, -1 where there is no body.
    """

    maps: Float[Tensor, "12 192 192"]
    corner: tuple[float, float]
    side: float
    vertices: Float[Tensor, "v 3"]
    depth: Float[Tensor, "h w"]
    face: Int[Tensor, "h w"]
    barycentric: Float[Tensor, "h w 3"]

    def sampled(self, field: Float[Tensor, "c h1 w1"], positions: Float[Tensor, "p 2"]) -> Tensor:
        """Return ``p c`` values of a field over the crop at positions (x, y) of the picture."""
        corner = positions.new_tensor(self.corner)
        grid = (positions - corner) * (2 / self.side) - 1
        found = warp(field[None], grid[None, None], beyond="border")
        return found[0, :, 0].T

    def seen(self, vertices: Int[Tensor, "p"]) -> Bool[Tensor, "p"]:
        """Return which of some vertices nothing hides."""
        height, width = self.depth.shape
        x, y, depth = self.vertices[vertices].unbind(dim=1)
        column, row = x.floor().long(), y.floor().long()
        inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
        front = self.depth[row.clamp(0, height - 1), column.clamp(0, width - 1)]
        return inside & (depth < front + self._thick)

    @property
    def _thick(self) -> float:
        extent = self.vertices[:, 1].max() - self.vertices[:, 1].min()
        return _THICK * float(extent) / 1.7


def picture_fit(
    body: SkinnedBody, pose: Motion, image: Image, foreground: Foreground
) -> FitPicture:
    """Draw a fit over its picture.

    Args:
        pose: a motion of one frame, in pixels of the picture.
    """
    vertices = clothed_vertices(body, pose, foreground)
    raster = rasterize(vertices[None], body.faces, pose.size)
    face, barycentric = raster.face[0], raster.barycentric[0]
    there = face >= 0
    metres = vertices[:, 2:] / pose.scale
    values = (2 * body.template, vertex_normals(vertices, body.faces), 4 * (metres - metres.mean()))
    maps = drawn(face, barycentric, body.faces, torch.cat(values, dim=1))
    maps = torch.cat((maps, 2 * there[..., None].float() - 1), dim=2)
    corner, side = _box(there | (foreground[0] > 0.5))
    grid = crop_grid(corner, side, pose.size, SIDE)
    photo = warp(torch.cat((image, 2 * foreground - 1))[None], grid, beyond="border")[0]
    body_maps = warp(maps.permute(2, 0, 1)[None], grid, "nearest", "border")[0]
    return FitPicture(
        maps=torch.cat((photo, body_maps)),
        corner=corner,
        side=side,
        vertices=vertices,
        depth=raster.depth[0],
        face=face,
        barycentric=barycentric,
    )


def clothed_vertices(
    body: SkinnedBody, pose: Motion, foreground: Foreground
) -> Float[Tensor, "v 3"]:
    """Return the clothed body's vertices, (x, y, depth) in pixels; see `picture_fit`."""
    posed = clothed(body, pose, foreground).vertices(pose.shape[None], pose.rotations)
    return project(posed, pose.scale, pose.translation)[0]


def drawn(
    face: Int[Tensor, "h w"],
    barycentric: Float[Tensor, "h w 3"],
    faces: Int[Tensor, "f 3"],
    values: Float[Tensor, "v c"],
) -> Float[Tensor, "h w c"]:
    """Return values of vertices at each pixel's visible face; zeros off the body."""
    there = face >= 0
    maps = values.new_zeros(*face.shape, values.shape[1])
    maps[there] = (values[faces[face[there]]] * barycentric[there][..., None]).sum(dim=1)
    return maps


def crop_grid(
    corner: tuple[float, float], side: float, size: tuple[int, int], count: int
) -> Float[Tensor, "1 n n 2"]:
    """Return the crop's ``count`` x ``count`` positions, normalised in a picture of a size."""
    steps = (torch.arange(count) + 0.5) * (side / count)
    x, y = (
        2 * (start + steps) / length - 1 for start, length in zip(corner, size[::-1], strict=True)
    )
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)[None]


def _box(there: Bool[Tensor, "h w"]) -> tuple[tuple[float, float], float]:
    """Return corner and side of a square around a region."""
    rows, columns = there.any(dim=1).nonzero()[:, 0], there.any(dim=0).nonzero()[:, 0]
    if not len(rows):
        return (0.0, 0.0), float(max(there.shape))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    side = _MARGIN * max(bottom - top, right - left)
    return ((left + right - side) / 2, (top + bottom - side) / 2), side


WIDTHS = (32, 48, 80, 112, 144)
"""Channels at 1/2, 1/4, ... of the picture's size."""
_REACH = 4.0
"""Crop pixels that one unit of the last layer's output means."""


class FitRefiner(nn.Module):
    """The network; with its initial weights it returns zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(CHANNELS, WIDTHS[0], 6, stride=2, padding=2)
        self.encoder = nn.ModuleList(map(_block, (WIDTHS[0], *WIDTHS), WIDTHS))
        joined = [above + below for above, below in pairwise(WIDTHS)]
        self.decoder = nn.ModuleList(map(_block, joined, WIDTHS))
        self.head = nn.Conv2d(WIDTHS[0], 2, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 2 h1 w1"]:
        """Return (x, y) displacements in pixels of the crop, at half its resolution.

        Args:
            maps: `FitPicture.maps`; sides are multiples of 32.
        """
        features = self.stem(maps)
        levels: list[Tensor] = []
        for depth, block in enumerate(self.encoder):
            features = block(functional.avg_pool2d(features, 2) if depth else features)
            levels.append(features)
        for level, block in zip(reversed(levels[:-1]), reversed(self.decoder), strict=True):
            larger = functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = block(torch.cat((larger, level), dim=1))
        return _REACH * self.head(features)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.SiLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.SiLU(),
    )  # fmt: skip


def load_refiner(path: Path | None = None) -> FitRefiner:
    """Return the network with trained weights, on the CPU in float32, only to be used.

    Args:
        path: a file that ``tools/pack_refiner.py`` wrote; the one that ships if None.
    """
    if path is None:
        path = Path(str(files("bdmm.assets"))) / "weights" / "fit_refiner.safetensors"
    from bdmm.kernels.winograd_conv import WinogradConv3x3  # late: it starts warp-lang

    network = FitRefiner()
    network.load_state_dict(load_file(path))
    for block in list(network.modules()):
        for name, layer in block.named_children():
            if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
                assert layer.bias is not None
                setattr(block, name, WinogradConv3x3(layer.weight, layer.bias))
    return network.to(memory_format=torch.channels_last).eval()  # pyright: ignore[reportCallIssue]
