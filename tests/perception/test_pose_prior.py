import pytest
import torch

from bdmm.body.model import AnnyBody
from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.perception.pose_prior import PosePrior
from bdmm.records import BONE_NAMES


@pytest.fixture
def prior(body: AnnyBody) -> PosePrior:
    return PosePrior(body, torch.zeros(body.shape_size))


def _bent(bone: str, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> torch.Tensor:
    angles = torch.zeros(1, 24, 3)
    angles[0, BONE_NAMES.index(bone)] = torch.tensor((x, y, z))
    return axis_angle_to_matrix(angles)


def test_the_rest_pose_costs_nothing(prior: PosePrior):
    assert prior(torch.eye(3).expand(1, 24, 3, 3)) < 0.1


@pytest.mark.parametrize("bone", ["left_knee", "right_knee"])
def test_knees_bend_to_the_back_only(prior: PosePrior, bone: str):
    assert prior(_bent(bone, x=1.0)) < 0.2
    assert prior(_bent(bone, x=-1.0)) > 5


@pytest.mark.parametrize("side", [1, -1])
def test_elbows_bend_to_the_front_only(prior: PosePrior, side: int, body: AnnyBody):
    name = "left_elbow" if side == 1 else "right_elbow"
    joints = body.joints(torch.zeros(body.shape_size))
    place = BONE_NAMES.index(name)
    upper = joints[place] - joints[place - 2]
    lower = joints[place + 2] - joints[place]
    axis = torch.linalg.cross(upper, lower)
    axis = axis / axis.norm()
    assert prior(_bent(name, *axis.tolist())) < 0.5
    assert prior(_bent(name, *(-1.6 * axis).tolist())) > 3


def test_a_thigh_may_turn_a_little_about_itself(prior: PosePrior):
    assert prior.twists(_bent("left_hip", y=0.5)) == pytest.approx(0, abs=0.05)
    assert prior.twists(_bent("left_hip", y=2.5)) > 0.8
    assert prior.twists(_bent("left_hip", x=-1.4)) == pytest.approx(0, abs=0.02)


def test_its_gradient_is_finite_at_rest(prior: PosePrior):
    turn = torch.zeros(1, 24, 3, requires_grad=True)
    prior(axis_angle_to_matrix(turn)).sum().backward()
    assert turn.grad is not None
    assert turn.grad.isfinite().all()
