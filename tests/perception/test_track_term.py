import pytest
import torch

from bdmm.perception.pose import Link
from bdmm.perception.track_term import SIGMA, TrackTerm


def _term(point: tuple[float, float], moved: tuple[float, float], unit: float = 1.0) -> TrackTerm:
    link = Link(0, 1, torch.tensor([point]).float(), torch.tensor([moved]).float())
    return TrackTerm([link], torch.zeros(2), unit)


def _vertices(second: list[list[float]]) -> torch.Tensor:
    first = [[10.0, 10, 5], [12.0, 10, -5], [40.0, 40, 0]]
    return torch.tensor([first, second])


def test_the_foremost_vertex_near_the_point_carries_it() -> None:
    moves = _vertices([[10.0, 10, 5], [15.0, 14, -5], [40.0, 40, 0]])
    assert _term((10, 10), (3, 4))(moves) == 0
    squared = 25.0
    expected = squared / (1 + squared / SIGMA**2)
    assert float(_term((10, 10), (0, 0))(moves)) == pytest.approx(expected)


def test_a_point_off_the_body_counts_nothing() -> None:
    moves = _vertices([[10.0, 10, 5], [15.0, 14, -5], [40.0, 40, 0]])
    assert _term((25, 25), (9, 9))(moves) == 0


def test_points_are_brought_to_pixels_of_the_fit() -> None:
    moves = _vertices([[10.0, 10, 5], [15.0, 14, -5], [40.0, 40, 0]])
    assert _term((20, 20), (6, 8), unit=2.0)(moves) == 0


def test_descent_brings_the_body_to_move_along() -> None:
    term = _term((12, 10), (2, 0))
    shift = torch.zeros(2, requires_grad=True)
    optimiser = torch.optim.SGD([shift], lr=0.2)
    start = _vertices([[10.0, 10, 5], [12.0, 10, -5], [40.0, 40, 0]])
    for _ in range(60):
        moved = torch.stack((start[0], start[1] + torch.cat((shift, torch.zeros(1)))))
        optimiser.zero_grad()
        term(moved).backward()
        optimiser.step()
    assert (shift.detach() - torch.tensor([2.0, 0.0])).abs().max() < 0.05
