"""What the sample people wear: cut, folds and cloth of each garment."""

from collections.abc import Callable

import numpy as np

from bdmm.body.model import PART_NAMES
from bdmm.data.synthetic.camera import Camera, Seen
from bdmm.data.synthetic.cloth import divide, drape, finish, of_bones, on_limb, raise_folds
from bdmm.data.synthetic.geometry import Figure, Layer
from bdmm.data.synthetic.light import Surface
from bdmm.data.synthetic.noise import layered, ridged, solid, step
from bdmm.data.synthetic.relief import Relief
from bdmm.records import BONE_NAMES

Print = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(rest ``n 3``, limb ``n``, along ``n``) -> RGB linear albedo ``n 3``."""


_TWILL = np.array([[420.0, 60, 0], [420, -60, 0], [420, 0, 60]])
"""Stretches noise along the diagonal ribs of denim."""


def joint(figure: Figure, name: str) -> np.ndarray:
    """Return a joint's rest position."""
    return figure.joints[BONE_NAMES.index(name)]


def tshirt(figure: Figure, hem: float, sleeve: float, loose: float, fine: int) -> Layer:
    """Cut a T-shirt.

    Args:
        figure: who wears it.
        hem: metres below the pelvis joint.
        sleeve: its length from the shoulder joint, metres.
        loose: how far it stands off, 1 regular.
        fine: times that the mesh is divided.
    """
    neck = joint(figure, "neck")
    y = figure.rest[:, 1]
    arm = of_bones(figure, ("shoulder", "elbow", "wrist", "hand"), "left") + of_bones(
        figure, ("shoulder", "elbow", "wrist", "hand"), "right"
    )
    low = step(neck[1] + 0.15, hem, y)
    belly = np.exp(-(((y + 0.13) / 0.10) ** 2))
    clearance = (
        step(neck[1] - 0.02, neck[1] + 0.10, y)
        * loose
        * (0.006 + 0.014 * belly + 0.003 * low + 0.004 * step(0.3, 0.8, arm))
        + 0.003
    )
    hand = np.isin(figure.parts, [PART_NAMES.index(name) for name in ("hands", "feet")])
    keep = ~hand & (y < hem + 0.12) & (y > neck[1] - 0.06)
    keep &= of_bones(figure, ("knee",), "left") + of_bones(figure, ("knee",), "right") < 0.2
    fabric = divide(drape(figure, clearance, keep, 22, "arms"), fine)
    rest, limb = fabric.rest, on_limb(fabric)
    trunk = 1 - limb
    folds = fabric.rest * [9, 6, 9]
    slant = np.column_stack([rest[:, 0] * 7 + rest[:, 1] * 9, rest[:, 1] * 3, rest[:, 2] * 7])
    other = np.column_stack([rest[:, 0] * 7 - rest[:, 1] * 9, rest[:, 1] * 3, rest[:, 2] * 7 + 5])
    waist = np.exp(-(((rest[:, 1] + 0.03 - hem * 0.2) / 0.14) ** 2))
    mixed = step(-0.06, 0.06, rest[:, 0] + 0.05 * solid(rest * 6))
    creases = ridged(slant, 2) * mixed + ridged(other, 2) * (1 - mixed)
    height = trunk * waist * 0.016 * (creases - 0.70)
    turn = np.arctan2(rest[:, 0], -rest[:, 2])
    ripple = np.sin(turn * 7 + 2.2 * solid(rest * 5)) * solid(folds * 0.5 + 3)
    height += trunk * step(hem - 0.25, hem, rest[:, 1]) * 0.010 * ripple
    height += trunk * 0.005 * layered(folds, 2)
    pit = np.abs(rest[:, :2]) - [0.17, -joint(figure, "left_shoulder")[1] - 0.09]
    drag = np.column_stack(
        [np.arctan2(pit[:, 1], 0.04 - pit[:, 0]) * 7, rest[:, 2] * 6, pit[:, 0] * 3]
    )
    height += trunk * np.exp(-((pit / 0.10) ** 2).sum(axis=1)) * 0.012 * (ridged(drag, 2) - 0.7)
    height *= min(1.0, 0.3 + 0.7 * loose)
    ring = np.column_stack([fabric.along * 26, rest[:, 1] * 8, rest[:, 2] * 9])
    height += limb * 0.008 * (ridged(ring, 2) - 0.7)
    bowl = 0.034 * (rest[:, 0] / 0.08) ** 2
    collar = 0.93 * (rest[:, 1] + bowl - neck[1] - 0.030 - 0.42 * (neck[2] - rest[:, 2]))
    far = np.where(np.abs(fabric.limb) > 0.3, sleeve - fabric.along, 1.0)
    far = far + 0.3 * step(0.5, 0.3, np.abs(fabric.limb))
    below = hem - rest[:, 1] + 0.006 * solid(rest * 3)
    inside = np.minimum(np.minimum(below, far), collar)
    return finish("shirt", raise_folds(fabric, height), inside, rest)


def jeans(figure: Figure, waist: float, cuff: float, wide: float, fine: int) -> Layer:
    """Cut trousers.

    Args:
        figure: who wears them.
        waist: metres above the pelvis joint.
        cuff: metres above the ankle joint.
        wide: metres that the legs stand off at the cuff.
        fine: times that the mesh is divided.
    """
    y = figure.rest[:, 1]
    knee, ankle = joint(figure, "left_knee")[1], joint(figure, "left_ankle")[1]
    clearance = 0.005 + 0.004 * step(0, 0.3, y) + wide * step(knee - 0.20, ankle - 0.05, y)
    arm = of_bones(figure, ("shoulder", "elbow", "wrist", "hand"), "left") + of_bones(
        figure, ("shoulder", "elbow", "wrist", "hand"), "right"
    )
    keep = (arm < 0.1) & (y > -waist - 0.08) & (y < ankle + 0.03)
    fabric = divide(drape(figure, clearance, keep, 14, "legs"), fine)
    rest = fabric.rest
    near_knee = np.exp(-(((rest[:, 1] - knee) / 0.09) ** 2))
    near_cuff = step(ankle - 0.26, ankle - 0.05, rest[:, 1])
    groin = np.exp(-(((rest[:, 1] - 0.07) / 0.10) ** 2))
    bands = np.column_stack([rest[:, 0] * 9, rest[:, 1] * 24 + rest[:, 0] * 6, rest[:, 2] * 9])
    star = np.column_stack(
        [np.arctan2(rest[:, 1] - 0.1, np.abs(rest[:, 0])) * 5, rest[:, 2] * 9, rest[:, 0] * 4]
    )
    height = (0.011 * near_knee + 0.020 * near_cuff) * (ridged(bands, 2) - 0.68)
    height += 0.014 * groin * (ridged(star, 2) - 0.7) + 0.005 * layered(rest * [9, 5, 9], 2)
    inside = np.minimum(rest[:, 1] + waist, ankle - cuff - rest[:, 1])
    return finish("jeans", raise_folds(fabric, height), inside, rest)


def paint_knit(seen: Seen, camera: Camera, colours: Print, stitch: float) -> Surface:
    """Colour a jersey garment: print, fine ribs, seams at hems, collar and armholes.

    Args:
        seen: samples of it.
        camera: the camera.
        colours: its print.
        stitch: how dark the stitches are, 0 to 1.
    """
    rest, limb, along, hem = (
        seen.coords[:, :3],
        seen.coords[:, 3],
        seen.coords[:, 4],
        seen.coords[:, 5],
    )
    tone = colours(rest, limb, along)
    armhole = np.exp(-(((np.abs(limb) - 0.42) / 0.035) ** 2)) * (rest[:, 1] < -0.25)
    seam = np.exp(-(((hem - 0.019) / 0.0011) ** 2)) + 0.8 * armhole
    weave = 1 + 0.03 * layered(rest * 400, 2) + 0.04 * layered(rest * 25, 2)
    tone = tone * (weave * (1 - stitch * np.clip(seam, 0, 1)))[:, None]
    tone = np.where(seen.back[:, None], tone * 0.55, tone)
    height = 0.0012 * step(0, 0.004, hem) - 0.0010 * seam - 0.0008 * armhole
    height += 0.0012 * (ridged(rest * [38, 30, 38], 2) - 0.6) + 0.00012 * solid(rest * 700)
    height += 0.0045 * layered(rest * [12, 8, 12] + 3, 2)
    return _cloth(seen, tone, Relief(camera, seen).bump(height), 0.85, 0.35)


def paint_denim(seen: Seen, camera: Camera, blue: tuple, thread: tuple, figure: Figure) -> Surface:
    """Colour jeans: twill, faded thighs and knees, pockets, fly, side seams, stitched hems."""
    rest, hem = seen.coords[:, :3], seen.coords[:, 5]
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    twill = layered(rest @ _TWILL, 2)
    thigh = np.exp(-(((x - 0.13) / 0.05) ** 2) - ((y - 0.24) / 0.17) ** 2) * step(0.03, -0.06, z)
    knee = np.exp(-(((y - joint(figure, "left_knee")[1]) / 0.10) ** 2)) * step(0.03, -0.05, z)
    wear = 0.55 * thigh + 0.30 * knee + 0.18 * layered(rest * 14, 3) + 0.10 * layered(rest * 160, 2)
    faded = np.array(blue) * 2.1 + 0.045
    part = np.clip(wear, 0, 1)[:, None]
    tone = (np.array(blue) * (1 - part) + faded * part) * (1 + 0.10 * twill)[:, None]
    leg = np.sign(rest[:, 0]) * seen.coords[:, 3]
    out = joint(figure, "left_hip")[2] + 0.005
    side = np.exp(-(((z - out) / 0.0018) ** 2)) * (leg > 0.2) * (x > 0.10 + 0.12 * y.clip(0, 0.8))
    pocket_line = np.hypot((x - 0.205) / 0.075, (y + 0.055) / 0.095) - 1
    pocket = np.exp(-((pocket_line / 0.022) ** 2)) * (z < out) * (y > -0.07)
    fly = (
        np.exp(-(((x - 0.0) / 0.0012) ** 2)) + np.exp(-(((rest[:, 0] - 0.028) / 0.0014) ** 2))
    ) * ((y < 0.085) & (z < 0))
    ends = np.exp(-(((hem - 0.022) / 0.0013) ** 2))
    lines = np.clip(side + pocket + fly + ends, 0, 1)
    dashes = 0.55 + 0.45 * np.sign(np.sin((rest @ np.array([1.0, 1.0, 1.0])) * 1100))
    stitched = np.clip(pocket + ends + 0.6 * fly, 0, 1) * dashes
    tone = tone * (1 - 0.45 * lines)[:, None]
    tone = tone * (1 - 0.6 * stitched)[:, None] + np.array(thread) * 0.6 * stitched[:, None]
    tone = np.where(seen.back[:, None], tone * 0.5, tone)
    height = 0.0015 * step(0, 0.004, hem) - 0.0009 * lines + 0.0001 * twill
    height += 0.0010 * (ridged(rest * [45, 35, 45], 2) - 0.6) + 0.004 * layered(
        rest * [17, 11, 17], 2
    )
    return _cloth(seen, tone.clip(0.01, 0.9), Relief(camera, seen).bump(height), 0.8, 0.18)


def _cloth(seen: Seen, tone: np.ndarray, normal: np.ndarray, rough: float, fuzz: float) -> Surface:
    count = len(seen.row)
    return Surface(
        tone, normal, np.full(count, rough), np.full(count, 0.022), np.full(count, fuzz),
        np.tile([0.10, 0.10, 0.10], (count, 1)),
    )  # fmt: skip


def sunrise(rest: np.ndarray, limb: np.ndarray, along: np.ndarray) -> np.ndarray:
    """A plain jersey with a printed emblem on the chest: a sun over waves."""
    del limb, along
    base = np.array([0.44, 0.105, 0.060])
    tone = np.tile(base, (len(rest), 1))
    x, y = rest[:, 0] / 0.075, (rest[:, 1] + 0.335) / 0.075
    radius = np.hypot(x, y)
    sun = step(1.0, 0.985, radius)
    rays = step(1.28, 1.26, radius) * step(1.08, 1.10, radius)
    rays *= step(-0.15, 0.0, np.cos(np.arctan2(y, x) * 18)) * (y < 0.25)
    wave = (
        y - 0.25 - 0.10 * np.sin(x * 7) - 0.28 * np.floor((y - 0.25 - 0.10 * np.sin(x * 7)) / 0.28)
    )
    sea = (y > 0.25 + 0.10 * np.sin(x * 7)) & (wave < 0.15)
    sky = sun * (y < 0.25 + 0.10 * np.sin(x * 7))
    front = rest[:, 2] < 0
    tone = _print(tone, (0.70, 0.40, 0.07), sky * front)
    tone = _print(tone, (0.70, 0.40, 0.07), rays * front)
    return _print(tone, (0.62, 0.60, 0.52), sun * sea * front)


def _print(tone: np.ndarray, ink: tuple, part: np.ndarray) -> np.ndarray:
    return tone * (1 - part[:, None]) + np.array(ink) * part[:, None]


def breton(rest: np.ndarray, limb: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Navy stripes on ecru; the shoulders stay plain."""
    on_arm = np.abs(limb) > 0.42
    down = np.where(on_arm, along + 0.045, rest[:, 1] + 0.4)
    phase = (down / 0.038) % 1.0
    edge = step(0.0, 0.05, phase) * step(0.42, 0.37, phase)
    first = np.where(on_arm, 2, 0)
    stripe = edge * (np.floor(down / 0.038) >= first)
    ecru, navy = np.array([0.66, 0.61, 0.53]), np.array([0.022, 0.035, 0.085])
    return ecru * (1 - stripe[:, None]) + navy * stripe[:, None]
