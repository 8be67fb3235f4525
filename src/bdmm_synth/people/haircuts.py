"""Random haircuts: bald, shorn, short, curly, bobbed, long, tied."""

from dataclasses import replace

import numpy as np

from bdmm_synth.figure import Figure
from bdmm_synth.people.hair import Hair, Haircut, Knot, grow, tie

_CUTS = {
    "shorn": Haircut(26000, 4, 0.008, 0.006, (0.0, 0.2, 0.6), 0.5, 1.0, 0.1, 0.0, 0.0, 0.0, 0.002),
    "short": Haircut(26000, 12, 0.042, 0.009, (-0.35, -0.35, 0.55), 0.38, 3.0, 0.25, 0.045, 0.25,
                     0.0, 0.010),
    "crop": Haircut(26000, 10, 0.030, 0.016, (0.0, -0.1, -0.6), 0.30, 6.0, 0.2, 0.0, 0.2, 0.0,
                    0.008),
    "curly": Haircut(30000, 14, 0.090, 0.070, (0.0, -0.2, 0.2), 0.85, 0.6, 2.2, 0.0, 0.0, 0.0,
                     0.035),
    "mop": Haircut(28000, 14, 0.10, 0.08, (0.0, 0.1, 0.45), 0.35, 10.0, 1.2, 0.02, 0.8, 0.0,
                   0.020),
    "bob": Haircut(30000, 18, 0.215, 0.185, (0.0, 0.25, 0.75), 0.10, 26.0, 0.5, 0.006, 0.9,
                   -0.002, 0.020),
    "long": Haircut(30000, 26, 0.42, 0.38, (0.0, 0.25, 0.75), 0.10, 26.0, 0.4, 0.006, 0.9, -0.002,
                    0.018),
    "tail": Haircut(24000, 12, 0.2, 0.2, (0.0, 0.0, 1.0), 0.1, 1.0, 0.0, 0.0, 0.0, 0.0, 0.004),
    "bun": Haircut(24000, 12, 0.2, 0.2, (0.0, 0.0, 1.0), 0.1, 1.0, 0.0, 0.0, 0.0, 0.0, 0.004),
    "wavy": Haircut(30000, 26, 0.38, 0.34, (0.0, 0.25, 0.65), 0.14, 22.0, 1.5, 0.02, 0.9, -0.002,
                    0.026),
}  # fmt: skip
_MASCULINE = {"bald": 0.10, "shorn": 0.2, "short": 0.3, "crop": 0.2, "curly": 0.08, "mop": 0.08,
              "bun": 0.02, "tail": 0.02}  # fmt: skip
_FEMININE = {"short": 0.07, "crop": 0.05, "curly": 0.12, "mop": 0.06, "bob": 0.2, "long": 0.2,
             "wavy": 0.15, "tail": 0.15, "bun": 0.12}  # fmt: skip


def random_hair(
    figure: Figure, random: np.random.Generator, feminine: float, strands: float
) -> tuple[Hair, Haircut] | None:
    """Draw a haircut and grow it, or return None for a bald head.

    Args:
        figure: on whose head.
        random: decides.
        feminine: in [0, 1].
        strands: factor on the number of strands.
    """
    table = _FEMININE if random.random() < feminine else _MASCULINE
    names, shares = list(table), np.array(list(table.values()))
    name = names[random.choice(len(names), p=shares / shares.sum())]
    if name == "bald":
        return None
    cut = _varied(_CUTS[name], random, strands)
    seed = int(random.integers(1 << 30))
    height = random.uniform(-0.02, 0.06)
    if name == "tail":
        knot = Knot(height, random.uniform(0.14, 0.36), off=random.uniform(0.003, 0.010))
        return tie(figure, cut, knot, seed), cut
    if name == "bun":
        knot = Knot(height, 0.0, random.uniform(0.028, 0.045), random.uniform(0.003, 0.010))
        return tie(figure, cut, knot, seed), cut
    return grow(figure, cut, seed), cut


def _varied(cut: Haircut, random: np.random.Generator, strands: float) -> Haircut:
    size = random.uniform(0.75, 1.25)
    return replace(
        cut,
        count=int(cut.count * strands),
        top=cut.top * size,
        sides=cut.sides * size,
        lift=cut.lift * random.uniform(0.8, 1.2),
        curl=cut.curl * random.uniform(0.6, 1.5),
        parting=float(random.choice([-1, 1]) * max(cut.parting, 0.05 * random.random())),
        line=cut.line + random.uniform(-0.003, 0.010 if cut.top < 0.1 else 0.002),
        volume=cut.volume * random.uniform(0.7, 1.4),
    )
