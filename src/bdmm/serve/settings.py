"""Settings of a server: where jobs live, and what one job may take."""

from dataclasses import dataclass, field
from pathlib import Path

GIB, MIB = 2**30, 2**20
LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Hosts that only this machine reaches; any other needs a token."""


@dataclass(frozen=True)
class Limits:
    """What one job may take.

    Attributes:
        upload_bytes: of all files of a request together.
        memory_bytes: private memory of the job's process.
        seconds: from the start of its process to the end; an inspection gets as long.
        size: largest working resolution, pixels of the shorter side.
        frames: longest driving motion.
        file_bytes: largest file that the process may write.
    """

    upload_bytes: int = 256 * MIB
    memory_bytes: int = 4 * GIB
    seconds: float = 1800.0
    size: int = 1080
    frames: int = 3000
    file_bytes: int = 2 * GIB


@dataclass(frozen=True)
class Settings:
    """How a server works.

    Attributes:
        folder: holds jobs, uploads and results; one server at a time works in it.
        token: what clients must know; None for none.
        queue: animations that may wait; further ones are refused.
        workers: animations that run at the same time.
        keep_seconds: how long after its end a job and its files are kept.
        limits: of each job.
        ray: address of a Ray cluster that runs the jobs; None for this machine.
    """

    folder: Path
    token: str | None = None
    queue: int = 20
    workers: int = 1
    keep_seconds: float = 86_400.0
    limits: Limits = field(default_factory=Limits)
    ray: str | None = None
