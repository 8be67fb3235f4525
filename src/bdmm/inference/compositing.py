"""Layers to frames: the rules that are added to a trained compositing head in inference.

The head's layers are as they were learned. Five rules then make up for what training on rendered
people leaves wrong on real ones; `refine` applies them in this order. With ``v`` visible, ``f``
fallback, ``C`` the copied pixels, ``S`` the synthesised ones and ``s`` the shorter side of the
photo in pixels:

1. `copy_visible`: ``copy = max(copy, v)``, so ``person = C`` wherever the photo shows it.
2. `keep_detail`: ``person += 0.6 f (D(C) - D(person))``, where ``D(x) = x - blur(x)``.
3. `temper_alpha`: ``alpha = (alpha + outline) / 2``, but in the outline's narrow gaps.
4. `cut_halo`: ``alpha *= clamp((alpha - 0.06) / 0.06, 0, 1)``.
5. `soften_alpha`: alpha is smoothed over neighbouring pixels, ``s / 512`` times.

Frames without layers (an RGB head's) have their background in them. Where another one is asked for,
`body_opacity` parts them: 1 on the body, falling linearly to 0 over `_RIM` pixels.
"""

from dataclasses import replace

import torch
from einops import rearrange
from jaxtyping import Float, Integer
from torch import Tensor, cat, maximum, where
from torch.nn import functional

from bdmm.body.regions import region_box
from bdmm.kernels.picture_filters import box_mean, closing, smoothed
from bdmm.network.heads import Layers
from bdmm.records import PixelState
from bdmm.shapes import Frames

_DETAIL = 3.0 / 256
"""Reach of the blur that parts detail from tone, of ``s``: prints, folds, seams are smaller."""
_STRONG = 0.6
"""Share of a fallback copy's lost detail that is given back; 1 would show its mistakes in full."""
_GAP = 3 / 256
"""Half the width of a gap in the outline that is the fit's fault, of ``s``."""
_HALO = 0.06
"""Alpha up to which nobody is there: ``alpha`` is 0 at 1 x, unchanged from 2 x this value on."""
_SOFTENED_ONCE = 512
"""Pixels of the shorter side of frames whose alpha is smoothed once."""
_RIM = 5
"""Pixels around the body that frames without layers fill: hair, loose clothes, soft edges."""


def refine(layers: Layers, side: int) -> Layers:
    """Return layers after all five rules.

    Args:
        side: shorter side of the photo in pixels, as the network knows it.
    """
    layers = keep_detail(copy_visible(layers), max(1, round(_DETAIL * side)))
    layers = cut_halo(temper_alpha(layers, max(1, round(_GAP * side))))
    return soften_alpha(layers, round(side / _SOFTENED_ONCE))


def shown_part(layers: Layers, side: int) -> tuple[slice, slice]:
    """Return rows and columns of one frame's layers outside of which `refine` leaves nobody.

    Args:
        side: see `refine`.
    """
    there = (layers.alpha > _HALO) | (layers.known > 0) | (layers.prior > 0)
    # Twice the widest filter's reach: within, `refine` makes the same of the part and the whole.
    return region_box(there[0, 0, 0], margin=2 * max(1, round(_DETAIL * side)))


def copy_visible(layers: Layers) -> Layers:
    """Copy all that the photo shows: whatever is mixed in, no print stays sharp under it."""
    copy = maximum(layers.copy, layers.visible)
    person = torch.lerp(layers.synthesis, layers.copied, copy)
    return replace(layers, copy=copy, person=person)


def keep_detail(layers: Layers, reach: int) -> Layers:
    """Give fallback copies back most of the detail that the mixture has lost.

    Args:
        reach: pixels over which tone is averaged.
    """
    fallback, person = layers.known - layers.visible, layers.person.clone()
    around = region_box(fallback.flatten(0, 2).amax(dim=0) > 0, margin=2 * reach)
    place = (..., *around)
    lost = _detail((layers.copied[place] - person[place]), layers.known[place], reach)
    person[place] += _STRONG * fallback[place] * lost
    return replace(layers, person=person)


def temper_alpha(layers: Layers, reach: int) -> Layers:
    """Give the body's own outline half a say in alpha, but in its gaps.

    Alpha learned from rendered silhouettes errs otherwise at the rim of real people than the
    outline of the fitted body does: the mean of both is nearer than either. Narrow gaps in that
    outline (between the legs of a skirt) are the fit's fault, there alpha alone decides.

    Args:
        reach: half the width in pixels of the widest such gap.
    """
    outline = rearrange(layers.prior, "b t 1 h w -> (b t) 1 h w")
    closed = closing(outline, reach)
    soft = box_mean(outline, 1) / box_mean(torch.ones_like(outline[:1]), 1)
    gap, soft = (
        rearrange(part, "(b t) 1 h w -> b t 1 h w", t=layers.alpha.shape[1])
        for part in (closed - outline > 0.5, soft)
    )
    return replace(layers, alpha=where(gap, layers.alpha, (layers.alpha + soft) / 2))


def cut_halo(layers: Layers) -> Layers:
    """Take faint alpha away: before a plain background even a weak halo is seen."""
    kept = ((layers.alpha - _HALO) / _HALO).clamp(0, 1)
    return replace(layers, alpha=layers.alpha * kept)


def soften_alpha(layers: Layers, times: int) -> Layers:
    """Smooth alpha: where a rim lies is known no better than the pose is."""
    alpha = smoothed(layers.alpha.flatten(0, 1), times)
    return replace(layers, alpha=alpha.view_as(layers.alpha))


def body_opacity(state: Integer[Tensor, "t h w"]) -> Float[Tensor, "t 1 h w"]:
    """Return where a frame shows the person: 1 on the body, falling to 0 over a rim around it."""
    body = (state != PixelState.NONE).float()
    body = rearrange(body, "t h w -> t 1 h w")
    half = _RIM // 2
    grown = functional.max_pool2d(body, 2 * half + 1, stride=1, padding=half)
    return functional.avg_pool2d(grown, 2 * half + 1, 1, half, count_include_pad=False)


def replace_background(
    frames: Frames, opacity: Float[Tensor, "t 1 h w"], background: Frames
) -> Frames:
    """Return ``opacity * frames + (1 - opacity) * background``, for frames without layers."""
    return opacity * frames + (1 - opacity) * background


def _detail(
    values: Float[Tensor, "b t 3 h w"], known: Float[Tensor, "b t 1 h w"], reach: int
) -> Float[Tensor, "b t 3 h w"]:
    """Return values less their mean over the known pixels around, twice a square's."""
    blurred = rearrange(cat((values * known, known), dim=2), "b t c h w -> (b t) c h w")
    blurred = box_mean(box_mean(blurred, reach), reach)
    blurred = rearrange(blurred, "(b t) c h w -> b t c h w", t=values.shape[1])
    return values - blurred[:, :, :3] / blurred[:, :, 3:].clamp(min=1e-6)
