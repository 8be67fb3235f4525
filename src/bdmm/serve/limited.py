"""Takes limits on itself, then becomes a command; run as a file, by an interpreter without sites.

    python limited.py PARENT MEMORY FILE COMMAND...

On Linux the command is killed with its parent, even if that is killed itself.
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_NICE = 5
"""Below the server, which has little to do and shall answer at once."""


def main(parent: int, memory: int, file: int, command: list[str]) -> None:
    """Become the command.

    Args:
        parent: number of the process that must be this one's parent.
        memory: bytes of private memory.
        file: bytes of the largest file that may be written.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before
        sys.exit(1)
    for limit, most in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_FSIZE, file),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    os.nice(_NICE)
    os.execv(command[0], command)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:4]]
    main(numbers[0], numbers[1], numbers[2], sys.argv[4:])
