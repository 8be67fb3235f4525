"""Frame rates as people type them."""

import math
from fractions import Fraction

from bdmm.errors import InputError


def as_rate(fps: float) -> Fraction:
    """Return the exact rate that is meant: 29.97 is 30000/1001.

    Raises:
        InputError: it is no number.
    """
    if not math.isfinite(fps):
        raise InputError(f"The rate is {fps} frames per second; it must be a number.")
    exact = Fraction(fps).limit_denominator(1000)
    ntsc = Fraction(round(fps) * 1000, 1001)
    return ntsc if exact != round(fps) and abs(ntsc - exact) < Fraction(1, 200) else exact
