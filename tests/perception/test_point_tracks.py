import cv2
import numpy as np
import pytest
import torch

from bdmm.perception.gauss_newton import Residuals
from bdmm.perception.point_tracks import EVERY, REACHES, SIGMA, PointTracker, PointTrackTerm
from bdmm.perception.pose import PointTrack, Silhouette


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
    return tracker.point_tracks


def test_points_go_where_the_surface_goes() -> None:
    tracks = _track(list(range(18)), (1.5, -0.75))
    assert {one.end - one.start for one in tracks} == set(REACHES)
    for one in tracks:
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
    tracks = _track(frames, (0.5, 0.0))
    assert tracks
    assert all((one.start < 7) == (one.end < 7) for one in tracks)
    assert all(one.start % EVERY == 0 for one in tracks)


def test_points_that_vanish_are_given_up() -> None:
    tracker = PointTracker()
    for frame in range(5):
        tracker.step(_picture(seed=frame), _silhouette(frame, 50.0, 30.0))
    followed = sum(len(one.points) for one in tracker.point_tracks)
    still = sum(len(one.points) for one in _track(list(range(5)), (0.0, 0.0)))
    assert followed < 0.5 * still


def _term(
    point: tuple[float, float], moved: tuple[float, float], unit: float = 1.0
) -> PointTrackTerm:
    track = PointTrack(0, 1, torch.tensor([point]).float(), torch.tensor([moved]).float())
    return PointTrackTerm([track], torch.zeros(2), unit)


def _vertices(second: list[list[float]]) -> torch.Tensor:
    first = [[10.0, 10, 5], [12.0, 10, -5], [40.0, 40, 0]]
    return torch.tensor([first, second])


def _residuals(term: PointTrackTerm, vertices: torch.Tensor) -> Residuals:
    return term.residuals(vertices, torch.arange(vertices.numel()).view_as(vertices))


def test_the_foremost_vertex_near_the_point_carries_it() -> None:
    moves = _vertices([[10.0, 10, 5], [15.0, 14, -5], [40.0, 40, 0]])
    assert _residuals(_term((10, 10), (3, 4)), moves).values.tolist() == [0, 0]
    found = _residuals(_term((10, 10), (0, 0)), moves)
    assert found.values.tolist() == [3, 4]
    assert found.coordinates.tolist() == [[12, 3], [13, 4]]
    assert found.factors.tolist() == [[1, -1]] * 2
    assert found.weights.tolist() == pytest.approx([(1 + 25 / SIGMA**2) ** -2] * 2)


def test_a_point_off_the_body_counts_nothing() -> None:
    moves = _vertices([[10.0, 10, 5], [15.0, 14, -5], [40.0, 40, 0]])
    assert not len(_residuals(_term((25, 25), (9, 9)), moves).values)


def test_points_are_brought_to_pixels_of_the_fit() -> None:
    moves = _vertices([[10.0, 10, 5], [15.0, 14, -5], [40.0, 40, 0]])
    assert _residuals(_term((20, 20), (6, 8), unit=2.0), moves).values.tolist() == [0, 0]
