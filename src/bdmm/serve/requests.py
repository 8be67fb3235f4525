"""Files and options of a request to a job: the one way in, for the API and the page."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bdmm.errors import InputError
from bdmm.media.shipped_motions import check_shipped
from bdmm.serve.crew import RESULT, Crew, check_room
from bdmm.serve.jobs import Job, Kind
from bdmm.serve.options import AnimationOptions
from bdmm.serve.uploads import DRIVING, FIRST, PHOTO, Accepted, checked_name

MAX_PHOTOS = 8
"""Photos of one person."""


@dataclass(frozen=True)
class Upload:
    """A file that was sent.

    Attributes:
        name: as the client says it.
        file: its contents, at the start.
    """

    name: str
    file: BinaryIO


def request_animation(
    crew: Crew,
    photos: Sequence[Upload],
    driving: Upload | None,
    motion: str | None,
    options: AnimationOptions,
) -> Job:
    """Accept an animation.

    Raises:
        QueueFullError: as many jobs wait as may.
        UnsupportedTypeError: a file is of a wrong type.
        InputError: another mistake of the user's.
        DiskFullError: the server's disk is full.
    """
    options.check(crew.settings.limits)
    if not 1 <= len(photos) <= MAX_PHOTOS:
        raise InputError(f"{len(photos)} photos were sent; {MAX_PHOTOS} can be used.")
    if (driving is None) == (motion is None):
        raise InputError("Give either a driving file or the name of a shipped motion.")
    if motion is not None:
        check_shipped(motion)

    def fill(folder: Path) -> list[str]:
        pictures = [_store(one, PHOTO, folder) for one in photos]
        driver = None if driving is None else _store(driving, DRIVING, folder)
        return options.words(pictures, driver, motion, crew.settings.limits)

    return crew.accept(Kind.ANIMATION, fill)


def request_inspection(crew: Crew, photo: Upload, person: int | None = None) -> Job:
    """Accept an inspection of a photo.

    Raises:
        QueueFullError, UnsupportedTypeError, DiskFullError: see `request_animation`.
    """

    def fill(folder: Path) -> list[str]:
        name = _store(photo, PHOTO, folder)
        words = ["inspect", name, "-o", f"{RESULT}/seen.jpg"]
        return words if person is None else [*words, "--person", str(person)]

    return crew.accept(Kind.INSPECTION, fill)


def driving_name(job: Job) -> str | None:
    """Return the name of an animation's driving file, None for a shipped motion."""
    name = job.words[2]
    return None if name.startswith("--") else name


def motion_name(job: Job) -> str | None:
    """Return the name of an animation's shipped motion, None for a driving file."""
    return job.words[3] if job.words[2] == "--motion" else None


def _store(upload: Upload, accepted: Accepted, folder: Path) -> str:
    """Copy an upload into a job's folder under a safe name, which is returned."""
    first = upload.file.read(FIRST)
    upload.file.seek(0)
    safe = checked_name(upload.name, first, accepted)
    name, number = safe, 1
    while (folder / name).exists():
        number += 1
        name = f"{number}-{safe}"
    check_room(folder)
    with (folder / name).open("xb") as target:
        shutil.copyfileobj(upload.file, target)
    return name
