import os
import subprocess
import sys

import pytest

_CHURN = """
import sys
import numpy as np
from bdmm.cli.resources import keep_heap_small
if sys.argv[1] == "small":
    keep_heap_small()
kept = []
np.ones(7 * 2**20, np.float32)
for turn in range(40):
    pictures = []
    for _ in range(10):
        pictures.append(np.ones(2**18 + 2**13 * turn, np.float32))
        kept.append(np.ones(300, np.float32))
    pictures = None
print(int(open("/proc/self/statm").read().split()[1]) * 4096 // 2**20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="about the GNU C library")
def test_freed_pictures_go_back_to_the_system() -> None:
    assert _printed(_CHURN, "small") < 0.8 * _printed(_CHURN, "as it is")


_AGAIN = """
import sys, resource
import numpy as np
from bdmm.cli.resources import keep_heap_small, keep_network_blocks
keep_heap_small()
if sys.argv[1] == "network":
    keep_network_blocks()
for turn in range(50):
    np.ones(4 * 2**20, np.float32)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="about the GNU C library")
def test_blocks_that_a_network_asks_for_again_are_kept() -> None:
    assert _printed(_AGAIN, "network") < 0.5 * _printed(_AGAIN, "as it is")


def _printed(program: str, how: str) -> int:
    """Return the number that a program of its own process prints.

    With huge pages, which NumPy asks for, a block of 16 MiB is too few page faults to be seen.
    """
    command = [sys.executable, "-c", program, how]
    small_pages = os.environ | {"NUMPY_MADVISE_HUGEPAGE": "0"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=small_pages)
    return int(done.stdout)
