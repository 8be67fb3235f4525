"""The person's colours in a frame: copied from the photo, or diffused along the bones."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.body.bones import ADJACENT, HANDS, OTHER_SIDE
from bdmm.body.regions import majority_filter, nearest_pixel, region_box, speckles
from bdmm.body.source_geometry import HAND_GUARD, SourceGeometry
from bdmm.kernels.push_pull import push_pull, spread_person
from bdmm.kernels.warp import warp
from bdmm.records import BONE_NAMES, BONE_PARENTS, Conditions, PixelState, Source
from bdmm.shapes import Image

ENOUGH = 12
"""Pixels that a bone must show to have a colour of its own."""
UNLIKE_SKIN = 0.7
"""Distance from the skin's colour beyond which a pixel is not part of a hand."""
HEAD = BONE_NAMES.index("head")
ARMS = [b for b, n in enumerate(BONE_NAMES) if n.endswith(("_elbow", "_wrist", "_hand"))]
"""From the elbow on."""
_HANDS = [
    (BONE_NAMES.index(f"{side}_hand"), BONE_NAMES.index(f"{side}_wrist"))
    for side in ("left", "right")
]
"""Fingers and palm."""
_HAIRLINE, _FACE = 0.22, (0.4, 0.9)
"""Shares of the head's height in the photo, from the top: what is hair, and what is face."""
_MOST = 0.5
"""Fingers may be hidden if more than this share of their pixels is close to another body part."""


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

    1. Visible, extended and fallback pixels are copied from the photo.
    2. Hands are an exception. The fit does not know fingers and may lay them on clothes in the
       photo. Where the hand has moved away from these clothes, their pixels are not copied.
    3. Other pixels of the body take diffused colours of their own bone, else of the adjacent bones,
       else the one colour of their bone.
    4. The back and the top of the head have the colour of the hair, never of the face.

    Attributes:
        person: ``3 h w`` the photo with the person's colours extended beyond the outline.
        palette: ``24 3`` colour of each bone (`bone_palette`).
    """

    def __init__(self, source: Source, geometry: SourceGeometry) -> None:
        self.person = spread_person(source.image[None], source.foreground[None])[0]
        self.palette = bone_palette(self.person, geometry)
        self._reach, self._adjacent = reach_of_hand(geometry), adjacent_trunk(geometry)

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

    def inpaint(self, conditions: Conditions) -> Conditions:
        """Return conditions with colours for hidden pixels; what is not copied counts as hidden."""
        assert conditions.segment is not None
        coloured = self(conditions)
        copied, after = coloured.copied[None], conditions.after
        hidden = (conditions.segment >= 0) & ~copied
        return replace(
            conditions,
            state=torch.where(hidden, int(PixelState.HIDDEN), conditions.state),
            fallback=conditions.fallback & copied,
            inpainted=coloured.colours[None],
            after=None if after is None else self.inpaint(after),
        )

    def _frame(
        self,
        grid: Float[Tensor, "1 h w 2"],
        state: Int[Tensor, "1 h w"],
        fallback: Bool[Tensor, "1 h w"],
        bone: Int[Tensor, "1 h w"],
    ) -> tuple[Float[Tensor, "1 3 h w"], Bool[Tensor, "1 h w"]]:
        colours = warp(self.person[None], grid)
        body = bone >= 0
        known = (state != PixelState.NONE) & ((state != PixelState.HIDDEN) | fallback)
        known &= ~self._left_behind(colours, grid, bone)
        loose = body & torch.where(
            known, self._speckles(grid, known), ~majority_filter(body & ~known)
        )
        known &= ~loose
        unknown = body & ~known & ~loose
        for index in bone[unknown].unique().tolist():
            _diffuse(colours, index, self.palette[index], bone, known, unknown)
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
        """Return where a hand would copy clothes that it covers in the photo but not here."""
        at = torch.nonzero(_belongs(bone, HANDS)[0])
        place = (0, slice(None), *at.T)
        unlike = (copied[place].T - self.palette[bone[0, *at.T]]).square().sum(dim=1)
        height, width = self._adjacent.shape
        x, y = ((grid[0, *at.T] + 1) / 2 * grid.new_tensor([width, height])).long().unbind(dim=1)
        adjacent = self._adjacent[y.clamp(0, height - 1), x.clamp(0, width - 1)]
        doubtful = (unlike >= UNLIKE_SKIN**2) & (adjacent >= 0)
        at, adjacent = at[doubtful], adjacent[doubtful]
        steps = torch.arange(-self._reach, self._reach + 1, device=bone.device)
        rows = (at[:, 0, None] + steps).clamp(0, bone.shape[1] - 1)
        columns = (at[:, 1, None] + steps).clamp(0, bone.shape[2] - 1)
        around = bone[0, rows[:, :, None], columns[:, None]].flatten(1)
        same = ADJACENT.to(bone.device)[adjacent[:, None], around] & (around >= 0)
        alone = ~(same & ~_belongs(around, ARMS)).any(dim=1)
        left = torch.zeros_like(bone, dtype=torch.bool)
        left[0, *at[alone].T] = True
        return left


def bone_palette(person: Image, geometry: SourceGeometry) -> Float[Tensor, "n 3"]:
    """Return one colour for each bone, for parts that the photo does not show.

    It is the median of the bone's pixels. Where the photo shows too few of them, it is that of the
    other side's bone, else of the parent. The head's is that of the hair: unseen parts of a head
    are its back and top. Hands that show clothes in the photo (the fit does not know fingers, and
    they may be in a pocket) have the face's colour.

    Args:
        person: the photo with the person's colours extended beyond the outline (`spread_person`).
    """
    shown = geometry.maps
    bone = torch.where(shown.on_mesh & shown.person, shown.segment, -1)
    colours = person.flatten(1)
    down, across = _on_head(bone, person.shape[2])
    face = colours[:, (bone == HEAD) & _within(down, *_FACE) & _within(across, 0.3, 0.7)]
    hair = (bone != HEAD) | (down <= _HAIRLINE)
    hair_rim = ~shown.on_mesh & shown.person & (shown.segment == HEAD)
    bone = torch.where(hair_rim, HEAD, torch.where(hair, bone, -1))
    medians = [_median(colours[:, bone == index]) for index in range(len(BONE_NAMES))]
    skin, clothed = _median(face), adjacent_trunk(geometry).flatten() >= 0
    for fingers, palm in _HANDS:
        there = bone == fingers
        found = _fingers(colours[:, there], clothed[there], skin)
        if found is None:
            continue
        wrong, own = medians[fingers], medians[palm]
        medians[fingers] = found
        if own is not None and wrong is not None and (own - wrong).norm() < UNLIKE_SKIN:
            medians[palm] = found  # not a cuff
    everything = colours[:, shown.person]
    resolved = [(everything if everything.numel() else colours).mean(dim=1)]
    for index, parent in enumerate(BONE_PARENTS):
        own, other = medians[index], medians[OTHER_SIDE[index]]
        inherited = resolved[parent + 1]
        resolved.append(own if own is not None else other if other is not None else inherited)
    return torch.stack(resolved[1:])


def adjacent_trunk(geometry: SourceGeometry) -> Int[Tensor, "h w"]:
    """Return the nearest bone but the arms' within `HAND_GUARD` of each pixel of the photo, or -1.

    A hand may copy that bone's clothes there.
    """
    shown = geometry.maps
    bone = torch.where(shown.on_mesh & shown.person, shown.segment, -1).view(1, *geometry.size)
    trunk = (bone >= 0) & ~torch.isin(bone, bone.new_tensor(ARMS))
    row, column = nearest_pixel(trunk, reach_of_hand(geometry))
    return torch.where(row >= 0, bone[0, row.clamp(min=0), column.clamp(min=0)], -1)[0]


def reach_of_hand(geometry: SourceGeometry) -> int:
    """Return `HAND_GUARD` in pixels."""
    return max(1, round(geometry.pixels(HAND_GUARD)))


def _on_head(bone: Int[Tensor, "n"], width: int) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
    """Return pixels' positions down and across the head: 0 to 1 on it, below 0 without a head."""
    index = torch.arange(len(bone), device=bone.device)
    places = []
    for place in (index // width, index % width):
        head = place[bone == HEAD].float()
        low, high = (head.min(), head.max()) if len(head) else (place.max() + 1, place.max() + 2)
        places.append((place - low) / (high - low).clamp(min=1))
    return places[0], places[1]


def _within(place: Float[Tensor, "n"], low: float, high: float) -> Bool[Tensor, "n"]:
    return (place > low) & (place < high)


def _fingers(
    hand: Float[Tensor, "3 n"], clothed: Bool[Tensor, "n"], skin: Float[Tensor, "3"] | None
) -> Float[Tensor, "3"] | None:
    """Return the colour of fingers that the fit misplaces in the photo; None if it does not.

    Args:
        hand: colours where the fit has the fingers.
        clothed: which of these pixels are close to other parts of the body.
        skin: the face's colour, if it is known.
    """
    own = _median(hand)
    if skin is None or own is None or (own - skin).norm() < UNLIKE_SKIN:
        return None
    bare = _median(hand[:, (hand - skin[:, None]).norm(dim=0) < UNLIKE_SKIN])
    return skin if bare is None and clothed.float().mean() > _MOST else bare


def _median(pixels: Float[Tensor, "3 n"]) -> Float[Tensor, "3"] | None:
    return pixels.median(dim=1).values if pixels.shape[1] >= ENOUGH else None


def _diffuse(
    colours: Float[Tensor, "1 3 h w"],
    index: int,
    flat: Float[Tensor, "3"],
    bone: Int[Tensor, "1 h w"],
    known: Bool[Tensor, "1 h w"],
    unknown: Bool[Tensor, "1 h w"],
) -> None:
    """Colour the unknown pixels of one bone, in place."""
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
    diffused = push_pull(colours[part] * weight, weight)
    colours[part] = torch.where(wanted[part][:, None], diffused, colours[part])


def _belongs(bone: Int[Tensor, "*n"], bones: list[int]) -> Bool[Tensor, "*n"]:
    return torch.isin(bone, bone.new_tensor(bones))
