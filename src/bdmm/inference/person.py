"""`bdmm.Person`: a person made ready once, to be animated as often as wanted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from bdmm import records
from bdmm.appearance.person import build_person
from bdmm.appearance.person_file import load_person, save_person
from bdmm.batch.threads import half_the_cores
from bdmm.errors import InputError
from bdmm.inference.prepare import Garment, InputOptions, as_shots, dressed, read_wearer
from bdmm.inference.source_view import open_source
from bdmm.inference.wearing import check_part
from bdmm.media.image import Picture, picture_size

SIZE = 720
"""Pixels of the first photo's shorter side that are kept at most, unless asked for more."""


@dataclass(frozen=True)
class Person(records.Person):
    """What is known of a person; `bdmm.animate` takes one as it takes a photo."""

    @classmethod
    @half_the_cores()
    def from_photos(
        cls,
        photos: str | Path | Picture | Sequence[str | Path | Picture],
        *,
        size: int | None = None,
        photo_person: int | None = None,
        seed: int = 0,
    ) -> "Person":
        """Make a person of one to eight photos, in any order, or of a clip.

        Args:
            photos: paths or ``h w 3`` RGB in 0..255; the first photo's frame and background are
                the video's.
            size: pixels of the first photo's shorter side that are kept; its own, at most 720, by
                default.
            photo_person: which of several people of the first photo, from the left from 1 on.
            seed: the same seed gives the same person.

        Raises:
            InputError: a photo cannot be read, shows nobody or does not fit the others.
        """
        one = isinstance(photos, str | Path) or hasattr(photos, "shape")
        shots = as_shots([photos] if one else photos)  # type: ignore[list-item]
        if not shots:
            raise InputError("There are no photos of the person.")
        own = min(picture_size(shots[0].picture)) // 2 * 2
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            view = open_source(
                shots[0].picture,
                min(own, SIZE) if size is None else size,
                photo_person,
                more=shots[1:],
                name=shots[0].name,
            )
        person = view.person
        if person.atlas is None:
            person = build_person(person.photos)
        return cls(person.photos, person.atlas)

    @classmethod
    def load(cls, path: str | Path) -> "Person":
        """Read a ``.person`` file.

        Raises:
            InputError: it is missing, damaged or of another version.
        """
        person = load_person(path)
        return cls(person.photos, person.atlas)

    def wearing(self, other: str | Path | Picture | records.Person, part: str) -> "Person":
        """Return this person in another one's clothes.

        Args:
            other: a person, a ``.person`` file or a photo.
            part: ``upper``, ``lower`` or ``shoes``.

        Raises:
            InputError: the other one cannot be read or does not show that part.
        """
        check_part(part)
        garment = Garment(other, part)
        most = min(self.photos[0].pose.size) // 2 * 2
        person = dressed(self, garment, read_wearer(garment), InputOptions(most=most))
        return type(self)(person.photos, person.atlas)

    def save(self, path: str | Path) -> None:
        """Write a ``.person`` file.

        Raises:
            InputError: it cannot be written.
        """
        save_person(path, replace(self))
