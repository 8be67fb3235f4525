"""Prints of cloth: stripes, checks, dots, flowers and others, and emblems; RGB linear albedos."""

from collections.abc import Callable

import cv2
import numpy as np

from bdmm_synth.figure import Colour, Figure, joint, mix
from bdmm_synth.garments.cloth import Print
from bdmm_synth.noise import layered, solid, step

Unroll = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(rest, limb, along) -> metres around and metres down, ``n`` each: cloth laid flat."""


def unroll_of(figure: Figure, limbs: str) -> Unroll:
    """Return how garments of a body unroll; ``limbs`` is "arms" or "legs" as in `cloth.drape`."""
    side = joint(figure, "left_shoulder" if limbs == "arms" else "left_hip")
    down = joint(figure, "left_elbow" if limbs == "arms" else "left_knee") - side
    end = joint(figure, "left_wrist" if limbs == "arms" else "left_ankle")
    length = float(np.linalg.norm(down))
    lower = (end - side - down) / np.linalg.norm(end - side - down)
    across = np.array([-down[1], down[0], 0]) / np.hypot(down[0], down[1])
    across *= np.sign(across[0])
    radius = 0.05 if limbs == "arms" else 0.085

    def unroll(
        rest: np.ndarray, limb: np.ndarray, along: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        on_limb = np.abs(limb) > 0.42
        if limbs == "legs":
            on_limb &= rest[:, 1] > 0.10
        part = along.clip(0, length)[:, None] / length
        centre = side + down * part + lower * (along[:, None] - length).clip(0)
        own = rest * np.stack([np.where(rest[:, 0] < 0, -1.0, 1.0), np.ones(len(rest)),
                               np.ones(len(rest))], axis=-1) - centre  # fmt: skip
        limb_turn = np.arctan2(own @ across, -own[:, 2])
        turn = np.arctan2(rest[:, 0], -rest[:, 2])
        around = np.where(on_limb, limb_turn * radius + 0.3, turn * 0.17)
        return around, np.where(on_limb & (limbs == "arms"), along + 0.045, rest[:, 1] + 0.4)

    return unroll


def plain(colour: Colour) -> Print:
    """One colour."""
    return lambda rest, limb, along: np.tile(np.array(colour), (len(rest), 1))


def stripes(
    unroll: Unroll, ground: Colour, ink: Colour, period: float, share: float, upright: bool
) -> Print:
    """Stripes, ``period`` metres apart, of which the ink takes a share."""

    def paint(rest: np.ndarray, limb: np.ndarray, along: np.ndarray) -> np.ndarray:
        around, down = unroll(rest, limb, along)
        phase = ((around if upright else down) / period) % 1.0
        soft = 0.0015 / period
        part = step(0, soft, phase) * step(share + soft, share, phase)
        return mix(np.tile(np.array(ground), (len(rest), 1)), ink, part)

    return paint


def breton(rest: np.ndarray, limb: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Navy stripes on ecru; the shoulders stay plain."""
    on_arm = np.abs(limb) > 0.42
    down = np.where(on_arm, along + 0.045, rest[:, 1] + 0.4)
    phase = (down / 0.038) % 1.0
    edge = step(0.0, 0.05, phase) * step(0.42, 0.37, phase)
    first = np.where(on_arm, 2, 0)
    stripe = edge * (np.floor(down / 0.038) >= first)
    return mix(np.tile([0.66, 0.61, 0.53], (len(rest), 1)), (0.022, 0.035, 0.085), stripe)


def checks(unroll: Unroll, ground: Colour, ink: Colour, line: Colour, period: float) -> Print:
    """A woven check: bands both ways that darken where they cross, and thin lines between."""

    def paint(rest: np.ndarray, limb: np.ndarray, along: np.ndarray) -> np.ndarray:
        tone = np.tile(np.array(ground), (len(rest), 1))
        for way in unroll(rest, limb, along):
            phase = (way / period) % 1.0
            band = step(0.0, 0.03, phase) * step(0.48, 0.45, phase)
            tone = mix(tone, ink, 0.5 * band)
            tone = mix(tone, line, 0.6 * step(0.03, 0.02, np.abs(phase - 0.74)))
        return tone

    return paint


def dots(unroll: Unroll, ground: Colour, ink: Colour, gap: float, size: float) -> Print:
    """Dots in offset rows, ``gap`` metres apart, of radius ``size`` gaps."""

    def paint(rest: np.ndarray, limb: np.ndarray, along: np.ndarray) -> np.ndarray:
        around, down = unroll(rest, limb, along)
        row = np.floor(down / gap)
        column = around / gap + 0.5 * (row % 2)
        aside = (column - np.round(column)) * _stretch(rest, limb)
        away = np.hypot(aside, down / gap - row - 0.5)
        part = step(size * 1.05, size * 0.95, away)
        return mix(np.tile(np.array(ground), (len(rest), 1)), ink, part)

    return paint


def flowers(
    unroll: Unroll, ground: Colour, inks: tuple[Colour, ...], gap: float, petals: int
) -> Print:
    """Flowers strewn over the ground, about ``gap`` metres apart."""

    def paint(rest: np.ndarray, limb: np.ndarray, along: np.ndarray) -> np.ndarray:
        around, down = unroll(rest, limb, along)
        stretch = _stretch(rest, limb)
        tone = np.tile(np.array(ground), (len(rest), 1))
        for layer in (0.0, 0.5):
            u, v = around / gap + layer, down / gap + layer
            column, row = np.floor(u), np.floor(v)
            dice = [_hash(column, row, layer * 20 + k) for k in range(4)]
            x = (u - column - 0.35 - 0.3 * dice[0]) * stretch
            y = v - row - 0.35 - 0.3 * dice[1]
            away, turn = np.hypot(x, y), np.arctan2(y, x)
            reach = (0.22 + 0.12 * dice[2]) * (0.75 + 0.25 * np.cos(petals * turn + 6 * dice[3]))
            which = np.floor(dice[3] * len(inks)).astype(int).clip(0, len(inks) - 1)
            bloom = step(1.08, 0.92, away / reach)
            tone = tone * (1 - bloom[:, None]) + np.array(inks)[which] * bloom[:, None]
            tone = mix(tone, (0.6, 0.35, 0.04), step(0.075, 0.055, away))
        return tone

    return paint


def blobs(ground: Colour, inks: tuple[Colour, ...], grain: float) -> Print:
    """Soft-edged patches as of camouflage or tie-dye, ``grain`` metres wide."""

    def paint(rest: np.ndarray, limb: np.ndarray, along: np.ndarray) -> np.ndarray:
        tone = np.tile(np.array(ground), (len(rest), 1))
        for number, ink in enumerate(inks):
            field = layered(rest / grain + 31.7 * number, 2)
            tone = mix(tone, ink, step(0.08, 0.14, field))
        return tone

    return paint


def spots(ground: Colour, ring: Colour, core: Colour, grain: float) -> Print:
    """A wild cat's coat: rings around darker ground."""

    def paint(rest: np.ndarray, limb: np.ndarray, along: np.ndarray) -> np.ndarray:
        field = solid(rest / grain)
        tone = np.tile(np.array(ground), (len(rest), 1))
        tone = mix(tone, core, step(0.28, 0.34, field))
        return mix(tone, ring, step(0.10, 0.06, np.abs(field - 0.27)))

    return paint


def heather(ground: Colour, ink: Colour, grain: float) -> Print:
    """Mottled yarn: noise between two colours, ``grain`` metres fine."""

    def paint(rest: np.ndarray, limb: np.ndarray, along: np.ndarray) -> np.ndarray:
        part = np.clip(0.5 + 0.9 * layered(rest / grain, 2), 0, 1)
        return mix(np.tile(np.array(ground), (len(rest), 1)), ink, part)

    return paint


def blocks(colours: tuple[Colour, Colour, Colour], high: float, low: float, limbs: bool) -> Print:
    """Blocks of colour: above y = ``high``, down to ``low``, the rest; sleeves in the first."""

    def paint(rest: np.ndarray, limb: np.ndarray, along: np.ndarray) -> np.ndarray:
        tone = np.tile(np.array(colours[0]), (len(rest), 1))
        trunk = np.abs(limb) < 0.42 if limbs else np.ones(len(rest), bool)
        tone = mix(tone, colours[1], step(high - 0.002, high + 0.002, rest[:, 1]) * trunk)
        return mix(tone, colours[2], step(low - 0.002, low + 0.002, rest[:, 1]) * trunk)

    return paint


def fade(first: Colour, second: Colour, start: float, end: float) -> Print:
    """From one colour at y = ``start`` to another at ``end``."""

    def paint(rest: np.ndarray, limb: np.ndarray, along: np.ndarray) -> np.ndarray:
        tone = np.tile(np.array(first), (len(rest), 1))
        return mix(tone, second, step(start, end, rest[:, 1] + 0.02 * solid(rest * 12)))

    return paint


def washed(blue: Colour, figure: Figure) -> Print:
    """Denim: twill, faded thighs and knees, pockets, fly and side seams."""
    out = joint(figure, "left_hip")[2] + 0.005
    knee_y = joint(figure, "left_knee")[1]

    def paint(rest: np.ndarray, limb: np.ndarray, along: np.ndarray) -> np.ndarray:
        x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
        thigh = np.exp(-(((x - 0.13) / 0.05) ** 2) - ((y - 0.24) / 0.17) ** 2)
        knee = np.exp(-(((y - knee_y) / 0.10) ** 2)) * step(0.03, -0.05, z)
        wear = 0.55 * thigh * step(0.03, -0.06, z) + 0.30 * knee + 0.18 * layered(rest * 14, 2)
        wear += 0.12 * solid(rest * 160)
        tone = mix(np.tile(np.array(blue), (len(rest), 1)), np.array(blue) * 2.1 + 0.045,
                   np.clip(wear, 0, 1))  # fmt: skip
        leg = np.sign(rest[:, 0]) * limb
        side = np.exp(-(((z - out) / 0.0025) ** 2)) * (leg > 0.2)
        side *= x > 0.10 + 0.12 * y.clip(0, 0.8)
        line = np.hypot((x - 0.205) / 0.075, (y + 0.055) / 0.095) - 1
        pocket = np.exp(-((line / 0.03) ** 2)) * (z < out) * (y > -0.07)
        fly = np.exp(-(((rest[:, 0] - 0.028) / 0.002) ** 2)) * ((y < 0.085) & (z < 0))
        return tone * (1 - 0.5 * np.clip(side + pocket + fly, 0, 1))[:, None]

    return paint


def with_emblem(
    ground: Print, picture: np.ndarray, centre: tuple[float, float], width: float, back: bool
) -> Print:
    """Print a picture on the chest or the back.

    Args:
        ground: the cloth.
        picture: ``h w 4`` RGB linear and cover in [0, 1].
        centre: x and y in rest, metres.
        width: metres.
        back: on the back, not the chest.
    """
    height, across = picture.shape[:2]
    tall = width * height / across

    def paint(rest: np.ndarray, limb: np.ndarray, along: np.ndarray) -> np.ndarray:
        tone = ground(rest, limb, along)
        sign = -1.0 if back else 1.0
        u = sign * (rest[:, 0] - centre[0]) / width + 0.5
        v = (rest[:, 1] - centre[1]) / tall + 0.5
        on = (u > 0) & (u < 1) & (v > 0) & (v < 1) & (np.abs(limb) < 0.5)
        on &= (rest[:, 2] > 0.03) if back else (rest[:, 2] < 0.0)
        column = (u[on] * across).astype(int).clip(0, across - 1)
        row = (v[on] * height).astype(int).clip(0, height - 1)
        ink = picture[row, column]
        tone[on] = mix(tone[on], ink[:, :3], ink[:, 3])
        return tone

    return paint


def _stretch(rest: np.ndarray, limb: np.ndarray) -> np.ndarray:
    """Return how much wider than laid flat the trunk and flared skirts are around."""
    return np.where(np.abs(limb) < 0.42, np.hypot(rest[:, 0], rest[:, 2]) / 0.17, 1.0)


def _hash(column: np.ndarray, row: np.ndarray, seed: float) -> np.ndarray:
    """Return numbers in [0, 1) that look random, the same for the same cell."""
    value = np.sin(column * 127.1 + row * 311.7 + seed * 74.7) * 43758.5453
    return value - np.floor(value)


_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_SCRIPT_COMPLEX, cv2.FONT_HERSHEY_PLAIN,
)  # fmt: skip
_WIDTH = 192


def random_emblem(random: np.random.Generator, inks: list[np.ndarray]) -> np.ndarray:
    """Draw an emblem.

    Args:
        random: decides.
        inks: RGB linear colours to draw with, at least two.

    Returns:
        ``h 192 4`` RGB linear and cover in [0, 1].
    """
    kind = random.random()
    if kind < 0.4:
        return _tinted(_words(random, int(random.integers(1, 4))), inks[0])
    if kind < 0.55:
        return _tinted(_number(random), inks[0])
    badge = _badge(random, inks)
    if kind < 0.75:
        words = _tinted(_words(random, 1), inks[1])
        return np.concatenate([badge, words])
    return badge


def random_word(random: np.random.Generator) -> str:
    """Make up a word of two or three syllables."""
    word = "".join(
        random.choice(list("BDFGKLMNPRSTVZ")) + random.choice(list("AEIOU"))
        for _ in range(random.integers(2, 4))
    )
    return word + (random.choice(list("NRSTX")) if random.random() < 0.5 else "")


def _words(random: np.random.Generator, lines: int) -> np.ndarray:
    font, thick = int(random.choice(_FONTS)), int(random.integers(2, 5))
    rows = []
    for _ in range(lines):
        word = random_word(random)
        word = word.capitalize() if random.random() < 0.4 else word
        (width, height), base = cv2.getTextSize(word, font, 2.0, thick)
        row = np.zeros((height + base + 10, width + 10), np.uint8)
        cv2.putText(row, word, (5, height + 4), font, 2.0, (255,), thick, cv2.LINE_AA)
        tall = max(12, round(row.shape[0] * _WIDTH / row.shape[1]))
        rows.append(cv2.resize(row, (_WIDTH, tall), interpolation=cv2.INTER_AREA))
    return np.concatenate(rows)


def _number(random: np.random.Generator) -> np.ndarray:
    cover = np.zeros((170, _WIDTH), np.uint8)
    number = str(random.integers(1, 99))
    font, thick = cv2.FONT_HERSHEY_DUPLEX, int(random.integers(8, 18))
    (width, height), _ = cv2.getTextSize(number, font, 5.0, thick)
    place = ((_WIDTH - width) // 2, (170 + height) // 2)
    cv2.putText(cover, number, place, font, 5.0, (255,), thick, cv2.LINE_AA)
    return cover


def _badge(random: np.random.Generator, inks: list[np.ndarray]) -> np.ndarray:
    """A few figures over each other: discs, rings, polygons, stars, bars."""
    picture = np.zeros((_WIDTH, _WIDTH, 4), np.float32)
    for number in range(random.integers(2, 5)):
        cover = np.zeros((_WIDTH, _WIDTH), np.uint8)
        middle = (96 + random.integers(-20, 21, 2) * (number > 0)).astype(int)
        radius = int(random.integers(70, 92) * 0.75**number)
        kind = random.integers(4)
        if kind == 0:
            cv2.circle(cover, middle.tolist(), radius, (255,), -1, cv2.LINE_AA)
        elif kind == 1:
            cv2.circle(cover, middle.tolist(), radius - 8, (255,), 12, cv2.LINE_AA)
        else:
            points = int(random.integers(3, 9))
            turn = np.arange(2 * points) * np.pi / points + random.random() * 6
            reach = np.where(np.arange(2 * points) % 2, radius * random.uniform(0.35, 0.95), radius)
            corners = middle + reach[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
            cv2.fillPoly(cover, [corners.astype(np.int32)], (255,), cv2.LINE_AA)
        layer = _tinted(cover, inks[number % len(inks)])
        part = layer[..., 3:]
        picture[..., :3] = picture[..., :3] * (1 - part) + layer[..., :3] * part
        picture[..., 3:] = np.maximum(picture[..., 3:], part)
    return picture


def _tinted(cover: np.ndarray, ink: np.ndarray) -> np.ndarray:
    picture = np.zeros((*cover.shape, 4), np.float32)
    picture[..., :3] = ink
    picture[..., 3] = cover / 255
    return picture


_SIDE = 400
_REACH = 1.333
"""Half the picture's side in radii of the sun."""


def sun_emblem() -> np.ndarray:
    """Draw a sun over waves: ``400 400 4`` RGB linear and cover in [0, 1]."""
    y, x = np.mgrid[-_REACH : _REACH : _SIDE * 1j, -_REACH : _REACH : _SIDE * 1j]
    radius = np.hypot(x, y)
    sun = step(1.0, 0.985, radius)
    rays = step(1.28, 1.26, radius) * step(1.08, 1.10, radius)
    rays *= step(-0.15, 0.0, np.cos(np.arctan2(y, x) * 18)) * (y < 0.25)
    crest = y - 0.25 - 0.10 * np.sin(x * 7)
    sea = sun * (crest > 0) * (crest % 0.28 < 0.15)
    sky = np.maximum(sun * (crest < 0), rays)
    picture = np.zeros((_SIDE, _SIDE, 4))
    picture[..., :3] = np.where(
        sea[..., None] > sky[..., None], (0.62, 0.60, 0.52), (0.70, 0.40, 0.07)
    )
    picture[..., 3] = np.maximum(sea, sky)
    return picture
