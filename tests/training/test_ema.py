import pytest
import torch
from torch import nn

from bdmm.training.ema import MovingAverage


def test_early_updates_count_more_as_computed_by_hand() -> None:
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    average = MovingAverage(module, 0.9)
    nn.init.ones_(module.weight)
    average.update(module)
    assert average.tensors["weight"].item() == pytest.approx(1 - 2 / 11)
    average.update(module)
    assert average.tensors["weight"].item() == pytest.approx(1 - 2 / 11 * 3 / 12)
    for _ in range(300):
        average.update(module)
    late = average.tensors["weight"].clone()
    nn.init.zeros_(module.weight)
    average.update(module)
    assert average.tensors["weight"].item() == pytest.approx(0.9 * late.item())


def test_keeping_nothing_follows_exactly_and_whole_numbers_are_copied() -> None:
    module = nn.BatchNorm1d(3)
    average = MovingAverage(module, 0.0)
    module(torch.randn(8, 3))
    average.update(module)
    for name, value in module.state_dict().items():
        assert torch.allclose(average.tensors[name], value), name
    assert average.tensors["num_batches_tracked"] == 1


def test_the_average_is_no_part_of_the_module_and_can_be_loaded() -> None:
    module = nn.Linear(2, 2)
    average, other = MovingAverage(module, 0.5), MovingAverage(nn.Linear(2, 2), 0.5)
    before = average.tensors["weight"].clone()
    nn.init.zeros_(module.weight)
    assert torch.equal(average.tensors["weight"], before)
    other.load(average.tensors, 7)
    average.updates = 7
    for one in (average, other):
        one.update(module)
    assert torch.equal(average.tensors["weight"], other.tensors["weight"])
