import pytest
import torch
from torch import nn

from bdmm.training.run_state import moving_average


def test_early_updates_count_more_as_computed_by_hand() -> None:
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    average = moving_average(module, 0.9)
    nn.init.ones_(module.weight)
    average.update_parameters(module)
    assert average.module.weight.item() == pytest.approx(1 - 2 / 11)
    average.update_parameters(module)
    assert average.module.weight.item() == pytest.approx(1 - 2 / 11 * 3 / 12)
    for _ in range(300):
        average.update_parameters(module)
    late = average.module.weight.clone()
    nn.init.zeros_(module.weight)
    average.update_parameters(module)
    assert average.module.weight.item() == pytest.approx(0.9 * late.item())


def test_keeping_nothing_follows_exactly_and_whole_numbers_are_copied() -> None:
    module = nn.BatchNorm1d(3)
    average = moving_average(module, 0.0)
    module(torch.randn(8, 3))
    average.update_parameters(module)
    for name, value in module.state_dict().items():
        assert torch.allclose(average.module.state_dict()[name], value), name
    assert average.module.num_batches_tracked == 1
