"""A picture of a prepared clip, that shows its fit and its warps at a glance."""

from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import torch

from bdmm.data.clip_store import PreparedClip
from bdmm.data.warp_codec import RUN, Warps
from bdmm.kernels.warp import warp
from bdmm.media.contact_sheet import spread
from bdmm.media.image import Picture, write_image
from bdmm.media.overlay import draw_keypoints, mark_flagged
from bdmm.media.pixels import to_pictures
from bdmm.records import PixelState

SHOWN = 8
_RIM = (40, 200, 90)
_QUALITY = 80


def write_preview(path: Path, clip: PreparedClip) -> None:
    """Write a sheet of frames spread over a clip.

    The first row has the outline of the foreground and the skeleton, flagged frames a red rim; the
    second row the first stored source warped onto each frame, over the background.
    """
    rows: list[list[Picture]] = [[], []]
    keypoints, background = clip.keypoints(), clip.background()
    source = _cut_out(clip) if clip.info.sources else None
    # Frames of one block are read at once: a block of warps is unpacked as a whole.
    for _, near in groupby(spread(len(clip), SHOWN), lambda t: t // RUN):
        chosen = list(near)
        start, stop = chosen[0], chosen[-1] + 1
        at = [t - start for t in chosen]
        pictures = to_pictures(clip.frames(start, stop)[at])
        outlines = clip.foregrounds(start, stop)[at, 0].numpy() > 0.5
        for t, frame, outline in zip(chosen, pictures, outlines, strict=True):
            seen = draw_keypoints(_draw_outline(frame, outline), keypoints[t])
            rows[0].append(mark_flagged(seen) if t in clip.info.flagged else seen)
        if source is not None:
            rows[1] += _warped(clip.warps(0, start, stop), at, source, background)
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in rows if row])
    write_image(path, sheet, quality=_QUALITY)


def _cut_out(clip: PreparedClip) -> torch.Tensor:
    """Return ``4 h w``: the first source frame and its foreground."""
    frame = clip.info.sources[0].frame
    return torch.cat([clip.frames(frame, frame + 1)[0], clip.foregrounds(frame, frame + 1)[0]])


def _warped(
    warps: Warps, frames: list[int], source: torch.Tensor, background: torch.Tensor
) -> list[Picture]:
    state, fallback = warps.state[frames], warps.fallback[frames]
    known = (state != PixelState.NONE) & ((state != PixelState.HIDDEN) | fallback)
    moved = warp(source.expand(len(frames), -1, -1, -1), warps.source_grid[frames])
    share = moved[:, 3:] * known[:, None]
    return list(to_pictures(background + (moved[:, :3] - background) * share))


def _draw_outline(frame: Picture, inside: np.ndarray) -> Picture:
    kind = cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    lines, _ = cv2.findContours(inside.astype(np.uint8), *kind)
    return cv2.drawContours(frame.copy(), lines, -1, _RIM, 1)
