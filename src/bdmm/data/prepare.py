"""Data sets and folders of videos into prepared clips: the work behind ``bdmm prepare``."""

import hashlib
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from bdmm.batch.run import Run
from bdmm.body.model import load_body
from bdmm.data.cached_sources import MAX_SOURCES, choose_sources, plan_errors
from bdmm.data.clip_batch import CLIPS, PREVIEWS, BatchReport, run_batch
from bdmm.data.clip_store import Origin
from bdmm.data.clip_writer import NewClip, write_clip
from bdmm.data.dataset_layouts import Listing, PrepareJob, list_clips
from bdmm.data.raw_clip import RawClip, open_raw_clip, picture_files
from bdmm.errors import InputError, require_size, require_within
from bdmm.files.fingerprint import fingerprint
from bdmm.media.video_reader import MAX_MINUTES
from bdmm.perception.body_fit import fit_motion
from bdmm.perception.mediapipe_pose import detect_clip
from bdmm.perception.openpose_json import read_openpose
from bdmm.perception.person_crop import CroppedClip, crop_motion, person_crop
from bdmm.perception.pose import Detection
from bdmm.perception.refine_fit import refine_motion
from bdmm.perception.smpl_params import read_smpl_motion
from bdmm.perception.tracking import whole_frame
from bdmm.records import Motion

SIZES = (64, 1024)
LARGEST_ERROR = 20.0
SHORTEST = 6
"""Frames of a window of training; shorter clips are refused."""
DETAIL = 1280
"""Pixels of the longer side at which people are detected, at least."""
_MOST_FLAGGED = 0.5
"""Largest share of frames without a trusted pose."""


@dataclass(frozen=True)
class PrepareOptions:
    """How clips are prepared.

    Attributes:
        sources: frames of each clip whose warps are stored.
        fps: frames per second to thin faster clips out to; None for their own.
        folder_fps: frames per second of folders of pictures, which do not store it.
        error: largest error in pixels at 256 that the sources' fits are given on purpose.
        given_poses: use files of OpenPose or SMPL that lie next to a clip.
        refine: refine the fits, except SMPL's, see `refine_fit`.
        max_minutes: longer videos are refused.
    """

    size: int = 256
    sources: int = 4
    fps: Fraction | None = None
    folder_fps: Fraction = Fraction(30)
    error: float = 0.0
    given_poses: bool = True
    refine: bool = True
    max_minutes: float = MAX_MINUTES

    def __post_init__(self) -> None:
        """Refuse numbers out of range."""
        require_size(self.size, *SIZES)
        require_within("number of sources", self.sources, 0, MAX_SOURCES)
        require_within("error in pixels", self.error, 0, LARGEST_ERROR)


def choose_clips(source: Path, split: str | None = None, limit: int | None = None) -> Listing:
    """List what a folder holds, or a part of it.

    Raises:
        InputError: there is nothing to prepare.
    """
    listing = list_clips(source)
    jobs = [job for job in listing.jobs if split in (None, job.split)]
    if not jobs:
        known = ", ".join(sorted({job.split for job in listing.jobs}))
        raise InputError(f"{source} has no clips of the split {split}; it has {known}.")
    if limit is not None and limit < 1:
        raise InputError(f"The limit is {limit}; it must be at least 1.")
    return Listing(listing.layout, tuple(jobs[:limit]), listing.missing)


def prepare_folder(listing: Listing, options: PrepareOptions, run: Run) -> BatchReport:
    """Prepare clips in several processes into a folder; finished clips are skipped.

    Raises:
        InputError: see `clip_batch.run_batch`.
    """
    recipe = asdict(options) | {
        "maker": "prepare",
        "layout": listing.layout,
        "fps": None if options.fps is None else str(options.fps),
        "folder_fps": str(options.folder_fps),
        "program": version("bdmm"),
    }
    del recipe["max_minutes"]  # what is refused changes no clip
    recipe["second_look"] = recipe.pop("refine")  # its name in folders of the first version
    work = partial(prepare_clip, options=options, folder=run.folder)
    return run_batch(run, recipe, listing.jobs, work, listing.missing)


def prepare_clip(job: PrepareJob, options: PrepareOptions, folder: Path) -> None:
    """Prepare one clip: detect the person, fit the body, crop, write the clip and its preview.

    Args:
        folder: the output, with the folders `CLIPS` and `PREVIEWS`.

    Raises:
        InputError: the video is damaged, too short, or shows nobody; or the disk is full.
    """
    body = load_body()
    side = max(DETAIL, 2 * options.size)
    raw = open_raw_clip(job.media, side, options.fps, options.folder_fps, options.max_minutes)
    if len(raw) < SHORTEST:
        raise InputError(f"{job.media} has {len(raw)} frames; a clip needs at least {SHORTEST}.")
    detection = detect_clip(raw, raw.fps)
    found = detection.landmarks, detection.silhouettes
    crop = whole_frame(raw.size) if job.whole else person_crop(*found)
    motion = crop_motion(_fitted(job, raw, detection, options), crop, options.size)
    _require_trust(job, motion)
    cropped = CroppedClip(raw, detection, crop, options.size)
    if options.refine and not (options.given_poses and job.smpl is not None):
        motion = refine_motion(body, motion, cropped.frame_views())
    random = np.random.default_rng(int.from_bytes(hashlib.sha256(job.name.encode()).digest()[:8]))
    chosen = choose_sources(motion, ~motion.flagged.numpy(), options.sources)
    sources = plan_errors(chosen, (0.0, options.error * options.size / 256), random)
    digits = fingerprint(job.media, picture_files(job.media) if job.media.is_dir() else None)
    origin = Origin(job.media.name, digits, raw.size, crop, (0, len(motion)))
    clip = NewClip(job.dataset, job.split, origin, motion, sources)
    preview = folder / PREVIEWS / f"{job.name}.jpg"
    write_clip(folder / CLIPS / job.name, clip, cropped, body, random, preview)


def _fitted(job: PrepareJob, raw: RawClip, detection: Detection, options: PrepareOptions) -> Motion:
    """Return the motion in pixels of the raw clip: fitted, or from files next to it."""
    body = load_body()
    if options.given_poses and job.smpl is not None:
        motion = read_smpl_motion(job.smpl, body, raw.fps)
        _require_as_many(job, job.smpl, len(motion), len(raw))
        height, width = raw.size
        factor = max(height, width) / motion.size[0]
        shift = motion.translation.new_tensor([(width - height) / 2, (height - width) / 2])
        place = motion.translation * factor + shift.clamp(max=0)
        return replace(motion, scale=motion.scale * factor, translation=place, size=raw.size)
    landmarks = detection.landmarks
    if options.given_poses and job.openpose is not None:
        landmarks = read_openpose(job.openpose, raw.fps, raw.size)
        _require_as_many(job, job.openpose, len(landmarks.found), len(raw))
    return fit_motion(landmarks, body, detection.silhouettes, point_tracks=detection.point_tracks)


def _require_as_many(job: PrepareJob, poses: Path, given: int, frames: int) -> None:
    if given != frames:
        raise InputError(f"{poses} has poses for {given} frames, but {job.media} has {frames}.")


def _require_trust(job: PrepareJob, motion: Motion) -> None:
    flagged = int(motion.flagged.sum())
    if flagged > _MOST_FLAGGED * len(motion):
        raise InputError(
            f"In {flagged} of the {len(motion)} frames of {job.media} no pose can be trusted: "
            "leave the video out or cut it."
        )
