"""`bdmm version`."""

from dataclasses import dataclass

import bdmm
from bdmm.cli.report import say


@dataclass(frozen=True)
class Version:
    """Print the version."""

    def run(self) -> None:
        """Print it."""
        say(f"bdmm {bdmm.__version__}")
