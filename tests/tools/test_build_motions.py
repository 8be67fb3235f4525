import sys
from pathlib import Path

import pytest
import torch

from bdmm.body.model import load_body
from bdmm.body.rotations import angle_between
from bdmm.media.motion_file import load_shipped
from bdmm.media.shipped_motions import shipped_motions

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(TOOLS))
    try:
        import build_motions

        return build_motions
    finally:
        sys.path.remove(str(TOOLS))


def test_shipped_motions_are_what_the_tool_makes_today(tool) -> None:
    rig = tool.mean_body(load_body())
    assert set(tool.MOVES) == set(shipped_motions())
    for name in tool.MOVES:
        made, shipped = tool.record(rig, name), load_shipped(name)
        away = angle_between(made.rotations.double(), shipped.rotations.double())
        assert away.max() < 2e-3, name
        torch.testing.assert_close(made.translation, shipped.translation, atol=0.05, rtol=0)
