"""A random person: body, skin, hair and outfit."""

import numpy as np

from bdmm.body.model import AnnyBody
from bdmm_synth.figure import Colour, make_figure
from bdmm_synth.people.colours import hair_colour, skin_colour
from bdmm_synth.people.hair import Hair, brows, lashes
from bdmm_synth.people.haircuts import random_hair
from bdmm_synth.people.outfit import random_outfit
from bdmm_synth.people.person import Head, Person, dress, with_expression
from bdmm_synth.people.skin import Complexion

_IRISES = ((0.018, 0.009, 0.005), (0.035, 0.018, 0.010), (0.06, 0.035, 0.015), (0.05, 0.06, 0.03),
           (0.04, 0.06, 0.08), (0.06, 0.09, 0.13))  # fmt: skip


def random_person(
    body: AnnyBody, random: np.random.Generator, fine: int = 1, strands: float = 0.25
) -> Person:
    """Draw a person at random.

    Args:
        body: the shipped body.
        random: decides everything; the same state makes the same person.
        fine: how often the meshes of garments are divided.
        strands: factor on the amount of hair; 1 for close portraits.
    """
    shape = random_shape(random, body.shape_size)
    womanly = 1 / (1 + np.exp(2.2 * shape[0] - 1.8 * shape[1]))
    feminine = 0.95 if random.random() < womanly else 0.04
    figure = make_figure(body, shape)
    figure = with_expression(figure, random.uniform(-0.3, 1.6), random.uniform(0, 0.0025))
    skin = skin_colour(random)
    look = random_complexion(random, skin, feminine)
    colour = hair_colour(random, max(skin) < 0.2)
    grown, cut = random_hair(figure, random, feminine, strands) or (_bald(), None)
    hair = [(grown, colour)]
    brow = tuple(0.8 * np.array(colour) + 0.2 * np.array(skin) * 0.1)
    hair.append((brows(figure, random.uniform(0.5, 1.1)), brow))
    hair.append((lashes(figure, random.uniform(0.004, 0.008)), (0.008, 0.006, 0.005)))
    root = tuple(0.25 * np.array(skin) + 0.75 * np.array(colour))
    gaze = (0.12 * random.normal(), 0.02 + 0.05 * random.normal())
    pieces, footwear = random_outfit(figure, random, feminine)
    return dress(figure, look, Head(cut, root, hair, gaze), pieces, footwear, fine)


def _bald() -> Hair:
    return Hair(np.zeros((0, 2, 3)), np.zeros(0))


def random_shape(random: np.random.Generator, count: int) -> np.ndarray:
    """Draw the body's shape components: adults of every build, none beyond what occurs."""
    return random.normal(size=count).clip(-2.2, 2.2)


def random_complexion(random: np.random.Generator, skin: Colour, feminine: float) -> Complexion:
    """Draw a face for a skin: lips, cheeks, eyes, make-up or a shaven beard."""
    tone = np.array(skin)
    painted = random.random() < 0.5 * feminine
    lips = tone * [0.85, 0.55, 0.55]
    if painted:
        lips = 0.4 * lips + 0.6 * tone * [1.0, 0.25, 0.3] * random.uniform(0.5, 1.1)
    dark = max(skin) < 0.2
    return Complexion(
        skin=skin,
        blush=tuple(tone * [1.05, 0.62, 0.58]),
        lips=tuple(lips),
        iris=_IRISES[random.integers(2 if dark else len(_IRISES))],
        beard=float(random.uniform(0, 0.7) * (random.random() > feminine)),
        lash=float(random.uniform(0.3, 0.8)),
        eye_shadow=float(random.uniform(0.1, 0.35) * painted),
    )
