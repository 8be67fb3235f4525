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
    def resident(how: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", _CHURN, how], capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    assert resident("small") < 0.8 * resident("as it is")


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
    def page_faults(how: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", _AGAIN, how], capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    assert page_faults("network") < 0.5 * page_faults("as it is")
