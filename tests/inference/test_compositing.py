"""What is made of learned layers where a network only generates: five rules, each for itself."""

from dataclasses import replace

import pytest
import torch

from bdmm.inference.compositing import (
    copy_visible,
    cut_halo,
    keep_detail,
    refine,
    shown_part,
    soften_alpha,
    temper_alpha,
)
from bdmm.network.heads import Layers, frame_of, part_of

SIDE = 32
PERSON = slice(8, 24)


@pytest.fixture
def layers() -> Layers:
    """A square person: its right half is visible, its left half a fallback."""
    random = torch.Generator().manual_seed(2)
    place = torch.zeros(1, 2, 1, SIDE, SIDE)
    place[..., PERSON, PERSON] = 1
    visible = place.clone()
    visible[..., :16] = 0
    copied, synthesis = torch.rand(2, 1, 2, 3, SIDE, SIDE, generator=random) * 2 - 1
    copy = torch.full_like(place, 0.4)
    return Layers(
        alpha=torch.rand(place.shape, generator=random),
        person=copy * copied + (1 - copy) * synthesis,
        copied=copied,
        synthesis=synthesis,
        copy=copy,
        known=place,
        visible=visible,
        prior=place,
    )


def test_all_that_the_photo_shows_is_copied(layers: Layers) -> None:
    made = copy_visible(layers)
    seen = (layers.visible > 0).expand_as(made.person)
    assert torch.equal(made.person[seen], layers.copied[seen])
    torch.testing.assert_close(made.person[~seen], layers.person[~seen])


def test_a_print_of_a_fallback_copy_stays_strong(layers: Layers) -> None:
    stripes = torch.tensor([-0.8, 0.8]).repeat(SIDE // 2).expand_as(layers.copied)
    layers = replace(layers, copied=stripes, person=0.5 * stripes)
    made = keep_detail(layers, reach=3)
    inner = (..., slice(11, 21), slice(11, 15))
    gone, left = ((stripes - one.person)[inner].abs().mean() for one in (layers, made))
    assert left < 0.5 * gone
    elsewhere = (layers.known - layers.visible).expand_as(stripes) == 0
    assert torch.equal(made.person[elsewhere], layers.person[elsewhere])


def test_the_outline_has_half_a_say_but_in_its_gaps(layers: Layers) -> None:
    torn = layers.prior.clone()
    torn[..., PERSON, 15:17] = 0
    made = temper_alpha(replace(layers, prior=torn), reach=3)
    inner = slice(PERSON.start + 4, PERSON.stop - 4)
    gap, body = (..., inner, slice(15, 17)), (..., inner, slice(20, 22))
    assert torch.equal(made.alpha[gap], layers.alpha[gap])
    torch.testing.assert_close(made.alpha[body], (layers.alpha[body] + 1) / 2)


def test_a_faint_halo_goes(layers: Layers) -> None:
    alpha = torch.zeros_like(layers.alpha)
    alpha[..., 0, :5] = torch.tensor([0.05, 0.06, 0.09, 0.12, 0.5])
    made = cut_halo(replace(layers, alpha=alpha))
    expected = torch.tensor([0, 0, 0.045, 0.12, 0.5])
    torch.testing.assert_close(made.alpha[0, 0, 0, 0, :5], expected)


def test_the_rules_work_in_their_order(layers: Layers) -> None:
    made = refine(layers, 256)
    parts = keep_detail(copy_visible(layers), 3)
    assert torch.equal(made.person, parts.person)
    assert torch.equal(made.alpha, cut_halo(temper_alpha(layers, 3)).alpha)
    assert torch.equal(refine(layers, 8).alpha, cut_halo(temper_alpha(layers, 1)).alpha)
    large = cut_halo(temper_alpha(layers, 6)).alpha
    assert torch.equal(
        refine(layers, 512).alpha, soften_alpha(replace(layers, alpha=large), 1).alpha
    )
    background = torch.zeros(1, 1, 3, SIDE, SIDE)
    assert torch.equal(made.over(background), made.alpha * made.person)


def test_softening_spreads_alpha_and_keeps_its_sum(layers: Layers) -> None:
    made = soften_alpha(replace(layers, alpha=layers.known), 2).alpha
    torch.testing.assert_close(made.sum(), layers.known.sum())
    column = made[0, 0, 0, 16]
    assert torch.equal(column[:6], torch.zeros(6))
    assert bool((column[6:10].diff() > 0).all())


def test_nobody_is_left_outside_the_shown_part(layers: Layers) -> None:
    side = 256  # filters reach three pixels
    alone = frame_of(layers, 1)
    faint = torch.where(alone.known > 0, alone.alpha, 0.05)
    alone = replace(alone, alpha=faint)
    rows, columns = shown_part(alone, side)
    assert (rows, columns) == (slice(2, 30), slice(2, 30))
    whole, part = refine(alone, side), refine(part_of(alone, rows, columns), side)
    assert torch.equal(whole.alpha[..., rows, columns], part.alpha)
    torch.testing.assert_close(whole.person[..., rows, columns], part.person)
    assert whole.alpha.count_nonzero() == part.alpha.count_nonzero() > 0
