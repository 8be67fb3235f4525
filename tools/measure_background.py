"""Print how well the background behind a person is completed.

    python tools/measure_background.py CLIPS

The person is removed from the first frame of each prepared clip. Where later frames show the
background, prints the error in levels of 255 (root of the mean square) and the share of the true
picture's fine detail, next to those of OpenCV's inpainting (Telea), and the processor time of ours.
"""

import sys
import time
from pathlib import Path

import cv2
import numpy as np

from bdmm.data.clip_store import PreparedClip
from bdmm.media.pixels import to_pictures
from bdmm.perception.background import person_hole, remove_person

SEEN = 0.3
"""Share of the frames in which a pixel must be free of the person to be known."""
FEWEST = 50


def main(folder: Path) -> None:
    """Print a line for each clip, and the means."""
    rows = []
    for path in sorted(path.parent for path in folder.rglob("clip.json")):
        row = measure(PreparedClip(path))
        if row is None:
            print(f"{path.name}: too little behind the person is ever seen")
            continue
        rows.append(row)
        print(f"{path.name}: " + line(row))
    if rows:
        print(f"mean of {len(rows)}: " + line(np.mean(rows, axis=0)))
        print(f"median of {len(rows)}: " + line(np.median(rows, axis=0)))


def measure(clip: PreparedClip) -> np.ndarray | None:
    """Return error and detail of Telea and of ours, and our time; None without a known truth."""
    photo = to_pictures(clip.frames(0, 1))[0]
    foreground = clip.foregrounds(0, 1)[0, 0].numpy()
    true = to_pictures(clip.background()[None])[0]
    free = (clip.foregrounds()[:, 0] < 0.02).float().mean(dim=0).numpy()
    hole = person_hole(foreground)
    known = hole & (free > SEEN)
    if known.sum() < FEWEST:
        return None
    telea = cv2.inpaint(photo, hole.astype(np.uint8), 3, cv2.INPAINT_TELEA)
    start = time.process_time()
    ours = remove_person(photo, foreground)
    seconds = time.process_time() - start
    return np.array(
        [
            value
            for guess in (telea, ours)
            for value in (error(guess, true, known), detail(guess, known) / detail(true, known))
        ]
        + [seconds]
    )


def error(guess: np.ndarray, true: np.ndarray, known: np.ndarray) -> float:
    """Return the root of the mean squared difference."""
    return float(np.sqrt(((guess.astype(float) - true) ** 2)[known].mean()))


def detail(picture: np.ndarray, known: np.ndarray) -> float:
    """Return the mean size of what a blur of three pixels takes away."""
    fine = picture.astype(float) - cv2.GaussianBlur(picture.astype(float), (0, 0), 3)
    return max(float(np.abs(fine)[known].mean()), 1e-3)


def line(row: np.ndarray) -> str:
    """Say a row in words."""
    return (
        f"Telea {row[0]:.2f} levels, detail {row[1]:.2f}; ours {row[2]:.2f} levels,"
        f" detail {row[3]:.2f}, {row[4]:.1f} CPU s"
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
