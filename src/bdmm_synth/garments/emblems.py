"""Pictures printed on shirts: words, numbers, badges, drawn with OpenCV."""

import cv2
import numpy as np

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
