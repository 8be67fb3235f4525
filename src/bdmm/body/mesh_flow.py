"""Mesh flow: for each pixel of a target frame, where the source shows the same body point.

The warp-lang kernels are `bdmm.body.mesh_flow_warp`; their specification in plain PyTorch, which
they equal to the bit, is in ``tests/body/test_mesh_flow_kernels.py``.
"""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.body.rasterize import Raster
from bdmm.body.regions import least_near, region_box
from bdmm.body.skirt import INNER, SPAN, WIDE, between_legs
from bdmm.body.source_geometry import REACH, SourceGeometry, foremost_limb
from bdmm.records import BONE_NAMES, NOWHERE, PixelState

_SPIKE = 0.012
"""Metres, half the width of a spike: between arm and torso a photo shows slivers of cloth."""
_TRUNK = [BONE_NAMES.index(name) for name in ("pelvis", "spine1", "spine2", "spine3")]
_MANY, _FEW = 400, 30
"""Pixels of the trunk that tell its motion, and how many at least."""
_STILL = 0.03
"""Metres in the photo up to which an arm has moved with the trunk."""


@dataclass(frozen=True)
class MeshFlow:
    """Correspondence from target pixels to the source; the steps of `mesh_flow` write into it.

    ``*p`` is ``t h w``, or one dimension in `flat`.

    Attributes:
        source_xy: ``*p 2`` positions (x, y) in pixels of the source, +inf where none is known.
        state: ``*p`` values of `PixelState`.
        fallback: ``*p`` hidden pixels whose fallback correspondence may be copied.
        segment: ``*p`` bone of the body at each pixel, -1 off the body.
    """

    source_xy: Float[Tensor, "*p 2"]
    state: Int[Tensor, "*p"]
    fallback: Bool[Tensor, "*p"]
    segment: Int[Tensor, "*p"]

    @classmethod
    def empty(cls, shape: torch.Size, device: torch.device) -> "MeshFlow":
        """Return a flow that knows nothing yet."""
        return cls(
            source_xy=torch.full((*shape, 2), torch.inf, device=device),
            state=torch.full(shape, int(PixelState.NONE), dtype=torch.int8, device=device),
            fallback=torch.zeros(shape, dtype=torch.bool, device=device),
            segment=torch.full(shape, -1, device=device),
        )

    @property
    def flat(self) -> "MeshFlow":
        """The same maps as views of one dimension."""
        maps = (self.state, self.fallback, self.segment)
        return MeshFlow(self.source_xy.view(-1, 2), *(one.view(-1) for one in maps))

    def source_grid(self, size: tuple[int, int]) -> Float[Tensor, "t h w 2"]:
        """Return positions normalised by the source's (height, width); else `NOWHERE`."""
        height, width = size
        grid = self.source_xy * (2 / self.source_xy.new_tensor([width, height])) - 1
        return torch.where(self.source_xy.isinf(), NOWHERE, grid)


def mesh_flow(
    geometry: SourceGeometry, raster: Raster, turns: Float[Tensor, "t n 2 2"]
) -> MeshFlow:
    """Find the source position of every target pixel on the body or close to it.

    Convention:
        Target to source. Positions are the same points of the body's surface.

        - *Visible*: the face looks to the camera in the source, nothing of the body hides it
          there, and the source shows the person at that position. A point that just misses the
          person takes the nearest interior pixel.
        - *Hidden*: the rest of the body. Some of it has a *fallback* correspondence: the
          same position in the source, where the source shows the same or an adjacent bone there,
          front or back (not on the head); else the mirrored point on the body's other side, where
          the source shows that.
        - *Extended*: off the body, carried along rigidly by the nearest body pixel, from which no
          gap parts it: hair and loose clothes hang on the body, what floats is another limb's.
          Spikes are left out (`solid`).

        A skirt between the legs counts as body, stretched from one leg to the other.

    Args:
        raster: the target frames' mesh.
        turns: each bone's turn within the picture from `plane_turns`.
    """
    margin = max(1, round(geometry.pixels(REACH)))
    whole = MeshFlow.empty(raster.face.shape, raster.face.device)
    for t in range(len(raster.face)):
        box = slice(t, t + 1), *region_box(raster.face[t] >= 0, margin)
        one = Raster(*(getattr(raster, part.name)[box] for part in fields(Raster)))
        flow = flow_around_body(geometry, one, turns[t : t + 1])
        for part in fields(MeshFlow):
            getattr(whole, part.name)[box] = getattr(flow, part.name)
    return whole


def flow_around_body(
    geometry: SourceGeometry, raster: Raster, turns: Float[Tensor, "t n 2 2"]
) -> MeshFlow:
    """Return the `mesh_flow` of a part of some frames that holds the body and `REACH` around it."""
    from bdmm.body.mesh_flow_warp import extend, map_body  # late: it starts warp-lang

    face = raster.face.contiguous()
    flow = MeshFlow.empty(face.shape, face.device)
    flow.segment.copy_(torch.where(face >= 0, geometry.face_bones[face], -1))
    limb = foremost_limb(raster.depth, flow.segment, geometry.scale)[1]
    map_body(flow, geometry, face, raster.barycentric.contiguous(), limb)
    extend(flow, geometry, turns)
    if geometry.skirt.any():
        _hang_skirt(flow, geometry)
    return flow


def solid(
    body: Bool[Tensor, "t h w"], carried: Bool[Tensor, "t h w"], geometry: SourceGeometry
) -> Bool[Tensor, "t h w"]:
    """Return what is left of the body and what hangs on it without spikes: its opening."""
    reach = max(1, round(geometry.pixels(_SPIKE)))
    eroded = least_near(body | carried, reach)
    return ~least_near(~eroded, reach)


def plane_turns(
    source: Float[Tensor, "n 3 3"], target: Float[Tensor, "t n 3 3"], shrink: Float[Tensor, "t"]
) -> Float[Tensor, "t n 2 2"]:
    """Return how each bone's outline turns within the picture, from target to source.

    The orthogonal 2x2 matrix nearest to the picture part of the bone's turn in space, so a bone
    that turns its back is mirrored.

    Args:
        source: ``24 3 3`` orientations of the source's bones in the camera.
        target: ``t 24 3 3`` those of the target frames.
        shrink: ``t`` size of the source over that of the target, a factor on the result.
    """
    turn = (source @ target.mT)[..., :2, :2]
    left, _, right = torch.linalg.svd(turn)
    return shrink[:, None, None, None] * (left @ right)


def moves_with_trunk(
    flow: MeshFlow, pixel: Int[Tensor, "n"], geometry: SourceGeometry
) -> Bool[Tensor, "n"]:
    """Return which pixels of one frame come from where the trunk's affine motion has them from."""
    flat, width = flow.flat, flow.segment.shape[2]
    trunk = torch.isin(flat.segment, flat.segment.new_tensor(_TRUNK))
    trunk = torch.nonzero(trunk & (flat.state == PixelState.VISIBLE))[:, 0]
    trunk = trunk[:: max(1, len(trunk) // _MANY)]
    if len(trunk) < _FEW:
        return torch.zeros_like(pixel, dtype=torch.bool)

    def homogeneous(index: Int[Tensor, "m"]) -> Float[Tensor, "m 3"]:
        return torch.stack((index % width, index // width, torch.ones_like(index)), dim=1).float()

    affine = torch.linalg.lstsq(homogeneous(trunk), flat.source_xy[trunk]).solution
    apart = (homogeneous(pixel) @ affine - flat.source_xy[pixel]).norm(dim=1)
    return apart < geometry.pixels(_STILL)


def _hang_skirt(flow: MeshFlow, geometry: SourceGeometry) -> None:
    """Map the cloth between the legs, as a part of the nearer leg.

    A pixel on the straight line between two points of the legs takes the source pixel on the
    straight line between the same two points, at the same share of the way.
    """
    flat = flow.flat
    reach, inner = (max(1, round(geometry.pixels(one))) for one in (SPAN + INNER, INNER))
    pixel, left, right, share = between_legs(flow.segment, reach, WIDE, inner)
    source_xy = torch.lerp(flat.source_xy[left], flat.source_xy[right], share[:, None])
    sample = geometry.at(source_xy)
    row = source_xy[:, 1].long().clamp(0, geometry.size[0] - 1)
    cloth = geometry.skirt[row] & sample.inside & sample.person
    pixel, left, right, share = pixel[cloth], left[cloth], right[cloth], share[cloth]
    visible = (flat.state[left] == PixelState.VISIBLE) & (flat.state[right] == PixelState.VISIBLE)
    flat.source_xy[pixel] = source_xy[cloth]
    state = torch.where(visible, int(PixelState.VISIBLE), int(PixelState.HIDDEN))
    flat.state[pixel] = state.to(flat.state)
    flat.fallback[pixel] = ~visible
    flat.segment[pixel] = torch.where(share < 0.5, flat.segment[left], flat.segment[right])
