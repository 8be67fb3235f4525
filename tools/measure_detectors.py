"""Print the cost of detectors, and whether distances grow with the damage done to a clip.

    python tools/measure_detectors.py clip.mp4 [--vgg19 FILE] [--frames 24]

CPU seconds are of Inception-v3 and I3D with random weights. Every other frame of the clip is the
real set, the others are the generated set: as they are, blurred, and noisy. Beside the Fréchet
distance in VGG-19's features stands the error of keypoints detected again, also of the clip moved
by 5 pixels: this must give 5.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import tyro

from bdmm.media.image import Picture, resize_image
from bdmm.media.pixels import to_frames
from bdmm.media.video_reader import VideoReader
from bdmm.metrics.detectors import open_detector
from bdmm.metrics.frechet import FeatureStatistics
from bdmm.metrics.i3d import Inflated
from bdmm.metrics.inception import Inception
from bdmm.metrics.keypoint_error import detect_keypoints, keypoint_error
from bdmm.metrics.protocols import PROTOCOLS

_SIZE = 256
_MOVED = 5


@dataclass
class Options:
    """What to measure.

    Attributes:
        clip: a video of a person.
        vgg19: VGG-19's weights; without them its distance is left out.
        frames: of each of the two sets.
        clip_frames: lengths of the clips that I3D is shown.
    """

    clip: Annotated[Path, tyro.conf.Positional]
    vgg19: Path | None = None
    frames: int = 24
    clip_frames: tuple[int, ...] = (16, 128)


def main(options: Options) -> None:
    print_speed(options.clip_frames)
    reader = VideoReader(options.clip)
    pictures = [resize_image(frame, (_SIZE, _SIZE)) for frame in islice(reader, 2 * options.frames)]
    print_keypoint_errors(pictures, reader)
    if options.vgg19 is not None:
        print_distances(pictures, options.vgg19)


def print_speed(clip_frames: Sequence[int]) -> None:
    inception, i3d = Inception().eval(), Inflated().eval()
    seconds = cpu_seconds(lambda: inception(torch.zeros(1, 3, 299, 299)))
    print(f"Inception-v3: {seconds:.2f} s of CPU per frame")
    for count in clip_frames:
        clip = torch.zeros(1, count, 3, 224, 224)
        print(f"I3D: {cpu_seconds(lambda clip=clip: i3d(clip)):.2f} s of CPU per {count} frames")


def cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    with torch.inference_mode():
        work()
    return time.process_time() - start


def print_distances(pictures: list[Picture], vgg19: Path) -> None:
    detector = open_detector("vgg19", vgg19, PROTOCOLS["modern"])
    real = FeatureStatistics(detector.dimension, detector.settings)
    for picture in pictures[::2]:
        real.add(detector(to_frames([picture])))
    for name, damage in DAMAGES.items():
        generated = FeatureStatistics(detector.dimension, detector.settings)
        start = time.process_time()
        for picture in pictures[1::2]:
            generated.add(detector(to_frames([damage(picture)])))
        each = (time.process_time() - start) / generated.count
        value = generated.distance(real).mean
        print(f"{detector.distance}, {name}: {value:.4g} ({each:.2f} s of CPU per frame)")


def print_keypoint_errors(pictures: list[Picture], reader: VideoReader) -> None:
    found = detect_keypoints(pictures, reader.fps)
    for name, damage in (DAMAGES | {f"moved by {_MOVED} px": moved}).items():
        again = detect_keypoints(map(damage, pictures), reader.fps)
        error = keypoint_error(again, found, _SIZE)
        print(
            f"keypoints, {name}: {error.pixels:.2f} px, {error.of_torso:.3f} of the torso, "
            f"PCK@0.1 {error.pck:.3f}, detected {error.detection_rate:.3f} of {error.joints}"
        )


def as_it_is(picture: Picture) -> Picture:
    return picture


def blurred(picture: Picture, sigma: float) -> Picture:
    return cv2.GaussianBlur(picture, (0, 0), sigma)


def noisy(picture: Picture, deviation: float) -> Picture:
    noise = np.random.default_rng(0).normal(0, deviation, picture.shape)
    return (picture + noise).clip(0, 255).astype(np.uint8)


def moved(picture: Picture) -> Picture:
    return np.pad(picture, ((0, 0), (_MOVED, 0), (0, 0)), mode="edge")[:, :_SIZE]


DAMAGES: dict[str, Callable[[Picture], Picture]] = {
    "as it is": as_it_is,
    "blurred by 1": lambda picture: blurred(picture, 1.0),
    "blurred by 2": lambda picture: blurred(picture, 2.0),
    "blurred by 4": lambda picture: blurred(picture, 4.0),
    "noise of 10": lambda picture: noisy(picture, 10.0),
    "noise of 30": lambda picture: noisy(picture, 30.0),
}


if __name__ == "__main__":
    main(tyro.cli(Options))
