"""Files to inputs, once: photo, driver, background and sound, ready for any renderer."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import count, repeat
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
import torch
from PIL import ImageColor

from bdmm.appearance.person_file import SUFFIX, load_person
from bdmm.batch.threads import half_the_cores
from bdmm.body.model import load_body
from bdmm.body.retarget import Root, retarget
from bdmm.body.viewpoint import orbit, seen_from
from bdmm.data.clip_store import PreparedClip
from bdmm.errors import InputError, Progress, no_progress, require_size, require_within
from bdmm.inference.contact_shadow import Shadow
from bdmm.inference.driving import DrivingOptions, Sound, open_driver
from bdmm.inference.presets import PRESETS, frame_size
from bdmm.inference.source_frames import source_shots
from bdmm.inference.source_view import SIZES, Shot, SourceView, View, open_source, person_view_of
from bdmm.inference.wearing import check_part, wearing
from bdmm.media.image import IMAGE_SUFFIXES, Picture, picture_size, read_image, resize_image
from bdmm.media.overlay import draw_body
from bdmm.media.panels import contain
from bdmm.media.pixels import to_pictures
from bdmm.media.prefetch import CancellableTask
from bdmm.media.video_reader import VideoReader
from bdmm.media.video_types import TRANSPARENT
from bdmm.perception.source import naming
from bdmm.records import Motion, Person, Source

SEEDS = range(-(2**63), 2**64)
"""What PyTorch takes as a seed."""
VIEWS = (-360.0, 360.0)
"""Degrees by which the camera is carried around."""
_GREY = 238
"""Background of a driver that is no video: its body is drawn instead."""
_UNSEEN = np.full((1, 1, 3), 128, np.uint8)
"""Colour where a transparent frame shows nobody."""


Background = Picture | VideoReader
"""A picture behind every frame, or a video."""


def background_pictures(
    background: Background, size: tuple[int, int], fps: Fraction
) -> Iterator[Picture]:
    """Yield a background for each frame, without end; a video is repeated when it ends.

    Args:
        background: cropped to cover the frames.
        size: (height, width) of the frames.
        fps: frames per second of the output, for which the video's pictures are chosen by time.
    """
    if not isinstance(background, VideoReader):
        yield from repeat(cover(background, size))
        return
    shown, frames = -1, iter(background)
    picture = np.zeros((0, 0, 3), np.uint8)
    for index in count():
        wanted = int(index / fps * background.fps) % background.frame_count
        if wanted < shown:
            shown, frames = -1, iter(background)
        while shown < wanted:
            picture, shown = next(frames), shown + 1
        yield cover(picture, size)


def open_background(background: str | Path | Picture) -> Background:
    """Open a background.

    Args:
        background: a colour such as ``white``, ``#20a040`` or ``rgb(10, 20, 30)``, the path of a
            picture or a video, a picture, or `TRANSPARENT`.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(background, np.ndarray):
        return background
    if background == TRANSPARENT:
        return _UNSEEN
    path = Path(background)
    if path.is_file():
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return read_image(path)
        return VideoReader(path)
    try:
        colour = np.array(ImageColor.getrgb(str(background))[:3])
        if colour.max() > 255:
            raise ValueError("a channel beyond 255")
    except ValueError as error:
        raise InputError(
            f"The background {background} is neither a file nor a colour such as white or #20a040."
        ) from error
    return np.full((1, 1, 3), colour, np.uint8)


def cover(picture: Picture, size: tuple[int, int]) -> Picture:
    """Scale a picture and crop its middle so that it fills a frame."""
    height, width = picture.shape[:2]
    scale = max(size[0] / height, size[1] / width)
    rows, columns = (max(round(side / scale), 1) for side in size)
    top, left = max((height - rows) // 2, 0), max((width - columns) // 2, 0)
    return resize_image(picture[top : top + rows, left : left + columns], size)


class Garment(NamedTuple):
    """Clothes of another person.

    Attributes:
        source: the other person, as `prepare` takes one.
        part: `upper`, `lower` or `shoes`.
    """

    source: str | Path | Picture | Person
    part: str

    @property
    def name(self) -> str:
        """What messages call the other person."""
        return str(self.source) if isinstance(self.source, str | Path) else "The other person"


@dataclass(frozen=True)
class InputOptions:
    """How photo and driver are read.

    Attributes:
        size: pixels of the shorter side of the frames, even, 64 to 2048, but never more than the
            photo has; None: as many as ``most`` and the photo allow.
        background: a colour, picture or video behind the person, or `TRANSPARENT` for none; the
            photo's own if None.
        photo_person: which of several people of the photo, from the left from 1 on; the largest
            if None.
        root: where the person goes, as for `retarget`.
        paste_back: render a square around the person and put it back into the full-size photo.
        seed: of everything random.
        driving: how the driver is read.
        most: pixels of the shorter side where no size is given.
        more: further photos of the same person, paths or pictures.
        view: degrees by which the camera is carried around the person, see `seen_from`.
        orbit: the camera goes once around, from there on, while the clip lasts.
        shadow: ``contact`` for a soft one under the feet, ``none``; see `Inputs.casts_shadow`.
        wear: garments of other people that the person puts on, one after the other.

    Raises:
        InputError: a number is out of range, or two options exclude each other.
    """

    size: int | None = None
    background: str | Path | Picture | None = None
    photo_person: int | None = None
    root: Root = "relative"
    paste_back: bool = False
    seed: int = 0
    driving: DrivingOptions = field(default_factory=DrivingOptions)
    most: int = PRESETS["standard"].size
    more: Sequence[str | Path | Picture] = ()
    view: float = 0.0
    orbit: bool = False
    shadow: Shadow = "contact"
    wear: Sequence[Garment] = ()

    def __post_init__(self) -> None:
        require_size(self.most if self.size is None else self.size, *SIZES)
        if self.root not in get_args(Root):
            raise InputError(
                f"The root is {self.root!r}; it must be one of {', '.join(get_args(Root))}."
            )
        if self.shadow not in get_args(Shadow):
            raise InputError(f"The shadow is {self.shadow!r}; it must be contact or none.")
        if self.seed not in SEEDS:
            raise InputError(
                f"The seed is {self.seed}; it must lie between {SEEDS.start} and {SEEDS.stop - 1}."
            )
        require_within("view", self.view, *VIEWS)
        for _, part in self.wear:
            check_part(part)
        if self.photo_person is not None and self.photo_person < 1:
            raise InputError(
                f"The photo's person is {self.photo_person}; people are counted from 1 on."
            )
        if self.paste_back and self.background is not None:
            raise InputError("Putting the person back into the photo excludes another background.")


@dataclass(frozen=True)
class Inputs:
    """Everything that the frames of a clip depend on, but for the renderer.

    Attributes:
        source_view: the photo and the part of it that is rendered.
        motion: the driving motion retargeted to the photo's person, in working pixels.
        driving: the same motion on the driver's own body.
        background: behind the person; the photo's own if None.
        sound: goes with the motion, if there is any.
        driving_video: frames of the driving video, as often as needed; None if the driver is no
            video, or if they were not asked for.
        transparent: there is no background, frames have alpha.
        shadow: of the feet on the ground.
    """

    source_view: SourceView
    motion: Motion
    driving: Motion
    background: Background | None = None
    sound: Sound | None = None
    driving_video: Iterable[Picture] | None = None
    transparent: bool = False
    shadow: Shadow = "none"

    @property
    def casts_shadow(self) -> bool:
        """Whether the feet cast one: on the photo's own ground, in frames that hold all of it."""
        own = self.background is None and self.source_view.clean_plate is None
        return self.shadow == "contact" and own

    @property
    def photo(self) -> Picture:
        """The photo at the size of the finished frames."""
        return self.source_view.photo

    @property
    def source(self) -> Source:
        """The rendered part of the photo, as renderers take it."""
        return self.source_view.source

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the finished frames."""
        return picture_size(self.photo)

    @property
    def fps(self) -> Fraction:
        """Frames per second."""
        return self.motion.fps

    def __len__(self) -> int:
        return len(self.motion)

    def driving_frames(self) -> Iterator[Picture]:
        """Yield the driver's frames at the finished frames' size, or its body if it is no video."""
        video = self.driving_video
        for picture in self._drawn_bodies() if video is None else video:
            yield contain(picture, self.size)

    def _drawn_bodies(self) -> Iterator[Picture]:
        body = load_body(self.driving.body)
        grey = np.full((*self.driving.size, 3), _GREY, np.uint8)
        for i in range(len(self.driving)):
            yield draw_body(grey, self.driving[i : i + 1], body, opacity=1.0)


@half_the_cores()
def prepare(
    source: str | Path | Picture | Person,
    motion: str | Path | Motion,
    options: InputOptions | None = None,
    progress: Progress = no_progress,
    keep_video: bool = False,
) -> Inputs:
    """Read photo and driver, find their people, and retarget the motion.

    All files are opened and checked before the long work.

    Args:
        source: the photo, as a path or ``h w 3`` RGB in 0..255; a clip or a folder of the person;
            or a person, also as a ``.person`` file.
        motion: who gives the motion, as for `open_driver`.
        keep_video: also give out the frames of a driving video (`Inputs.driving_video`).

    Raises:
        InputError: a mistake of the user's, in one sentence.
    """
    options = options or InputOptions()
    background = None if options.background is None else open_background(options.background)
    driving_task = CancellableTask(progress)
    driver = open_driver(motion, options.driving, driving_task.progress, keep_video)
    known = _known_person(source, options)
    shots = [] if isinstance(source, Person) or known else as_shots([source, *options.more])
    name = shots[0].name if shots else "the person"
    wearers = [read_wearer(garment) for garment in options.wear]
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        progress(f"Finding the person in {name}", 0, 1)
        with driving_task.running(driver.motion) as driving_motion:
            if known:
                view = person_view_of(known, _frame_size(known.photos[0].pose.size, options))
            else:
                view = _open(shots, options)
            for garment, wearer in zip(options.wear, wearers, strict=True):
                view = replace(view, person=dressed(view.person, garment, wearer, options))
            progress(f"Finding the person in {name}", 1, 1)
            driving_task.show_progress()
            if not driving_motion.done():
                _ = view.known  # needed next in any case, and there is time for it now
            driving = driving_motion.result()
    retargeted = retarget(_viewed(driving, options), view.source.pose, options.root)
    video = driver.video if keep_video else None
    transparent = isinstance(options.background, str) and options.background == TRANSPARENT
    return Inputs(
        view, retargeted, driving, background, driver.sound, video, transparent, options.shadow
    )


def _viewed(driving: Motion, options: InputOptions) -> Motion:
    if not options.view and not options.orbit:
        return driving
    still = torch.full((len(driving),), options.view)
    return seen_from(driving, orbit(len(driving), options.view) if options.orbit else still)


def clip_inputs(clip: PreparedClip, number: int, motion: Motion) -> Inputs:
    """Return a prepared clip's frame of a number as the photo, on the clip's background."""
    source = Source(
        clip.frames(number, number + 1)[0],
        clip.foregrounds(number, number + 1)[0],
        clip.background(),
        clip.motion()[number : number + 1],
    )
    height, width = clip.info.size
    (photo,) = to_pictures(source.image[None])
    view = SourceView(photo, View(0, 0, width, height, clip.info.size), Person((source,)))
    return Inputs(view, motion, motion)


def _open(shots: Sequence[Shot], options: InputOptions) -> SourceView:
    person, paste_back = options.photo_person, options.paste_back
    first = shots[0]
    size = _frame_size(picture_size(first.picture), options)
    return open_source(first.picture, size, person, paste_back, more=shots[1:], name=first.name)


def _frame_size(photo_size: tuple[int, int], options: InputOptions) -> int:
    return frame_size(photo_size, options.size, options.most)


def _known_person(source: str | Path | Picture | Person, options: InputOptions) -> Person | None:
    """Return a person who was made ready before; None where there are photos to read."""
    if isinstance(source, str | Path) and Path(source).suffix.lower() == SUFFIX:
        source = load_person(source)
    if not isinstance(source, Person):
        return None
    if options.more:
        raise InputError("A person holds its photos already: leave the further photos out.")
    if options.paste_back:
        raise InputError("A person is no full-size photo: nothing can be put back into it.")
    return source


def read_wearer(garment: Garment) -> Person | list[Shot]:
    """Read whose garment it is: a person made ready, or photos.

    Raises:
        InputError: the file cannot be read.
    """
    source = garment.source
    if isinstance(source, str | Path) and Path(source).suffix.lower() == SUFFIX:
        return load_person(source)
    return source if isinstance(source, Person) else as_shots([source])


def dressed(
    person: Person, garment: Garment, wearer: Person | list[Shot], options: InputOptions
) -> Person:
    """Return a person in another one's garment.

    Args:
        wearer: see `read_wearer`.

    Raises:
        InputError: the other one cannot be fitted, or does not show the garment.
    """
    if not isinstance(wearer, Person):
        first = wearer[0]
        with naming(garment.name):
            wanted = options.most if options.size is None else options.size
            own = min(picture_size(first.picture)) // 2 * 2
            size = max(min(own, wanted), SIZES[0])
            wearer = open_source(first.picture, size, more=wearer[1:], name=first.name).person
    return wearing(person, wearer, garment.part, garment.name)


def as_shots(sources: Sequence[str | Path | Picture]) -> list[Shot]:
    """Read the photos of a person.

    Args:
        sources: paths of pictures, clips and folders, or pictures.

    Raises:
        InputError: one cannot be read.
    """
    shots: list[Shot] = []
    for source in sources:
        if not isinstance(source, np.ndarray):
            shots += source_shots(Path(source))
            continue
        if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3:
            raise InputError(
                "The photo must be an array of uint8 h w 3, RGB, not "
                f"{source.dtype} {' '.join(map(str, source.shape))}."
            )
        shots.append(Shot(source, f"photo {len(shots) + 1}" if len(sources) > 1 else "the photo"))
    return shots
