import subprocess
import sys

import pytest
import torch

from bdmm.perception.descent import Descent


def test_its_steps_are_pytorchs_own():
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(n, generator=generator) for n in (5, 7, 3)]
    aim = [torch.randn(n, generator=generator) for n in (5, 7, 3)]
    rates = (0.02, 0.01, 0.05)
    ours, theirs = ([one.clone().requires_grad_() for one in start] for _ in range(2))
    descent = Descent(list(zip(ours, rates, strict=True)), 40)
    groups = [{"params": [one], "lr": r} for one, r in zip(theirs, rates, strict=True)]
    adam = torch.optim.Adam(groups, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, 40, 1e-3)
    for _ in range(40):
        for parameters in (ours, theirs):
            distances = [(a - b).abs() for a, b in zip(parameters, aim, strict=True)]
            torch.cat(distances).pow(1.5).sum().backward()
        descent.step()
        adam.step()
        adam.zero_grad()
        schedule.step()
        for a, b in zip(ours, theirs, strict=True):
            assert torch.equal(a, b)


@pytest.mark.slow
def test_fitting_does_not_import_the_compiler():
    code = """
import sys, torch
from bdmm.perception.pose_optimiser import Descent
value = torch.ones(1, requires_grad=True)
value.sum().backward()
Descent([(value, 0.1)], steps=2).step()
assert value.item() < 1
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
