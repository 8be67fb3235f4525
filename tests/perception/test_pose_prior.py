import pytest
import torch

from bdmm.body.model import AnnyBody
from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.perception.gauss_newton import normal_equations
from bdmm.perception.pose_prior import PosePrior
from bdmm.records import BONE_NAMES


@pytest.fixture
def prior(body: AnnyBody) -> PosePrior:
    return PosePrior(body, torch.zeros(body.shape_size))


def _bent(bone: str, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> torch.Tensor:
    angles = torch.zeros(1, 24, 3)
    angles[0, BONE_NAMES.index(bone)] = torch.tensor((x, y, z))
    return axis_angle_to_matrix(angles)


def _penalty(prior: PosePrior, rotations: torch.Tensor) -> float:
    terms = prior.residuals(rotations, torch.arange(72).view(1, 24, 3), 1.0)
    return float(sum((one.weights * one.values.square()).sum() for one in terms))


def test_the_rest_pose_costs_nothing(prior: PosePrior):
    assert _penalty(prior, torch.eye(3).expand(1, 24, 3, 3)) < 0.1


@pytest.mark.parametrize("bone", ["left_knee", "right_knee"])
def test_knees_bend_to_the_back_only(prior: PosePrior, bone: str):
    assert _penalty(prior, _bent(bone, x=1.0)) < 0.2
    assert _penalty(prior, _bent(bone, x=-1.0)) > 5


@pytest.mark.parametrize("side", [1, -1])
def test_elbows_bend_to_the_front_only(prior: PosePrior, side: int, body: AnnyBody):
    name = "left_elbow" if side == 1 else "right_elbow"
    joints = body.joints(torch.zeros(body.shape_size))
    place = BONE_NAMES.index(name)
    upper = joints[place] - joints[place - 2]
    lower = joints[place + 2] - joints[place]
    axis = torch.linalg.cross(upper, lower)
    axis = axis / axis.norm()
    assert _penalty(prior, _bent(name, *axis.tolist())) < 0.5
    assert _penalty(prior, _bent(name, *(-1.6 * axis).tolist())) > 3


def test_a_thigh_may_turn_a_little_about_itself(prior: PosePrior):
    assert _penalty(prior, _bent("left_hip", y=0.5)) < 0.1
    assert _penalty(prior, _bent("left_hip", y=2.5)) > 1
    assert _penalty(prior, _bent("left_hip", x=-1.4)) < 0.1


@pytest.mark.parametrize(
    "bent", [("left_hip", 0.2, 1.5, 0.1), ("left_knee", -0.8, 0.0, 0.3), ("spine2", 0.3, 0.2, -0.4)]
)
def test_its_gradient_leads_to_lower_penalties(prior: PosePrior, bent: tuple):
    rotations = _bent(*bent)
    terms = prior.residuals(rotations, torch.arange(72).view(1, 24, 3), 1.0)
    _, gradient = normal_equations(terms, 72)
    step = axis_angle_to_matrix(-0.02 * gradient.view(1, 24, 3))
    assert _penalty(prior, rotations @ step) < 0.98 * _penalty(prior, rotations)


def test_its_residuals_are_finite_at_rest(prior: PosePrior):
    for one in prior.residuals(_bent("spine1"), torch.arange(72).view(1, 24, 3), 1.0):
        assert one.values.isfinite().all()
        assert one.factors.isfinite().all()
