"""A photo and a motion to frames, streaming; and several renderers side by side."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import get_args

import torch

from bdmm.batch.threads import half_the_cores
from bdmm.body.retarget import Root
from bdmm.errors import InputError, Notice, Progress, no_progress
from bdmm.inference.contact_shadow import Shadow
from bdmm.inference.driving import DEFAULT_RATE, DrivingOptions
from bdmm.inference.prepare import InputOptions, Inputs, prepare
from bdmm.inference.presets import PRESETS, Preset, PresetName, RendererName
from bdmm.inference.render import Rendered, Renderer, render
from bdmm.inference.renderers import CoarseRenderer, load_network
from bdmm.media.image import AnyPicture, Picture
from bdmm.media.panels import captioned, mosaic
from bdmm.media.pixels import to_pictures, with_alpha
from bdmm.network.weights import SHIPPED
from bdmm.records import Motion, Person
from bdmm.shapes import Frames

_BLACK = -0.99
"""Frames in [-1, 1] of which nothing is brighter are black."""


def animate(
    source: str | Path | Picture | Person,
    motion: str | Path | Motion,
    *,
    more: Sequence[str | Path | Picture] = (),
    preset: PresetName = "standard",
    size: int | None = None,
    renderer: RendererName | None = None,
    weights: str | Path | None = None,
    background: str | Path | Picture | None = None,
    person: int | None = None,
    photo_person: int | None = None,
    smooth: float = 1.0,
    root: Root = "relative",
    view: float = 0.0,
    orbit: bool = False,
    shadow: Shadow = "contact",
    paste_back: bool = False,
    fps: Fraction | None = None,
    device: str | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> "Animation":
    """Make the person of a photo move.

    This call reports mistakes, finds the photo's person and extracts the driver's motion. Frames
    are then made one by one as they are asked for, in bounded memory for any length::

        frames = bdmm.animate("photo.jpg", "dance.mp4")
        for frame in frames:  # uint8 h w 3, RGB
            ...

    Args:
        source: the photo, as a path or ``h w 3`` RGB in 0..255; a clip or a folder of the person;
            or a `bdmm.Person`, also as a ``.person`` file.
        motion: who gives the motion, as for `open_driver`: a video, a ``.motion`` file, a folder
            of OpenPose's JSON, SMPL parameters, the name of a shipped motion, or a motion.
        more: up to seven further photos of the same person, in any order: each pixel comes from
            the photo that shows it best.
        preset: ``fast`` (384 pixels, no network), ``standard`` (512 pixels) or ``fine`` (up to 1080
            pixels); never more than the photo has. What is given by itself counts more.
        size: pixels of the shorter side of the frames, even, 64 to 2048.
        renderer: ``network`` is a trained generator; ``coarse`` only warps the photo's own pixels.
        weights: of the network: a file, the folder of a run, or ``hf://OWNER/NAME@REVISION`` of a
            hub; those that ship if None.
        background: a colour, picture or video behind the person instead of the photo's own;
            ``transparent``: frames are ``h w 4``, the person's own colours and alpha.
        person: which of several people of a driving video, from the left from 1 on.
        photo_person: which of several people of the photo, likewise.
        smooth: standard deviation in frames of the smoothing of a video's motion; 0 for none.
        root: where the person goes, as for `retarget`.
        view: degrees by which the camera is carried around the person, to the right; the
            background stays the photo's.
        orbit: carry it once around while the motion lasts.
        shadow: ``contact`` lays a soft one under the feet, on the photo's own background; ``none``.
        paste_back: put the person back into the full-size photo.
        fps: frames per second of drivers without a rate: folders of poses, SMPL parameters.
        device: such as ``cpu`` or ``cuda``; a GPU where there is one by default.
        seed: the same seed gives the same frames.
        progress: is called with each stage, the steps done and the steps in all.

    Returns:
        An iterator of frames, uint8 ``h w 3`` RGB, ``h w 4`` if transparent, that knows their
        number, rate and size.

    Raises:
        InputError: a mistake of the user's, in one sentence.
    """
    rate = DEFAULT_RATE if fps is None else fps
    driving = DrivingOptions(person, smooth, rate)
    row = choose_preset(preset)
    options = InputOptions(
        size=size,
        background=background,
        photo_person=photo_person,
        root=root,
        paste_back=paste_back,
        seed=seed,
        driving=driving,
        most=row.size,
        more=more,
        view=view,
        orbit=orbit,
        shadow=shadow,
    )
    chosen = choose_renderer(renderer, weights, open_device(device), row)
    return Animation(prepare(source, motion, options, progress), chosen, progress)


class Animation(Iterator[AnyPicture]):
    """The frames of a clip, made one window after the other as they are asked for.

    Attributes:
        size: (height, width) of the frames.
        photo: the photo at the size of the frames, for comparison.
        sound: goes with the motion, if there is any.
        transparent: frames have alpha.
    """

    def __init__(
        self, inputs: Inputs, renderer: Renderer, progress: Progress = no_progress
    ) -> None:
        self.fps = inputs.fps
        self.frame_count = len(inputs)
        self.size = inputs.size
        self.renderer = renderer.name
        self.photo = inputs.photo
        self.sound = inputs.sound
        self.transparent = inputs.transparent
        self._view = inputs.source_view
        self._progress = progress
        self._frames = self._pictures(render(inputs, renderer))
        self._done = 0

    def __len__(self) -> int:
        return self.frame_count

    def __next__(self) -> AnyPicture:
        with half_the_cores():
            frame = next(self._frames)
        self._done += 1
        self._progress("Rendering", self._done, self.frame_count)
        return frame

    def _pictures(self, windows: Iterator[Rendered]) -> Iterator[AnyPicture]:
        for number, window in enumerate(windows):
            if number == 0:
                _check_visible(window.frames)
            pictures = to_pictures(window.frames)
            if window.alpha is not None:
                pictures = with_alpha(pictures, window.alpha)
            if self._view.clean_plate is None:
                yield from pictures
                continue
            for picture, opacity in zip(pictures, window.opacity[:, 0], strict=True):
                yield self._view.paste_back(picture, opacity.cpu().numpy())


def _check_visible(frames: Frames) -> None:
    """Notify the user of frames that show nothing, as of weights that are not trained."""
    if not bool(frames.isfinite().all()) or float(frames.max()) < _BLACK:
        warnings.warn(
            "The first frames are black or not finite: these weights give no pictures.",
            Notice,
            stacklevel=2,
        )


def compare(
    inputs: Inputs, renderers: Mapping[str, Renderer], progress: Progress
) -> Iterator[Picture]:
    """Yield pictures of source, driver and each renderer's frame, in bounded memory.

    Args:
        renderers: by the names that are written above their frames.
    """
    source = captioned(inputs.photo, "source")
    animations = [Animation(inputs, one) for one in renderers.values()]
    for done, (driver, *frames) in enumerate(
        zip(inputs.driving_frames(), *animations, strict=True), start=1
    ):
        generated = [captioned(one, name) for one, name in zip(frames, renderers, strict=True)]
        yield mosaic([[source, captioned(driver, "driving"), *generated]])
        progress("Comparing", done, len(inputs))


def choose_preset(name: PresetName) -> Preset:
    """Return the preset of a name.

    Raises:
        InputError: there is no such preset.
    """
    if name not in PRESETS:
        raise InputError(f"The preset is {name!r}; it must be one of {', '.join(PRESETS)}.")
    return PRESETS[name]


@half_the_cores()
def choose_renderer(
    name: RendererName | None,
    weights: str | Path | None,
    device: torch.device,
    preset: Preset = PRESETS["standard"],
) -> Renderer:
    """Return the renderer of a name.

    Args:
        name: None for the preset's, or for a network where there are weights of one.

    Raises:
        InputError: there is no such renderer, or the weights cannot be used.
    """
    if name is None:
        name = preset.renderer if weights is None else "network"
    if name not in get_args(RendererName):
        raise InputError(
            f"The renderer is {name!r}; it must be one of {', '.join(get_args(RendererName))}."
        )
    if name == "coarse":
        if weights is not None:
            raise InputError("The coarse renderer takes no weights; leave one of the two out.")
        return CoarseRenderer(device)
    chosen = SHIPPED[0] if weights is None else weights
    return load_network(chosen, device, network_side=preset.network_side)


def open_device(name: str | None) -> torch.device:
    """Return the device of a name; by default a GPU where there is one.

    Raises:
        InputError: there is no such device here.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"The device {name} cannot be used here; cpu always can.") from error
    return device
