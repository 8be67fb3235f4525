"""Data sets and folders of videos into prepared clips: the work behind ``bdmm prepare``."""

from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path

from bdmm.data.cached_sources import MAX_SOURCES
from bdmm.data.clip_batch import CLIPS, PREVIEWS, BatchReport, Run, run_batch
from bdmm.data.dataset_layouts import Listing, list_clips
from bdmm.data.prepare_clip import PrepareOptions, prepare_clip
from bdmm.errors import InputError

SIZES = (64, 1024)
LARGEST_ERROR = 20.0


def check_options(options: PrepareOptions) -> None:
    """Refuse numbers out of range.

    Raises:
        InputError: one is.
    """
    if not SIZES[0] <= options.size <= SIZES[1] or options.size % 2:
        raise InputError(
            f"The size is {options.size}; it must be an even number from {SIZES[0]} to {SIZES[1]}."
        )
    if not 0 <= options.sources <= MAX_SOURCES:
        raise InputError(
            f"The number of sources is {options.sources}; it must lie between 0 and {MAX_SOURCES}."
        )
    if not 0 <= options.error <= LARGEST_ERROR:
        raise InputError(
            f"The error is {options.error:g} pixels; it must lie between 0 and {LARGEST_ERROR:g}."
        )


def choose_clips(source: Path, split: str | None = None, limit: int | None = None) -> Listing:
    """List what a folder holds, or a part of it.

    Args:
        source: a data set, a folder of videos, or one video.
        split: only clips of this split.
        limit: at most so many clips, the first ones by name.

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
    """Prepare clips in several processes into a folder; what is finished is not made again.

    Args:
        listing: what to prepare.
        options: how.
        run: where to, and how many processes.

    Raises:
        InputError: an option is out of range; see `clip_batch.run_batch` for the rest.
    """
    check_options(options)
    recipe = asdict(options) | {
        "maker": "prepare",
        "layout": listing.layout,
        "fps": None if options.fps is None else str(options.fps),
        "folder_fps": str(options.folder_fps),
        "program": version("bdmm"),
    }
    work = partial(
        prepare_clip,
        options=options,
        clips=run.folder / CLIPS,
        previews=run.folder / PREVIEWS,
    )
    return run_batch(run, recipe, listing.jobs, work, listing.missing)
