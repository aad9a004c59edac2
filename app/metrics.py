"""Prometheus metrics of one application; each has a registry of its own, none is global."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 10.0)
COUNTS = (0, 1, 2, 4, 8, 16, 32, 64, 128)


GAUGES = {
    "tillsight_queue_depth": "Calls that wait for the inference thread",
    "tillsight_index_views": "Vectors in the index of this process",
    "tillsight_index_revision": "Catalogue revision that the index has read",
    "tillsight_catalog_revision": "Catalogue revision in the database",
    "tillsight_index_lag": "Revisions that the index is behind the database",
    "tillsight_database_up": "1 if the database answered this scrape",
}


class _Collector(Collector):
    """Reads the gauges when Prometheus asks, so that nothing has to keep them current."""

    def __init__(self, read: Callable[[], dict[str, float]]) -> None:
        self._read = read

    def describe(self) -> Iterator[Metric]:
        for name, text in GAUGES.items():
            yield GaugeMetricFamily(name, text)

    def collect(self) -> Iterator[Metric]:
        values = self._read()
        for name, text in GAUGES.items():
            if name in values:
                yield GaugeMetricFamily(name, text, value=values[name])


class Metrics:
    """Counters and histograms of one application, and the gauges that it reads on a scrape."""

    def __init__(self, gauges: Callable[[], dict[str, float]]) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.registry)
        self.registry.register(_Collector(gauges))
        self._requests = Counter(
            "tillsight_http_requests",
            "HTTP requests by route template and status",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "tillsight_http_request_seconds",
            "Time to the last byte of the answer",
            ("method", "route"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._stages = Histogram(
            "tillsight_stage_seconds",
            "Time per stage of a recognition",
            ("stage",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._decisions = Counter(
            "tillsight_decisions",
            "Objects by decision",
            ("decision",),
            registry=self.registry,
        )
        self._objects = Histogram(
            "tillsight_objects",
            "Objects per recognised photo",
            buckets=COUNTS,
            registry=self.registry,
        )
        self._batches = Histogram(
            "tillsight_batch_size",
            "Rows per batch that a network ran",
            ("network",),
            buckets=COUNTS[1:],
            registry=self.registry,
        )
        self._enrolled = Counter(
            "tillsight_views_enrolled", "Reference views stored", registry=self.registry
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one finished request; `route` is the template, never the raw path."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def recognition(self, timings_ms: dict[str, float], outcomes: list[str]) -> None:
        """Count one recognised photo: milliseconds per stage and the decision per object."""
        for stage, milliseconds in timings_ms.items():
            self._stages.labels(stage).observe(milliseconds / 1000.0)
        self._objects.observe(len(outcomes))
        for outcome in outcomes:
            self._decisions.labels(outcome).inc()

    def batch(self, network: str, rows: int) -> None:
        """Count one batch that ran on the device."""
        self._batches.labels(network).observe(rows)

    def enrolled(self, views: int) -> None:
        """Count stored reference views."""
        self._enrolled.inc(views)

    def render(self) -> bytes:
        """The page of /metrics."""
        return generate_latest(self.registry)
