"""Figures of a server for Prometheus."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from bdmm.serve.jobs import JobStore, Kind

CONTENT_TYPE = CONTENT_TYPE_LATEST


class _Jobs(Collector):
    """Counts the jobs of a store whenever it is asked."""

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("bdmm_jobs", "Jobs that are kept.", labels=("kind", "state"))
        for (kind, state), count in self._store.counts().items():
            jobs.add_metric((kind.value, state.value), count)
        yield jobs
        seconds = GaugeMetricFamily(
            "bdmm_job_seconds", "Mean duration of the last ten jobs.", labels=("kind",)
        )
        for kind in Kind:
            mean = self._store.mean_seconds(kind)
            if mean is not None:
                seconds.add_metric((kind.value,), mean)
        yield seconds


class Metrics:
    """The figures of a server: its jobs and its own process."""

    def __init__(self, store: JobStore) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Jobs(store))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return them as Prometheus reads them."""
        return generate_latest(self._registry)
