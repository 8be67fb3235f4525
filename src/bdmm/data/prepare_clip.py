"""From one video of a person to one prepared clip."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from bdmm.body.model import AnnyBody, load_body
from bdmm.data.body_keypoints import body_keypoints
from bdmm.data.cached_sources import as_foreground, cache_warps, choose_sources, plan_errors
from bdmm.data.clip_background import empty_place, spread
from bdmm.data.clip_info import CachedSource, ClipInfo, Origin
from bdmm.data.clip_preview import write_preview
from bdmm.data.clip_store import PreparedClip, create_clip
from bdmm.data.dataset_layouts import ClipJob
from bdmm.data.footage import Footage, open_footage, picture_files
from bdmm.data.warp_budget import WarpPacker, allowance
from bdmm.errors import InputError
from bdmm.files.fingerprint import fingerprint
from bdmm.media.image import Picture
from bdmm.perception.body_fit import fit_motion
from bdmm.perception.mediapipe_pose import MediaPipePose
from bdmm.perception.openpose_json import read_openpose
from bdmm.perception.person_crop import (
    Crop,
    CroppedClip,
    Pair,
    crop_motion,
    person_crop,
    whole_crop,
)
from bdmm.perception.pose import Detection
from bdmm.perception.refine_fit import refine_motion
from bdmm.perception.smpl_params import read_smpl_motion
from bdmm.records import Motion

SHORTEST = 6
"""Frames of a window of training; shorter clips are refused."""
DETAIL = 1280
"""Pixels of the longer side at which frames are looked at, at least."""
_MOST_MISSING = 0.5
"""Share of frames without a trusted pose from which a clip is of no use."""


@dataclass(frozen=True)
class PrepareOptions:
    """How clips are prepared.

    Attributes:
        size: pixels along the sides of the square frames.
        sources: frames of each clip whose warps are stored.
        fps: frames per second to thin faster clips out to; None for their own.
        folder_fps: frames per second of folders of pictures, which don't tell.
        error: largest error in pixels at 256 that the sources' fits are given on purpose.
        given_poses: use OpenPose's or SMPL's files where they lie beside a clip.
        second_look: refine the fits, except SMPL's, see `refine_fit`.
    """

    size: int = 256
    sources: int = 4
    fps: Fraction | None = None
    folder_fps: Fraction = Fraction(30)
    error: float = 0.0
    given_poses: bool = True
    second_look: bool = True


def prepare_clip(job: ClipJob, options: PrepareOptions, clips: Path, previews: Path) -> None:
    """Prepare one clip: find the person, fit the body, cut, cache warps, write.

    Args:
        job: the clip.
        options: how.
        clips: folder in which the clip's own folder appears.
        previews: folder for a picture of it.

    Raises:
        InputError: the video is damaged, too short, or shows nobody; or the disk is full.
    """
    footage = open_footage(
        job.media, max(DETAIL, 2 * options.size), options.fps, options.folder_fps
    )
    if len(footage) < SHORTEST:
        raise InputError(
            f"{job.media} has {len(footage)} frames; a clip needs at least {SHORTEST}."
        )
    sighting = MediaPipePose().detect(footage, footage.fps)
    crop = whole_crop(footage.size) if job.whole else person_crop(*_evidence(sighting))
    motion = crop_motion(_motion(job, footage, sighting, options), crop, options.size)
    _require_trust(job, motion)
    cutting = CroppedClip(footage, sighting, crop, options.size)
    if options.second_look and not (options.given_poses and job.smpl is not None):
        motion = refine_motion(_body(), motion, cutting.frame_views())
    _write(clips / job.name, job, options, footage, cutting, motion)
    write_preview(previews / f"{job.name}.jpg", PreparedClip(clips / job.name))


def _write(
    folder: Path,
    job: ClipJob,
    options: PrepareOptions,
    footage: Footage,
    cutting: CroppedClip,
    motion: Motion,
) -> None:
    body = _body()
    seed = int.from_bytes(hashlib.sha256(job.name.encode()).digest()[:8])
    random = np.random.default_rng(seed)
    chosen = choose_sources(motion, ~motion.flagged.numpy(), options.sources)
    sources = plan_errors(chosen, (0.0, options.error * options.size / 256), random)
    looks = spread(len(motion))
    with create_clip(folder) as writer:
        count = writer.add_frames(cutting({*chosen, *looks}), motion.fps)
        if count != len(motion):
            raise InputError(f"{job.media} gave {count} frames instead of {len(motion)}.")
        writer.add_background(empty_place(*_columns([cutting.kept[i] for i in looks])))
        writer.add_motion(motion, body_keypoints(body, motion))
        packer = WarpPacker(allowance(writer.size(), count, options.size))
        writer.add_warps(
            [
                cache_warps(
                    body, motion, one, as_foreground(cutting.kept[one.frame][1]), random, packer
                )
                for one in sources
            ]
        )
        writer.finish(_info(folder.name, job, footage, cutting.crop, motion, sources))


def _info(
    name: str,
    job: ClipJob,
    footage: Footage,
    crop: Crop,
    motion: Motion,
    sources: Sequence[CachedSource],
) -> ClipInfo:
    origin = Origin(
        job.media.name,
        fingerprint(job.media, picture_files(job.media) if job.media.is_dir() else None),
        footage.size,
        crop,
        (0, len(motion)),
    )
    return ClipInfo(
        name=name,
        dataset=job.dataset,
        split=job.split,
        fps=motion.fps,
        size=motion.size,
        frames=len(motion),
        body=motion.body,
        flagged=tuple(motion.flagged.nonzero().flatten().tolist()),
        sources=tuple(sources),
        origin=origin,
        truth=False,
        made_by=f"bdmm {version('bdmm')}",
        files={},
    )


def _motion(job: ClipJob, footage: Footage, sighting: Detection, options: PrepareOptions) -> Motion:
    """Return the motion in pixels of the footage: fitted, or from files beside the clip."""
    body = _body()
    if options.given_poses and job.smpl is not None:
        motion = read_smpl_motion(job.smpl, body, footage.fps)
        _require_as_many(job, job.smpl, len(motion), len(footage))
        height, width = footage.size
        factor = max(height, width) / motion.size[0]
        shift = motion.translation.new_tensor([(width - height) / 2, (height - width) / 2])
        place = motion.translation * factor + shift.clamp(max=0)
        return replace(motion, scale=motion.scale * factor, translation=place, size=footage.size)
    landmarks = sighting.landmarks
    if options.given_poses and job.openpose is not None:
        landmarks = read_openpose(job.openpose, footage.fps, footage.size)
        _require_as_many(job, job.openpose, len(landmarks.found), len(footage))
    return fit_motion(landmarks, body, sighting.silhouettes, point_tracks=sighting.point_tracks)


def _require_as_many(job: ClipJob, poses: Path, given: int, frames: int) -> None:
    if given != frames:
        raise InputError(f"{poses} has poses for {given} frames, but {job.media} has {frames}.")


def _require_trust(job: ClipJob, motion: Motion) -> None:
    flagged = int(motion.flagged.sum())
    if flagged > _MOST_MISSING * len(motion):
        raise InputError(
            f"In {flagged} of the {len(motion)} frames of {job.media} no pose can be trusted: "
            "leave the video out or cut it."
        )


def _evidence(sighting: Detection) -> tuple:
    return sighting.landmarks, sighting.silhouettes


def _columns(pairs: Sequence[Pair]) -> tuple[list[Picture], list[np.ndarray]]:
    return [picture for picture, _ in pairs], [foreground for _, foreground in pairs]


@cache
def _body() -> AnnyBody:
    return load_body()
