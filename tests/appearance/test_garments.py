"""Which pixels are skin, hair and clothes, on people whose clothes are known."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from bdmm.appearance import completion
from bdmm.appearance.atlas import texels_of
from bdmm.appearance.completion import Fallback, complete
from bdmm.appearance.cross_sections import beside_arms
from bdmm.appearance.garments import KINDS, find_kinds, vertex_kinds
from bdmm.appearance.photo_view import photo_vertices, view_photo
from bdmm.body.clothed_body import vertex_normals
from bdmm.body.model import PART_NAMES
from bdmm.records import BONE_NAMES

PAINT = {
    "skin": (0.5, 0.1, -0.1),
    "hair": (-0.7, -0.8, -0.9),
    "upper": (0.6, -0.6, -0.6),
    "lower": (-0.6, -0.4, 0.5),
    "shoes": (0.9, 0.9, 0.9),
}


def worn(body, bare):
    """Return the kind of each vertex; some bones are bare."""
    kind = torch.full_like(body.parts, KINDS.index("skin"))
    parts = {"torso": "upper", "arms": "upper", "legs": "lower", "feet": "shoes", "scalp": "hair"}
    for part, name in parts.items():
        kind[body.parts == PART_NAMES.index(part)] = KINDS.index(name)
    below = (body.template[:, 1] > -0.07) & (kind == KINDS.index("upper"))
    kind[below & (body.parts == PART_NAMES.index("torso"))] = KINDS.index("lower")
    bones = [i for i, name in enumerate(BONE_NAMES) if name.endswith(tuple(bare))]
    kind[torch.isin(body.vertex_bones, torch.tensor(bones))] = KINDS.index("skin")
    return kind


@pytest.mark.parametrize("bare", [("_hand",), ("_elbow", "_knee", "_hand")])
def test_clothes_are_found_by_colour_and_place(body, standing, painted, bare):
    kind = worn(body, bare)
    colours = torch.tensor([PAINT[name] for name in KINDS])[kind]
    (photo,) = painted(standing, colours)
    view = view_photo(body, photo)
    (shares,) = find_kinds(body, [view])
    assert torch.equal(shares.sum(dim=0) > 0.99, photo.foreground[0] > 0.5)
    x, y = photo_vertices(view.geometry)[:, :2].long().unbind(dim=1)
    found = shares[:, y, x].argmax(dim=0)
    right = (found == kind)[view.trust > 0.5]
    assert right.float().mean() > 0.93


def test_anatomy_speaks_of_every_vertex(body):
    kinds = vertex_kinds(body)
    assert kinds.shape == (len(body.template), len(KINDS))
    assert kinds.sum(axis=1) == pytest.approx(1)
    assert kinds.min() > 0


def test_hidden_colours_end_where_the_garment_does(body, standing, painted):
    """A belt's width that no photo shows is of the shirt's or the trousers' colour, not between."""
    colours = torch.tensor([PAINT[name] for name in KINDS])[worn(body, ("_hand",))]
    (photo,) = painted(standing, colours)
    view = view_photo(body, photo)
    kinds = find_kinds(body, [view])
    belt = (body.template[:, 1] + 0.07).abs() < 0.12
    belt &= body.parts == PART_NAMES.index("torso")
    view = replace(view, trust=torch.where(belt, 0.0, view.trust))
    texels = texels_of(body, 256)
    around = texels.some(belt[body.faces[texels.face]].all(dim=1))
    never = torch.zeros(len(around.index))
    nowhere = Fallback(torch.zeros(len(around.index), 2), never)
    shirt, trousers = (torch.tensor(PAINT[name]) for name in ("upper", "lower"))

    def between(kinds):
        made = complete(body, [view], kinds, [nowhere], around)
        share = ((made - shirt) @ (trousers - shirt)) / (trousers - shirt).square().sum()
        return float(((share > 0.2) & (share < 0.8)).float().mean())

    assert between(None) > 0.3
    assert between(kinds) < 0.05


def through(body, view, part):
    """Return the texels of a part of the body, their vertices, and where the photo shows them."""
    texels = texels_of(body, 256)
    some = texels.some(part[body.faces[texels.face]].all(dim=1))
    corners = body.faces[some.face].long()
    places = photo_vertices(view.geometry)[corners, :2]
    return some, corners, (some.barycentric[..., None] * places).sum(dim=1)


@pytest.mark.parametrize("wide", [False, True])
def test_a_print_does_not_go_through_the_body_but_two_colours_do(body, standing, painted, wide):
    """A patch in one place is the front's alone; half of a garment is the garment's."""
    colours = torch.tensor([PAINT[name] for name in KINDS])[worn(body, ("_hand",))]
    x, y = body.template[:, 0], body.template[:, 1]
    chest = (y < -0.15) & (body.parts == PART_NAMES.index("torso"))
    patch = chest & ((x > 0) if wide else (x.abs() < 0.04) & ((y + 0.3).abs() < 0.04))
    ink = torch.tensor((-0.6, 0.5, 0.6))
    colours[patch] = ink
    (photo,) = painted(standing, colours)
    view = view_photo(body, photo)
    kinds = find_kinds(body, [view])
    hidden = chest & (x.abs() < 0.1)
    view = replace(view, trust=torch.where(hidden, 0.0, view.trust))
    around, corners, place = through(body, view, hidden)
    hardly = torch.full((len(place),), 0.02)
    made = complete(body, [view], kinds, [Fallback(place, hardly)], around)
    printed, shirt = made[patch[corners].all(dim=1)], torch.tensor(PAINT["upper"])
    kept = ((printed - ink).norm(dim=1) < (printed - shirt).norm(dim=1)).float().mean()
    assert kept > 0.5 if wide else kept < 0.1


def test_a_hem_is_as_high_behind_as_in_front(body, standing, painted, monkeypatch):
    kind = worn(body, ("_hand",))
    torso = body.parts == PART_NAMES.index("torso")
    short = torso & (body.template[:, 1] > -0.15)  # anatomy expects the hem 8 cm lower
    kind[short] = KINDS.index("lower")
    (photo,) = painted(standing, torch.tensor([PAINT[name] for name in KINDS])[kind])
    view = view_photo(body, photo)
    kinds = find_kinds(body, [view])
    back, corners, place = through(body, view, torso & (body.template[:, 2] > 0))
    nowhere = Fallback(place, torch.zeros(len(place)))
    shirt, trousers = (torch.tensor(PAINT[name]) for name in ("upper", "lower"))

    def wrong():
        """Return the share of the back that gets the other garment's colour."""
        made = complete(body, [view], kinds, [nowhere], back)
        nearer = (made - trousers).norm(dim=1) < (made - shirt).norm(dim=1)
        inside = (short[corners].all(dim=1)) | ~short[corners].any(dim=1)
        return float((nearer != short[corners].all(dim=1))[inside].float().mean())

    with_sections = wrong()
    monkeypatch.setattr(completion, "kinds_around", lambda _, kinds, weight: (kinds, 0 * weight))
    assert with_sections < 0.02
    assert with_sections < 0.5 * wrong()


def test_clothes_at_the_rim_of_a_bare_arm_are_not_the_arm(body):
    kind = worn(body, ("_elbow", "_wrist", "_hand"))
    forearm = body.vertex_bones == BONE_NAMES.index("left_elbow")
    outwards = body.template[forearm, 0].mean().sign()
    rim = forearm & (vertex_normals(body.template, body.faces)[:, 0] * outwards < -0.7)
    seen = torch.where(rim, KINDS.index("upper"), kind)
    beside, sleeves = (
        beside_arms(body, functional.one_hot(one, len(KINDS)).float(), torch.ones(len(one)))
        for one in (seen, kind)
    )
    assert (beside & rim).sum() > 0.8 * rim.sum() > 20
    assert (beside & ~rim).sum() < 0.02 * len(kind)
    assert sleeves.sum() < 0.002 * len(kind), "sleeves end in rings"
