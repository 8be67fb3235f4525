"""Writing a prepared clip: the same for videos (`prepare`) and for rendered people (`synth`)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from bdmm.body.model import SkinnedBody
from bdmm.conditioning import body_keypoints
from bdmm.data.cached_sources import as_foreground, pack_warps
from bdmm.data.clip_preview import write_preview
from bdmm.data.clip_store import (
    BACKGROUND,
    FOREGROUND,
    FRAMES,
    TRUTH,
    CachedSource,
    ClipInfo,
    Origin,
    PreparedClip,
    file_of,
    pack_keypoints,
    save_info,
)
from bdmm.data.clip_video import create_clip_video
from bdmm.data.compress import save_blocks
from bdmm.data.warp_codec import WarpPacker, byte_budget
from bdmm.errors import InputError
from bdmm.files.fingerprint import fingerprint
from bdmm.files.output_file import appearing, writing
from bdmm.media.contact_sheet import spread
from bdmm.media.image import Picture, write_image
from bdmm.media.motion_file import save_motion
from bdmm.perception.background import remove_person
from bdmm.perception.person_crop import Pair
from bdmm.records import Motion
from bdmm.shapes import Keypoints

_BACKGROUND_QUALITY = 88
_SAMPLES = 16
"""Frames of a clip, evenly spread, from which the background is made."""
_GROW = 4 / 256
"""Share of the picture's side by which the person is grown: soft edges, hair, shadows."""
_GONE = 256


@dataclass(frozen=True)
class Truth:
    """Ground truth of a rendered clip.

    Attributes:
        keypoints: ``t 29 3`` as the camera sees them, in pixels of the frames.
        warps: blocks of exact warps of each of the first sources.
    """

    keypoints: Keypoints
    warps: Sequence[Sequence[bytes]]


@dataclass(frozen=True)
class NewClip:
    """A clip to be written, without its frames.

    Attributes:
        sources: frames whose warps are stored, with the errors that their fits are given.
        truth: ground truth, None where there is none.
    """

    dataset: str
    split: str
    origin: Origin
    motion: Motion
    sources: Sequence[CachedSource]
    truth: Truth | None = None


def write_clip(
    folder: Path,
    clip: NewClip,
    frames: Iterable[Pair],
    body: SkinnedBody,
    random: np.random.Generator,
    preview: Path | None = None,
) -> None:
    """Write a prepared clip; its folder appears when it is complete, after its preview.

    Args:
        frames: the frames and foregrounds, as many as the motion has; read once.
        random: decides how the fits of the sources err.

    Raises:
        InputError: the number of frames is another one than the motion's, the disk is full and the
            like.
    """
    samples = spread(len(clip.motion), _SAMPLES)
    wanted = {*samples, *(one.frame for one in clip.sources)}
    with appearing(folder, folder=True) as part, writing(folder):
        kept = _write_frames(part, frames, clip, wanted)
        pictures, people = zip(*(kept[i] for i in samples), strict=True)
        background = median_background(pictures, people)
        write_image(part / BACKGROUND, background, quality=_BACKGROUND_QUALITY)
        _write_motion(part, clip.motion, body_keypoints(body, clip.motion))
        used = sum(path.stat().st_size for path in part.iterdir())
        packer = WarpPacker(byte_budget(used, len(clip.motion), clip.motion.size[0]))
        warps = []
        for one in clip.sources:
            foreground = as_foreground(kept[one.frame][1])
            warps.append(pack_warps(body, clip.motion, one, foreground, random, packer))
        _write_warps(part, warps)
        if clip.truth is not None:
            _write_motion(part, clip.motion, clip.truth.keypoints, TRUTH)
            _write_warps(part, clip.truth.warps, TRUTH)
        save_info(part, _info(folder.name, part, clip))
        if preview is not None:
            write_preview(preview, PreparedClip(part))


def _write_frames(
    part: Path, frames: Iterable[Pair], clip: NewClip, wanted: set[int]
) -> dict[int, Pair]:
    """Write both videos; return the wanted frames by number."""
    kept: dict[int, Pair] = {}
    with (
        create_clip_video(part / FRAMES, clip.motion.fps, "colour") as colours,
        create_clip_video(part / FOREGROUND, clip.motion.fps, "grey") as people,
    ):
        for number, pair in enumerate(frames):
            colours.write(pair[0])
            people.write(pair[1])
            if number in wanted:
                kept[number] = pair
        if colours.count != len(clip.motion):
            raise InputError(
                f"{clip.origin.file} gave {colours.count} frames instead of {len(clip.motion)}."
            )
    return kept


def median_background(
    pictures: Sequence[Picture], foregrounds: Sequence[UInt8[np.ndarray, "h w"]]
) -> Picture:
    """Return the median of each background pixel over time; pixels never seen are filled in."""
    side = max(pictures[0].shape[:2])
    radius = max(1, round(_GROW * side))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    person = np.stack([cv2.dilate(one, disc) > 40 for one in foregrounds])
    table = np.stack(pictures).astype(np.int16)
    table[person] = _GONE
    table.sort(axis=0)
    seen = (~person).sum(axis=0)
    middle = np.maximum(seen - 1, 0)[None, :, :, None] // 2
    median = np.take_along_axis(table, middle, axis=0)[0].clip(0, 255).astype(np.uint8)
    hole = (seen == 0).astype(np.float32)
    return remove_person(median, hole, rim=1 / side, shadow=False)


def _write_motion(folder: Path, motion: Motion, keypoints: Keypoints, part: str = "") -> None:
    save_motion(folder / f"{part or 'clip'}.motion", motion)
    blocks = {"0": pack_keypoints(keypoints)}
    save_blocks(folder / file_of("keypoints", part), blocks, {"frames": len(motion)})


def _write_warps(folder: Path, warps: Sequence[Sequence[bytes]], part: str = "") -> None:
    named = {
        f"{place}/{run}": block
        for place, blocks in enumerate(warps)
        for run, block in enumerate(blocks)
    }
    save_blocks(folder / file_of("warps", part), named, {"sources": len(warps)})


def _info(name: str, part: Path, clip: NewClip) -> ClipInfo:
    motion = clip.motion
    return ClipInfo(
        name=name,
        dataset=clip.dataset,
        split=clip.split,
        fps=motion.fps,
        size=motion.size,
        frames=len(motion),
        body=motion.body,
        flagged=tuple(motion.flagged.nonzero().flatten().tolist()),
        sources=tuple(clip.sources),
        origin=clip.origin,
        truth=clip.truth is not None,
        made_by=f"bdmm {version('bdmm')}",
        files={
            path.name: (path.stat().st_size, fingerprint(path)) for path in sorted(part.iterdir())
        },
    )
