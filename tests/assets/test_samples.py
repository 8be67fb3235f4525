"""What ships to be tried: sample people that the pose estimator finds, and a clip with sound."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from bdmm.perception.pose_network import FoundPose, PoseNetwork
from bdmm.perception.tracking import crop, whole_frame

SAMPLES = Path(__file__).resolve().parents[2] / "src/bdmm/assets/samples"
CLIP = SAMPLES / "dance.mp4"
# Of MediaPipe's landmarks: nose, shoulders, elbows, wrists, hips, knees, ankles.
MAIN = (0, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)


def _found(look: Callable[[np.ndarray], FoundPose | None], picture: np.ndarray) -> FoundPose:
    """Look at the smallest square that holds the picture."""
    square = whole_frame(picture.shape)
    found = look(crop(picture, square, square.side))
    assert found is not None
    return found


def _frames() -> list[np.ndarray]:
    with av.open(str(CLIP)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


@pytest.mark.parametrize(
    "name", ["person.jpg", "person_back.jpg", "person2.jpg", "person2_back.jpg"]
)
def test_the_person_in_a_sample_photo_is_found_whole(name: str) -> None:
    picture = np.asarray(Image.open(SAMPLES / name))
    assert picture.shape == (1024, 768, 3)
    assert (SAMPLES / name).stat().st_size < 400_000
    found = _found(PoseNetwork().search, picture)
    marks, foreground = found.landmarks, found.foreground > 0.5
    assert marks[MAIN, 2].min() > 0.8
    assert marks[:, :2].min() > 0.02
    assert marks[:, :2].max() < 0.98
    left, right = marks[[11, 13, 15, 23, 25, 27], 0], marks[[12, 14, 16, 24, 26, 28], 0]
    assert (left > right).all() == ("back" not in name), "faces the camera, or away from it"
    assert (left < right).all() == ("back" in name)
    pixels = (marks[MAIN, :2] * 1024).astype(int)
    assert foreground[pixels[:, 1], pixels[:, 0]].all()
    assert 0.08 < foreground.mean() < 0.4


def test_the_clip_has_its_length_rate_and_sound() -> None:
    assert CLIP.stat().st_size < 600_000
    with av.open(str(CLIP)) as file:
        video, sound = file.streams.video[0], file.streams.audio[0]
        assert video.average_rate == 30
        assert video.height == 384
        assert sound.duration * sound.time_base == pytest.approx(3.0, abs=0.06)
        samples = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(sound)])
    assert len(_frames()) == 90
    loudness = np.abs(samples[: 3 * 44100]).reshape(-1, 441).max(axis=1)
    assert loudness.max() > 0.1, "beeps"
    assert np.median(loudness) < 0.3 * loudness.max(), "and silence between them"


def test_the_dancer_is_found_in_frames_all_over_the_clip() -> None:
    network = PoseNetwork()
    for frame in _frames()[::18]:
        assert _found(network.search, frame).landmarks[MAIN, 2].mean() > 0.8


@pytest.mark.slow
def test_the_dancer_is_found_in_every_frame() -> None:
    network = PoseNetwork()
    marks = np.stack([_found(network.track, frame).landmarks for frame in _frames()])
    assert marks[:, MAIN, 2].mean(axis=1).min() > 0.8
    assert np.abs(np.diff(marks[:, MAIN, :2], axis=0)).max() < 0.15
