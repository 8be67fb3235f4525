"""A job on a Ray cluster, where the jobs' folder lies under the same path on every node."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bdmm.batch.ray_cluster import join_cluster
from bdmm.serve.job_process import JobProcess, Progress
from bdmm.serve.jobs import MAX_ATTEMPTS
from bdmm.serve.settings import Limits

import ray  # isort: skip (after `ray_cluster`, which sets it up)
from ray.exceptions import GetTimeoutError, RayActorError, RayError  # isort: skip

_CALLS_AT_ONCE = 4
_ANSWER_SECONDS = 1.0
_WAITING = Progress("Waiting for a worker")


def connect(address: str) -> Callable[[Path, Sequence[str], Limits], "RayJob"]:
    """Connect to a cluster.

    Args:
        address: see `ray_cluster.join_cluster`.

    Returns:
        A function that starts a job on it.

    Raises:
        InputError: nobody answers there.
    """
    join_cluster(address)
    return RayJob


class _Worker:
    """Runs a job's process on the node where Ray puts it."""

    def __init__(self, folder: Path, words: Sequence[str], limits: Limits) -> None:
        self._process = JobProcess(folder, words, limits)

    def progress(self) -> Progress:
        return self._process.progress

    def wait(self) -> tuple[str, tuple[str, ...]]:
        reason = self._process.wait()
        return reason, self._process.notices


def _start(folder: Path, words: Sequence[str], limits: Limits) -> Any:
    worker = ray.remote(_Worker).options(num_cpus=1, max_concurrency=_CALLS_AT_ONCE)
    return worker.remote(folder, words, limits)


class RayJob:
    """A job on a cluster, as `JobProcess` is one on this machine.

    A job whose worker is lost is started again, three times in all.
    """

    def __init__(self, folder: Path, words: Sequence[str], limits: Limits) -> None:
        self._order = (folder, tuple(words), limits)
        self._killed = False
        self._notices: tuple[str, ...] = ()
        self._worker = _start(*self._order)

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        with suppress(GetTimeoutError, RayError):
            return ray.get(self._worker.progress.remote(), timeout=_ANSWER_SECONDS)
        return _WAITING

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know although the job went on."""
        return self._notices

    def kill(self) -> None:
        """End it at once; its process ends with its worker."""
        self._killed = True
        ray.kill(self._worker)

    def wait(self) -> str:
        """Wait until it ends; return why it failed, one sentence, or nothing."""
        for _ in range(MAX_ATTEMPTS):
            try:
                reason, self._notices = ray.get(self._worker.wait.remote())
            except RayActorError:
                if self._killed:
                    return "The job was ended."
                self._worker = _start(*self._order)
            else:
                ray.kill(self._worker)
                return reason
        return f"The job's Ray worker was lost {MAX_ATTEMPTS} times."
