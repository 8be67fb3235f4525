import torch
from threadpoolctl import threadpool_info

from bdmm.batch.threads import half_the_cores


def test_operations_have_half_of_the_cores_for_a_while() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        with half_the_cores():
            assert torch.get_num_threads() == 2
            assert {
                one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"
            } == {1}
            with half_the_cores(), half_the_cores():
                assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)
