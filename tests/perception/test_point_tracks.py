import cv2
import numpy as np
import torch

from bdmm.perception.point_tracks import EVERY, REACHES, PointTracker
from bdmm.perception.pose import Silhouette


def _picture(seed: int = 0) -> np.ndarray:
    rough = np.random.default_rng(seed).normal(size=(200, 240, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(rough, (0, 0), 2.5)
    return (128 + smooth / np.abs(smooth).max() * 120).astype(np.uint8)


def _moved(picture: np.ndarray, dx: float, dy: float) -> np.ndarray:
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    return cv2.warpAffine(picture, matrix, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


def _silhouette(frame: int, x: float, y: float) -> Silhouette:
    inside = torch.zeros(1, 160, 160)
    inside[:, 30:130, 40:120] = 1
    return Silhouette(frame, inside, (x, y), 160 / 130)


def _track(frames: list[int], speed: tuple[float, float]) -> list:
    tracker, picture = PointTracker(), _picture()
    for frame in frames:
        dx, dy = speed[0] * frame, speed[1] * frame
        tracker.step(_moved(picture, dx, dy), _silhouette(frame, 50 + dx, 30 + dy))
    return tracker.links


def test_points_go_where_the_surface_goes() -> None:
    links = _track(list(range(18)), (1.5, -0.75))
    assert {one.end - one.start for one in links} == set(REACHES)
    for one in links:
        expected = torch.tensor([1.5, -0.75]) * (one.end - one.start)
        assert len(one.points) > 20
        assert (one.moved - expected).norm(dim=1).median() < 0.3


def test_points_lie_on_the_person() -> None:
    for one in _track(list(range(6)), (0.0, 0.0)):
        x, y = one.points.T
        assert bool(((x > 50 + 40 * 130 / 160) & (x < 50 + 120 * 130 / 160)).all())
        assert bool(((y > 30 + 30 * 130 / 160) & (y < 30 + 130 * 130 / 160)).all())


def test_a_missing_frame_ends_all_tracks() -> None:
    frames = [frame for frame in range(14) if frame != 7]
    links = _track(frames, (0.5, 0.0))
    assert links
    assert all((one.start < 7) == (one.end < 7) for one in links)
    assert all(one.start % EVERY == 0 for one in links)


def test_points_that_vanish_are_given_up() -> None:
    tracker = PointTracker()
    for frame in range(5):
        tracker.step(_picture(seed=frame), _silhouette(frame, 50.0, 30.0))
    followed = sum(len(one.points) for one in tracker.links)
    still = sum(len(one.points) for one in _track(list(range(5)), (0.0, 0.0)))
    assert followed < 0.5 * still
