"""A photo and a motion to frames: the whole path, streaming."""

from collections import deque
from collections.abc import Iterator
from dataclasses import fields, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Literal, TypeVar, get_args

import torch
from torch import Tensor

from bdmm.body.model import load_body
from bdmm.body.retarget import Root, retarget
from bdmm.conditioning import Conditioner
from bdmm.errors import InputError
from bdmm.inference.backdrop import Backdrop, open_backdrop
from bdmm.inference.driving import DEFAULT_RATE, Progress, Reading, Sound, open_driver
from bdmm.inference.framing import check_size
from bdmm.inference.renderers import Coarse, Renderer, load_network, opacity
from bdmm.inference.scene import Scene, set_scene
from bdmm.inference.windows import schedule
from bdmm.media.image import Picture, picture_size
from bdmm.media.pixels import to_frames, to_pictures
from bdmm.network.weights import SHIPPED
from bdmm.records import Conditions, Motion, Source
from bdmm.shapes import Frames

RendererName = Literal["network", "coarse"]
_Record = TypeVar("_Record", Motion, Source)


def animate(
    source: str | Path | Picture,
    motion: str | Path | Motion,
    *,
    size: int = 256,
    renderer: RendererName = "network",
    weights: str | Path | None = None,
    background: str | Path | Picture | None = None,
    person: int | None = None,
    photo_person: int | None = None,
    smooth: float = 1.0,
    root: Root = "relative",
    paste_back: bool = False,
    fps: Fraction | None = None,
    device: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> "Animation":
    """Make the person of a photo move.

    Mistakes are told, the photo is looked at and the driver's motion is worked out before this
    returns; frames are then made as they are asked for, in bounded memory for any length::

        frames = bdmm.animate("photo.jpg", "dance.mp4")
        for frame in frames:  # uint8 h w 3, RGB
            ...

    Args:
        source: the photo, as a path or ``h w 3`` RGB in 0..255.
        motion: who gives the motion, as for `open_driver`: a video, a ``.motion`` file, a folder
            of OpenPose's JSON, SMPL parameters, the name of a shipped motion, or a motion.
        size: pixels of the shorter side of the frames, even, 64 to 2048.
        renderer: ``network`` is a trained generator; ``coarse`` only warps the photo's own pixels.
        weights: of the network: a file, or the folder of a run; those that ship if None.
        background: a colour, picture or video behind the person instead of the photo's own.
        person: which of several people of a driving video, from the left from 1 on.
        photo_person: which of several people of the photo, likewise.
        smooth: standard deviation in frames of the smoothing of a video's motion; 0 for none.
        root: where the person goes, as for `retarget`.
        paste_back: put the person back into the full-size photo.
        fps: frames per second of drivers that don't tell.
        device: such as ``cpu`` or ``cuda``; a GPU where there is one by default.
        seed: the same seed gives the same frames.
        progress: is told each stage and how far it is.

    Returns:
        An iterator of frames, uint8 ``h w 3`` RGB, that knows their number, rate and size.

    Raises:
        InputError: a mistake of the user's, in one sentence.
    """
    tell = progress or (lambda stage, done, total: None)
    reading = Reading(person, smooth, DEFAULT_RATE if fps is None else fps, tell)
    check_size(size)
    if root not in get_args(Root):
        raise InputError(f"The root is {root!r}; it must be one of {', '.join(get_args(Root))}.")
    maker = _choose_renderer(renderer, weights, open_device(device))
    backdrop = _open_background(background, paste_back)
    driver = open_driver(motion, reading)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        scene = set_scene(source, size, photo_person, paste_back, tell)
        driving = driver.motion()
    moved = retarget(driving, scene.source.pose, root)
    return Animation(scene, moved, maker, backdrop, driver.sound, tell)


class Animation(Iterator[Picture]):
    """The frames of a clip, made one window after the other as they are asked for.

    Attributes:
        fps: frames per second.
        frame_count: number of frames in all.
        size: (height, width) of the frames.
        renderer: name of the renderer that makes them: ``coarse`` or ``network``.
        photo: the photo as the frames show it, for comparison.
        sound: where the sound that goes with the motion is, if there is any.
        motion: the motion on the photo's person, in pixels of the working resolution.
        source: the photo as the renderer knows it.
    """

    def __init__(
        self,
        scene: Scene,
        motion: Motion,
        renderer: Renderer,
        backdrop: Backdrop | None = None,
        sound: Sound | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Set up; nothing is rendered yet.

        Args:
            scene: the photo and what is rendered of it.
            motion: retargeted to the photo's person.
            renderer: makes the frames.
            backdrop: what lies behind the person; the photo's own background if None.
            sound: goes with the motion.
            progress: is told how many frames are made.
        """
        self.fps = motion.fps
        self.frame_count = len(motion)
        self.size = picture_size(scene.photo)
        self.renderer = renderer.name
        self.photo = scene.photo
        self.sound = sound
        self.motion = motion
        self.source = scene.source
        self._scene = scene
        self._backdrop = backdrop
        self._progress = progress
        self._opacities: deque[Tensor] = deque()
        self._frames = self._made(renderer)
        self._done = 0

    def __len__(self) -> int:
        """Return the number of frames in all."""
        return self.frame_count

    def __next__(self) -> Picture:
        """Return the next frame."""
        frame = next(self._frames)
        self._done += 1
        if self._progress is not None:
            self._progress("Rendering", self._done, self.frame_count)
        return frame

    def _made(self, renderer: Renderer) -> Iterator[Picture]:
        source = on_device(self.source, renderer.device)
        conditioner = Conditioner(load_body(self.motion.body), source, renderer.joints)
        windows = self._windows(conditioner, on_device(self.motion, renderer.device))
        backgrounds = self._backgrounds(renderer.device)
        for frames in renderer.render(source, conditioner.geometry, windows, backgrounds):
            yield from self._placed(frames)

    def _windows(self, conditioner: Conditioner, motion: Motion) -> Iterator[Conditions]:
        for frames in schedule(self.frame_count):
            conditions = conditioner(motion[frames])
            if self._scene.underlay is not None:
                self._opacities.append(opacity(conditions))
            yield conditions

    def _backgrounds(self, device: torch.device | str) -> Iterator[Frames] | None:
        if self._backdrop is None:
            return None
        pictures = self._backdrop.pictures(self.size, self.fps)
        runs = (list(islice(pictures, w.stop - w.start)) for w in schedule(self.frame_count))
        return (to_frames(run, device) for run in runs)

    def _placed(self, frames: Frames) -> Iterator[Picture]:
        pictures = to_pictures(frames)
        if self._scene.underlay is None:
            yield from pictures
            return
        for picture, share in zip(pictures, self._opacities.popleft()[:, 0], strict=True):
            yield self._scene.placed(picture, share.cpu().numpy())


def on_device(record: _Record, device: torch.device | str) -> _Record:
    """Return a record with its tensors on a device."""

    def move(value: object) -> object:
        if isinstance(value, Tensor):
            return value.to(device)
        return on_device(value, device) if isinstance(value, Motion) else value

    return replace(record, **{f.name: move(getattr(record, f.name)) for f in fields(record)})


def _choose_renderer(name: str, weights: str | Path | None, device: torch.device) -> Renderer:
    if name not in get_args(RendererName):
        raise InputError(
            f"The renderer is {name!r}; it must be one of {', '.join(get_args(RendererName))}."
        )
    if name == "coarse":
        if weights is not None:
            raise InputError("The coarse renderer takes no weights; leave one of the two out.")
        return Coarse(device)
    return load_network(SHIPPED[0] if weights is None else weights, device)


def _open_background(background: str | Path | Picture | None, paste_back: bool) -> Backdrop | None:
    if background is None:
        return None
    if paste_back:
        raise InputError("Putting the person back into the photo excludes another background.")
    return open_backdrop(background)


def open_device(name: str | None) -> torch.device:
    """Return the device of a name; by default a GPU where there is one.

    Raises:
        InputError: there is no such device here.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"The device {name} cannot be used here; cpu always can.") from error
    return device
