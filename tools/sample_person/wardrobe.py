"""What the sample people wear: cut, folds and cloth of each garment."""

from collections.abc import Callable

import numpy as np

from bdmm.body.model import PART_NAMES
from bdmm.records import BONE_NAMES
from sample_person.camera import Camera, Seen
from sample_person.cloth import divide, drape, finish, of_bones, on_limb, raise_folds
from sample_person.geometry import Figure, Layer
from sample_person.light import Surface
from sample_person.noise import layered, ridged, solid, step
from sample_person.relief import Relief

Print = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(rest ``n 3``, limb ``n``, along ``n``) -> RGB linear albedo ``n 3``."""


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
    clearance = loose * (0.007 + 0.010 * low + 0.008 * step(0.3, 0.8, arm)) + 0.003
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
    height = trunk * waist * 0.009 * (ridged(np.where(rest[:, :1] > 0, slant, other), 2) - 0.72)
    turn = np.arctan2(rest[:, 0], -rest[:, 2])
    ripple = np.sin(turn * 7 + 2.2 * solid(rest * 5)) * solid(folds * 0.5 + 3)
    height += trunk * step(hem - 0.25, hem, rest[:, 1]) * 0.006 * ripple
    height += trunk * 0.004 * layered(folds, 2)
    ring = np.column_stack([fabric.along * 26, rest[:, 1] * 8, rest[:, 2] * 9])
    height += limb * 0.005 * (ridged(ring, 2) - 0.7)
    width = np.sqrt(((rest[:, [0, 2]] - [0, neck[2] - 0.008]) / [0.083, 0.076]) ** 2 @ [1, 1])
    drop = (rest[:, 1] - neck[1] - 0.052 - 0.55 * (neck[2] - rest[:, 2]).clip(-0.05)) / 0.9
    collar = np.maximum((width - 1) * 0.08, drop)
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
    height = (0.004 * near_knee + 0.009 * near_cuff) * (ridged(bands, 2) - 0.68)
    height += 0.004 * groin * (ridged(star, 2) - 0.7) + 0.003 * layered(rest * [10, 4, 10], 2)
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
    rest, limb, along, hem = seen.coords[:, :3], seen.coords[:, 3], seen.coords[:, 4], seen.coords[:, 5]
    tone = colours(rest, limb, along)
    armhole = np.exp(-(((np.abs(limb) - 0.42) / 0.035) ** 2)) * (rest[:, 1] < -0.25)
    seam = np.exp(-(((hem - 0.019) / 0.0011) ** 2)) + 0.8 * armhole
    weave = 1 + 0.03 * layered(rest * 400, 2) + 0.04 * layered(rest * 25, 2)
    tone = tone * (weave * (1 - stitch * np.clip(seam, 0, 1)))[:, None]
    tone = np.where(seen.back[:, None], tone * 0.55, tone)
    height = 0.0012 * step(0, 0.004, hem) - 0.0010 * seam - 0.0008 * armhole
    height += 0.0012 * (ridged(rest * [38, 30, 38], 2) - 0.6) + 0.00012 * solid(rest * 700)
    return _cloth(seen, tone, Relief(camera, seen).bump(height), 0.85, 0.35)


def paint_denim(seen: Seen, camera: Camera, blue: tuple, thread: tuple, figure: Figure) -> Surface:
    """Colour jeans: twill, faded thighs and knees, pockets, fly, side seams, stitched hems."""
    rest, hem = seen.coords[:, :3], seen.coords[:, 5]
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    twill = np.sin((rest[:, 0] + rest[:, 1] * 1.3 + rest[:, 2]) * 2400)
    thigh = np.exp(-(((x - 0.13) / 0.05) ** 2) - ((y - 0.24) / 0.17) ** 2) * step(0.03, -0.06, z)
    knee = np.exp(-(((y - joint(figure, "left_knee")[1]) / 0.10) ** 2)) * step(0.03, -0.05, z)
    wear = 0.55 * thigh + 0.30 * knee + 0.18 * layered(rest * 14, 3) + 0.10 * layered(rest * 160, 2)
    whisker = ridged(np.column_stack([x * 18 - y * 10, y * 30 + x * 26, z * 6]), 1)
    wear += 0.25 * step(0.85, 1.0, whisker) * np.exp(-(((y - 0.12) / 0.06) ** 2)) * (z < 0)
    faded = np.array(blue) * 2.1 + 0.045
    part = np.clip(wear, 0, 1)[:, None]
    tone = (np.array(blue) * (1 - part) + faded * part) * (1 + 0.10 * twill)[:, None]
    leg = np.sign(rest[:, 0]) * seen.coords[:, 3]
    out = joint(figure, "left_hip")[2] + 0.005
    side = np.exp(-(((z - out) / 0.0018) ** 2)) * (leg > 0.2) * (x > 0.10 + 0.12 * y.clip(0, 0.8))
    pocket_line = np.hypot((x - 0.205) / 0.075, (y + 0.055) / 0.095) - 1
    pocket = np.exp(-((pocket_line / 0.022) ** 2)) * (z < out) * (y > -0.07)
    fly = (np.exp(-(((x - 0.0) / 0.0012) ** 2)) + np.exp(-(((rest[:, 0] - 0.028) / 0.0014) ** 2))) * (
        (y < 0.085) & (z < 0)
    )
    ends = np.exp(-(((hem - 0.022) / 0.0013) ** 2))
    lines = np.clip(side + pocket + fly + ends, 0, 1)
    dashes = 0.55 + 0.45 * np.sign(np.sin((rest @ np.array([1.0, 1.0, 1.0])) * 1100))
    stitched = np.clip(pocket + ends + 0.6 * fly, 0, 1) * dashes
    tone = tone * (1 - 0.45 * lines)[:, None]
    tone = tone * (1 - 0.6 * stitched)[:, None] + np.array(thread) * 0.6 * stitched[:, None]
    tone = np.where(seen.back[:, None], tone * 0.5, tone)
    height = 0.0015 * step(0, 0.004, hem) - 0.0009 * lines + 0.0001 * twill
    height += 0.0008 * (ridged(rest * [45, 35, 45], 2) - 0.6)
    return _cloth(seen, tone.clip(0.01, 0.9), Relief(camera, seen).bump(height), 0.8, 0.18)


def _cloth(seen: Seen, tone: np.ndarray, normal: np.ndarray, rough: float, fuzz: float) -> Surface:
    count = len(seen.row)
    return Surface(
        tone, normal, np.full(count, rough), np.full(count, 0.022), np.full(count, fuzz),
        np.tile([0.10, 0.10, 0.10], (count, 1)),
    )  # fmt: skip


def breton(rest: np.ndarray, limb: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Navy stripes on ecru; the shoulders stay plain."""
    on_arm = np.abs(limb) > 0.42
    down = np.where(on_arm, along + 0.045, rest[:, 1] + 0.4)
    phase = (down / 0.038) % 1.0
    edge = step(0.0, 0.05, phase) * step(0.42, 0.37, phase)
    stripe = edge * np.where(on_arm, along > 0.045, rest[:, 1] > -0.43)
    ecru, navy = np.array([0.74, 0.69, 0.60]), np.array([0.022, 0.035, 0.085])
    return ecru * (1 - stripe[:, None]) + navy * stripe[:, None]
