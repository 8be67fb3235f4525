"""The person's colours in a frame: copied from the photo, or spread along the bones."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.body.bones import ADJACENT, HANDS
from bdmm.body.regions import majority_filter, region_box, speckles
from bdmm.body.source_geometry import SourceGeometry
from bdmm.inference.bone_palette import (
    ARMS,
    ENOUGH,
    HEAD,
    UNLIKE_SKIN,
    bone_palette,
    reach_of_hand,
    trunk_beside,
)
from bdmm.kernels.push_pull import push_pull
from bdmm.kernels.rim import spread_person
from bdmm.kernels.warp import warp
from bdmm.records import Conditions, PixelState, Source


@dataclass(frozen=True)
class Coloured:
    """The person's colours in some frames.

    Attributes:
        colours: ``t 3 h w`` in [-1, 1] on the person, 0 elsewhere.
        copied: ``t h w`` where they are the photo's own.
    """

    colours: Float[Tensor, "t 3 h w"]
    copied: Bool[Tensor, "t h w"]


class PersonColours:
    """Colours the person of a source in any frames; each frame by itself.

    Visible, extended and filled pixels are copied from the photo. So are hands, but for one thing:
    the fit doesn't know fingers. Where it lays them on clothes in the photo, these are no part of
    the hand, and don't come along when it leaves them. The rest of the body takes the colours
    of its own bone from nearby, else of the bones next to it, else its bone's colour altogether. A
    head's back and top have the hair's colour: no face next to it shines through.

    Attributes:
        person: ``3 h w`` the photo with the person's colours spread beyond its rim.
        palette: ``24 3`` colour of each bone (`bone_palette`).

    Args:
        source: the photo.
        geometry: of the same source.
    """

    def __init__(self, source: Source, geometry: SourceGeometry) -> None:
        self.person = spread_person(source.image[None], source.foreground[None])[0]
        self.palette = bone_palette(self.person, geometry)
        self._reach, self._beside = reach_of_hand(geometry), trunk_beside(geometry)

    def __call__(self, conditions: Conditions) -> Coloured:
        """Colour the person of some frames."""
        segment = conditions.segment
        assert segment is not None
        colours = self.person.new_zeros(conditions.frame_count, 3, *conditions.size)
        copied = torch.zeros_like(conditions.fallback[0])
        for t, state in enumerate(conditions.state[0]):
            rows, columns = region_box(state != PixelState.NONE, margin=0)
            box = (slice(t, t + 1), rows, columns)
            colours[t : t + 1, :, rows, columns], copied[box] = self._frame(
                conditions.source_grid[0][box],
                conditions.state[0][box],
                conditions.fallback[0][box],
                segment[0][box],
            )
        return Coloured(colours, copied)

    def _frame(
        self,
        grid: Float[Tensor, "1 h w 2"],
        state: Int[Tensor, "1 h w"],
        filled: Bool[Tensor, "1 h w"],
        bone: Int[Tensor, "1 h w"],
    ) -> tuple[Float[Tensor, "1 3 h w"], Bool[Tensor, "1 h w"]]:
        colours = warp(self.person[None], grid)
        body = bone >= 0
        known = (state != PixelState.NONE) & ((state != PixelState.HIDDEN) | filled)
        known &= ~self._left_behind(colours, grid, bone)
        loose = body & torch.where(
            known, self._speckles(grid, known), ~majority_filter(body & ~known)
        )
        known &= ~loose
        unknown = body & ~known & ~loose
        for index in bone[unknown].unique().tolist():
            _spread(colours, index, self.palette[index], bone, known, unknown)
        weight = (known | unknown)[:, None].to(colours)
        colours *= weight
        if loose.any():
            colours = torch.where(loose[:, None], push_pull(colours, weight), colours)
        return colours, known

    def _speckles(
        self, grid: Float[Tensor, "1 h w 2"], known: Bool[Tensor, "1 h w"]
    ) -> Bool[Tensor, "1 h w"]:
        size = grid.new_tensor([self.person.shape[2], self.person.shape[1]])
        place = ((grid[0] + 1) / 2 * size).movedim(-1, 0).contiguous()
        return speckles(place, known[0])[None]

    def _left_behind(
        self,
        copied: Float[Tensor, "1 3 h w"],
        grid: Float[Tensor, "1 h w 2"],
        bone: Int[Tensor, "1 h w"],
    ) -> Bool[Tensor, "1 h w"]:
        """Return where a hand would copy clothes that it lies on in the photo but not here."""
        at = torch.nonzero(_belongs(bone, HANDS)[0])
        place = (0, slice(None), *at.T)
        unlike = (copied[place].T - self.palette[bone[0, *at.T]]).square().sum(dim=1)
        height, width = self._beside.shape
        x, y = ((grid[0, *at.T] + 1) / 2 * grid.new_tensor([width, height])).long().unbind(dim=1)
        beside = self._beside[y.clamp(0, height - 1), x.clamp(0, width - 1)]
        doubtful = (unlike >= UNLIKE_SKIN**2) & (beside >= 0)
        at, beside = at[doubtful], beside[doubtful]
        steps = torch.arange(-self._reach, self._reach + 1, device=bone.device)
        rows = (at[:, 0, None] + steps).clamp(0, bone.shape[1] - 1)
        columns = (at[:, 1, None] + steps).clamp(0, bone.shape[2] - 1)
        around = bone[0, rows[:, :, None], columns[:, None]].flatten(1)
        same = ADJACENT.to(bone.device)[beside[:, None], around] & (around >= 0)
        alone = ~(same & ~_belongs(around, ARMS)).any(dim=1)
        left = torch.zeros_like(bone, dtype=torch.bool)
        left[0, *at[alone].T] = True
        return left


def _spread(
    colours: Float[Tensor, "1 3 h w"],
    index: int,
    flat: Float[Tensor, "3"],
    bone: Int[Tensor, "1 h w"],
    known: Bool[Tensor, "1 h w"],
    unknown: Bool[Tensor, "1 h w"],
) -> None:
    """Colour what is unknown of one bone, in place."""
    wanted = unknown & (bone == index)
    near = known & (bone == index)
    if index not in HANDS and near.sum() < ENOUGH:
        near = known & ADJACENT.to(bone.device)[index, bone.clamp(min=0)] & (bone >= 0)
    if index == HEAD or near.sum() < ENOUGH:
        colours[:] = torch.where(wanted[:, None], flat[:, None, None], colours)
        return
    rows, columns = region_box((wanted | near)[0], margin=0)
    part = (..., rows, columns)
    weight = near[part][:, None].to(colours)
    spread = push_pull(colours[part] * weight, weight)
    colours[part] = torch.where(wanted[part][:, None], spread, colours[part])


def _belongs(bone: Int[Tensor, "*n"], bones: list[int]) -> Bool[Tensor, "*n"]:
    return torch.isin(bone, bone.new_tensor(bones))
