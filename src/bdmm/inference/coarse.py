"""The coarse renderer: the photo's own pixels warped onto the motion, no network."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.body.source_geometry import Shown, SourceGeometry
from bdmm.kernels.push_pull import push_pull
from bdmm.kernels.rim import smoothed, spread_person
from bdmm.kernels.warp import warp
from bdmm.records import BONE_NAMES, BONE_PARENTS, Conditions, PixelState, Source
from bdmm.shapes import Frames, Image

_HEAD = BONE_NAMES.index("head")
_ALIKE = 0.3
"""Difference from its bone's colour beyond which a pixel tells of other cloth, not of the light."""
_UNLIKE_SKIN = 0.7
"""Difference from a hand's colour beyond which a pixel isn't of the hand."""
_HANDS = [bone for bone, name in enumerate(BONE_NAMES) if name.endswith(("_wrist", "_hand"))]
_ENOUGH = 12
"""Pixels that a bone must show in the photo to have a colour of its own."""
_HAIRLINE = 0.22
"""Share of the head's height in the photo, from the top, that stands for the hair."""


class CoarseRenderer:
    """Composes frames from a source and its conditions; each frame by itself, in any slices.

    Args:
        source: the photo.
        geometry: of the same source, from its `conditioning.Conditioner`.
    """

    def __init__(self, source: Source, geometry: SourceGeometry) -> None:
        self.person = spread_person(source.image[None], source.foreground[None])[0]
        self.palette = bone_palette(self.person, geometry)

    def __call__(self, conditions: Conditions, background: Frames | Image) -> Frames:
        """Return frames in [-1, 1]; see `compose_coarse`."""
        return compose_coarse(self.person, self.palette, conditions, background)


def compose_coarse(
    person: Image,
    palette: Float[Tensor, "n 3"],
    conditions: Conditions,
    background: Frames | Image,
) -> Frames:
    """Lay the warped person over a background.

    Visible, extended and filled pixels are copied from the photo. The rest of the body takes its
    bone's colour, shaded to meet the copied pixels around it.

    Args:
        person: the photo with the person's colours spread beyond its rim (`spread_person`).
        palette: colour of each bone in [-1, 1] (`bone_palette`).
        conditions: of the frames to make.
        background: one picture for all frames or one for each, RGB in [-1, 1].
    """
    frames = background.expand(len(conditions), -1, -1, -1).clone()
    for t, state in enumerate(conditions.state):
        rows, columns = _box(state != PixelState.NONE)
        box = (slice(t, t + 1), rows, columns)
        grid, segment = conditions.source_grid[box], conditions.segment[box]
        body = (state != PixelState.NONE)[None, rows, columns][:, None]
        hidden = (state == PixelState.HIDDEN)[None, rows, columns] & ~conditions.filled[box]
        colour = _colours(person, palette, grid, segment, body & ~hidden[:, None])
        soft = conditions.warped_foreground[t : t + 1, :, rows, columns] * body
        alpha = smoothed(torch.where((segment >= 0)[:, None], 1.0, soft))
        there = frames[t : t + 1, :, rows, columns]
        frames[t : t + 1, :, rows, columns] = alpha * colour + (1 - alpha) * there
    return frames.clamp(-1, 1)


def _box(region: Bool[Tensor, "h w"], margin: int = 2) -> tuple[slice, slice]:
    """Return the rows and columns that hold the region and a margin around it."""
    spans = []
    for dim in (1, 0):
        used = torch.nonzero(region.any(dim=dim)).flatten().tolist() or [0]
        spans.append(slice(max(used[0] - margin, 0), used[-1] + margin + 1))
    return spans[0], spans[1]


def _colours(
    person: Image,
    palette: Float[Tensor, "n 3"],
    grid: Float[Tensor, "b h1 w1 2"],
    segment: Int[Tensor, "b h1 w1"],
    known: Bool[Tensor, "b 1 h1 w1"],
) -> Float[Tensor, "b 3 h1 w1"]:
    """Return the person's colours: copied where known, painted elsewhere."""
    copied = warp(person[None], grid)
    on_bone = (segment >= 0)[:, None]
    base = palette[segment.clamp(min=0)].movedim(-1, 1)
    base = push_pull(base * on_bone, on_bone.to(base))
    difference = torch.where(known, copied - base, 0.0)
    unlike = difference.square().sum(dim=1, keepdim=True)
    # The fit doesn't know fingers: where it lays them on clothes, these are no part of the hand.
    known = known & (~_belongs(segment, _HANDS) | (unlike < _UNLIKE_SKIN**2))
    # A head's back and top keep the hair's colour: no face next to it shines through.
    head = _belongs(segment, [_HEAD])
    alike = torch.exp(-unlike / _ALIKE**2)
    shading = push_pull(difference, alike * (known & ~head))
    return torch.where(known, copied, torch.where(head, base, base + shading))


def bone_palette(person: Image, geometry: SourceGeometry) -> Float[Tensor, "n 3"]:
    """Return the colour in which parts of each bone are painted that the photo doesn't show.

    The median of the bone's pixels; of the other side's bone, else of the parent, where the photo
    shows too few. The head's is that of the hair: unseen parts of a head are its back and top.
    """
    shown = geometry.everywhere()
    bone = torch.where(shown.on_mesh & shown.person, shown.segment, -1)
    bone = _hair_for_head(bone, shown, person.shape[2])
    colours = person.flatten(1)
    medians: list[Tensor | None] = []
    for index in range(len(BONE_NAMES)):
        pixels = colours[:, bone == index]
        medians.append(pixels.median(dim=1).values if pixels.shape[1] >= _ENOUGH else None)
    everything = colours[:, shown.person]
    resolved = [(everything if everything.numel() else colours).mean(dim=1)]
    for index, parent in enumerate(BONE_PARENTS):
        own, other = medians[index], medians[_mirrored(index)]
        inherited = resolved[parent + 1]
        resolved.append(own if own is not None else other if other is not None else inherited)
    return torch.stack(resolved[1:])


def _hair_for_head(bone: Int[Tensor, "n"], shown: Shown, width: int) -> Int[Tensor, "n"]:
    """Leave of the head only its top, and add what stands beside it."""
    beside = ~shown.on_mesh & shown.person & (shown.segment == _HEAD)
    row = torch.arange(len(bone), device=bone.device) // width
    rows = row[bone == _HEAD]
    if len(rows) > 0:
        hairline = rows[0] + _HAIRLINE * (rows[-1] - rows[0])
        bone = torch.where((bone == _HEAD) & (row > hairline), -1, bone)
    return torch.where(beside, _HEAD, bone)


def _mirrored(bone: int) -> int:
    name = BONE_NAMES[bone]
    side, _, rest = name.partition("_")
    other = {"left": "right", "right": "left"}.get(side)
    return BONE_NAMES.index(f"{other}_{rest}") if other else bone


def _belongs(segment: Int[Tensor, "b h w"], bones: list[int]) -> Bool[Tensor, "b 1 h w"]:
    return torch.isin(segment, segment.new_tensor(bones))[:, None]
