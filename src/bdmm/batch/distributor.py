"""Who does the jobs of a list: processes of this machine, or a Ray cluster."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bdmm.batch import worker_pool
from bdmm.batch.worker_pool import Outcome

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Distributor:
    """Spreads jobs over processes.

    Attributes:
        workers: processes of this machine, 0 for none but this one; on a cluster the most jobs
            under way, 0 for twice as many as it has places for.
        cpus: cores of a job; its threads are held to them.
        ray: address of a Ray cluster, see `ray_cluster.join_cluster`; None for this machine.
    """

    workers: int = 0
    cpus: int = 1
    ray: str | None = None

    def run_jobs(
        self, work: Callable[[Job], Result], jobs: Sequence[Job]
    ) -> Iterator[Outcome[Job, Result]]:
        """Do jobs and yield their results in the order in which they end.

        Args:
            work: a function of a module, since it is sent to other processes.

        Raises:
            InputError: the cluster cannot be reached.
        """
        if self.ray is None or not jobs:
            return worker_pool.run_jobs(work, jobs, self.workers, self.cpus)
        from bdmm.batch import ray_pool

        return ray_pool.run_jobs(work, jobs, self.ray, self.cpus, self.workers)


HERE = Distributor()
"""This process alone."""
