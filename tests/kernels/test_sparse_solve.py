import numpy as np
from scipy.sparse import csr_array, diags_array

from bdmm.kernels.sparse_solve import solve_symmetric


def test_it_solves_a_chain_of_springs():
    random = np.random.default_rng(0)
    stiffness = random.uniform(0.1, 2, 200)
    coupling = diags_array((-stiffness[:-1], -stiffness[:-1]), offsets=(1, -1), shape=(200, 200))
    matrix = csr_array(coupling + diags_array(0.01 - coupling.sum(axis=1)))
    wanted = random.standard_normal((200, 3))
    np.testing.assert_allclose(solve_symmetric(matrix, matrix @ wanted), wanted, atol=1e-9)
    np.testing.assert_allclose(
        solve_symmetric(matrix, matrix @ wanted[:, 0]), wanted[:, 0], atol=1e-9
    )
