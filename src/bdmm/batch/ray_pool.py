"""Jobs as tasks of a Ray cluster, whose nodes have bdmm and see this folder under the same path."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from bdmm.batch.ray_cluster import join_cluster
from bdmm.batch.threads import hold_threads
from bdmm.batch.worker_pool import Outcome, attempt

import ray  # isort: skip (after `ray_cluster`, which sets it up)
from ray.exceptions import RayError  # isort: skip

Job = TypeVar("Job")
Result = TypeVar("Result")
MAX_RETRIES = 3
"""How often a job whose worker was lost is started again."""
_AHEAD = 2
"""Jobs under way for each place, so that no worker waits and a cluster that can grow does."""


def run_jobs(
    work: Callable[[Job], Result], jobs: Sequence[Job], address: str, cpus: int, most: int
) -> Iterator[Outcome[Job, Result]]:
    """Do jobs on a cluster and yield their results in the order in which they end.

    Args:
        work: a function of a module that the nodes have.
        address: see `ray_cluster.join_cluster`.
        cpus: cores of a job.
        most: jobs under way at the same time; 0 for twice as many as the cluster has places.

    Raises:
        InputError: nobody answers at the address.
    """
    join_cluster(address, most * cpus or None)
    try:
        places = int(ray.cluster_resources().get("CPU", 1)) // cpus
        most = most or _AHEAD * max(places, 1)
        task = ray.remote(_do).options(num_cpus=cpus, max_retries=MAX_RETRIES)
        waiting, under_way = list(reversed(jobs)), dict[ray.ObjectRef, Job]()
        while waiting or under_way:
            while waiting and len(under_way) < most:
                job = waiting.pop()
                under_way[task.remote(work, job, cpus, Path.cwd())] = job
            (ended,), _ = ray.wait(list(under_way))
            yield _outcome(ended, under_way.pop(ended))
    finally:
        ray.shutdown()


def _do(work: Callable[[Job], Result], job: Job, cpus: int, folder: Path) -> Outcome[Job, Result]:
    os.chdir(folder)
    hold_threads(cpus)
    return attempt(work, job)


def _outcome(ended: "ray.ObjectRef", job: Job) -> Outcome[Job, Any]:
    try:
        return ray.get(ended)
    except RayError as error:
        reason = f"The Ray worker that did it was lost ({type(error).__name__})."
        return Outcome(job, reason=reason)
