"""Gauss-Newton steps on poses: robust residuals, linear in points of the posed body.

A step ``x`` solves ``(J' M J + P) x = -(J' g + p)``. ``M`` and ``g`` are the normal equations of
residuals in the points' coordinates, ``P`` and ``p`` those of residuals in the unknowns themselves;
both are sparse. ``J``, the points by the unknowns, is applied and never built. Conjugate gradients
solve it, preconditioned by each frame's own block of the matrix.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_array, vstack
from scipy.sparse.linalg import LinearOperator, cg
from torch import Tensor

from bdmm.perception.pose_jacobian import TURNS, UNKNOWNS, PoseJacobian

SOLVER_STEPS = 12
"""Conjugate gradients: the residual falls to 3 % of its size."""
LARGEST_TURN = 0.5
"""Radians that a bone may turn in one step: further the points are far from linear."""
_STIFFENING = 1e-3
"""Share of its diagonal that is added to each block, which counts points as carried by one bone."""


def robust_weight(squared: Float[Tensor, "*b"], sigma: float) -> Float[Tensor, "*b"]:
    """Return the weight of squared residuals in Geman and McClure's loss ``r^2 s^2 / (r^2 + s^2)``.

    Its derivative by ``r^2``; at ``r = s`` the loss is half its limit.
    """
    return (1 + squared / sigma**2) ** -2


@dataclass(frozen=True)
class Residuals:
    """Weighted residuals, each a linear function of ``k`` coordinates of points, or ``k`` unknowns.

    Attributes:
        coordinates: ``r k`` their numbers.
        factors: ``r k`` derivatives by them.
        values: ``r`` residuals now.
        weights: ``r`` of their squares.
    """

    coordinates: Int[Tensor, "r k"]
    factors: Float[Tensor, "r k"]
    values: Float[Tensor, "r"]
    weights: Float[Tensor, "r"]

    @classmethod
    def single(
        cls,
        coordinates: Int[Tensor, "*b"],
        values: Float[Tensor, "*b"],
        weights: Float[Tensor, "*b"],
    ) -> "Residuals":
        """Return residuals that are a coordinate's distance from some value each."""
        one = torch.ones_like(values).reshape(-1, 1)
        return cls(coordinates.reshape(-1, 1), one, values.flatten(), weights.flatten())

    def matrix(self, count: int) -> csr_array:
        """Return ``r count`` derivatives by all coordinates."""
        rows, width = self.coordinates.shape
        starts = np.arange(0, (rows + 1) * width, width)
        entries = (self.factors.flatten().numpy(), self.coordinates.flatten().numpy(), starts)
        return csr_array(entries, shape=(rows, count))


def normal_equations(
    terms: Iterable[Residuals], count: int
) -> tuple[csr_array, Float[Tensor, "count"]]:
    """Return the Gauss-Newton matrix of residuals, and half the gradient of their squares.

    Args:
        count: of all coordinates.
    """
    terms = list(terms)
    derivatives = vstack([one.matrix(count) for one in terms], format="csr")
    weights = torch.cat([one.weights for one in terms]).numpy()
    values = torch.cat([one.values for one in terms]).numpy()
    weighted = derivatives.T.tocsr()
    gradient = weighted @ (weights * values)
    weighted.data *= weights[weighted.indices]
    return weighted @ derivatives, torch.from_numpy(gradient)


def solve_step(
    jacobian: PoseJacobian, on_points: Iterable[Residuals], on_unknowns: Iterable[Residuals]
) -> Float[Tensor, "m"]:
    """Return the Gauss-Newton step, without turns beyond `LARGEST_TURN`.

    Args:
        on_points: of the coordinates of the Jacobian's points, numbered in the order ``t p 3``.
        on_unknowns: of the unknowns, numbered as in a step; all of them must have some weight.
    """
    matrix, pull = normal_equations(on_points, jacobian.arms.numel())
    own, own_pull = normal_equations(on_unknowns, jacobian.count)
    gradient = jacobian.gradient(pull.view_as(jacobian.arms)) + own_pull

    def product(step: np.ndarray) -> np.ndarray:
        moved = jacobian.velocities(torch.from_numpy(step)).flatten().numpy()
        forces = torch.from_numpy(matrix @ moved).view_as(jacobian.arms)
        return jacobian.gradient(forces).numpy() + own @ step

    inverse = _preconditioner(jacobian, matrix, own)
    found, _ = cg(
        _Operator(product, jacobian.count),
        -gradient.numpy(),
        rtol=1e-3,
        maxiter=SOLVER_STEPS,
        M=_Operator(inverse, jacobian.count),
    )
    step = torch.from_numpy(found)
    frames, _ = jacobian.split(step)
    frames[:, :TURNS].clamp_(-LARGEST_TURN, LARGEST_TURN)
    return step


class _Operator(LinearOperator):
    def __init__(self, product: Callable[[np.ndarray], np.ndarray], count: int) -> None:
        super().__init__(np.float32, (count, count))
        self._product = product

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return self._product(x)


def _preconditioner(
    jacobian: PoseJacobian, matrix: csr_array, own: csr_array
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what multiplies by the inverse of each frame's block and of the shape's."""
    by_frame, by_shape = jacobian.blocks(_point_blocks(matrix, jacobian.arms.shape))
    by_frame.diagonal(dim1=1, dim2=2).mul_(1 + _STIFFENING)
    entries = own.tocoo()
    values = torch.from_numpy(entries.data)
    (row_frame, row), (column_frame, column) = (
        (torch.from_numpy(one // UNKNOWNS).long(), torch.from_numpy(one % UNKNOWNS).long())
        for one in (entries.row, entries.col)
    )
    within = row_frame == column_frame
    of_frames = within & (row_frame < len(by_frame))
    place = (row_frame[of_frames], row[of_frames], column[of_frames])
    by_frame.index_put_(place, values[of_frames], accumulate=True)
    of_shape = within & ~of_frames
    by_shape.index_put_((row[of_shape], column[of_shape]), values[of_shape], accumulate=True)
    frames, shape = (torch.linalg.cholesky_ex(one).L for one in (by_frame, by_shape))

    def solve(residual: np.ndarray) -> np.ndarray:
        step, shape_step = jacobian.split(torch.from_numpy(residual))
        solved = torch.cholesky_solve(step[..., None], frames).flatten()
        return torch.cat((solved, torch.cholesky_solve(shape_step[:, None], shape)[:, 0])).numpy()

    return solve


def _point_blocks(matrix: csr_array, shape: torch.Size) -> Float[Tensor, "t p 3 3"]:
    """Return each point's own part of a matrix over all coordinates."""
    blocks = np.zeros((shape.numel() // 3, 3, 3), np.float32)
    for off in range(3):
        values = np.append(matrix.diagonal(off), np.zeros(off, np.float32)).reshape(-1, 3)
        for row in range(3 - off):
            blocks[:, row, row + off] = blocks[:, row + off, row] = values[:, row]
    return torch.from_numpy(blocks).view(*shape, 3)
