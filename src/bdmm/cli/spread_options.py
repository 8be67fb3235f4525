"""The options by which a list of work is spread over processes and machines."""

import os
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from bdmm.batch.distributor import Distributor
from bdmm.batch.run import WHOLE, Shard
from bdmm.errors import require_within

MOST = 1024


@dataclass(frozen=True)
class SpreadOptions:
    """Processes and machines that share the work; docs/batches.md has examples."""

    workers: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Number of processes, 0 for none but this one; with Ray the most items under way. Default: one
    per core; twice as many as the cluster has places for."""
    shard: Annotated[str | None, tyro.conf.arg(metavar="I/N")] = None
    """Do the I-th of N parts of the list only. The part that ends last writes the report."""
    distributor: Literal["local", "ray"] = "local"
    """Processes of this machine, or tasks of a Ray cluster (extra ray)."""
    ray: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS")] = None
    """Address of the cluster's head, such as 10.0.0.1:6379, or auto for the one that runs here. By
    default --distributor ray starts one that ends with the command."""
    cpus: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Cores of an item; its threads are held to them."""

    def part(self) -> Shard:
        """Return the part of the list.

        Raises:
            InputError: there is none of that name.
        """
        return WHOLE if self.shard is None else Shard.named(self.shard)

    def spread(self) -> Distributor:
        """Return who does the work.

        Raises:
            InputError: a number is out of range, or Ray is not installed.
        """
        require_within("number of cores of an item", self.cpus, 1, MOST)
        if self.ray is None and self.distributor != "ray":
            return Distributor(worker_count(self.workers), self.cpus)
        from bdmm.batch.ray_cluster import LOCAL

        workers = 0 if self.workers is None else worker_count(self.workers)
        return Distributor(workers, self.cpus, self.ray or LOCAL)


def worker_count(asked: int | None) -> int:
    """Return how many processes work; by default one per core that this process may use.

    Raises:
        InputError: it is negative or absurd.
    """
    if asked is None:
        usable = getattr(os, "sched_getaffinity", None)
        return len(usable(0)) if usable else os.cpu_count() or 1
    require_within("number of workers", asked, 0, MOST)
    return asked
