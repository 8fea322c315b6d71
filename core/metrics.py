"""What this process counts for `/metrics`; prometheus_client shares it among the processes by mapped files."""

import os
from pathlib import Path
from typing import Final

from django.conf import settings


def _share_among_processes() -> None:
    """Name the folder of the mapped files before prometheus_client is imported: it looks once, at import."""
    folder = Path(os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(settings.METRICS_DIR)))
    folder.mkdir(parents=True, exist_ok=True)


_share_among_processes()

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest  # noqa: E402  # see above
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4  # noqa: E402
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead  # noqa: E402
from prometheus_client.registry import Collector  # noqa: E402

_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})

REQUESTS: Final = Counter("nook_http_requests", "Requests answered.", ["route", "method", "status"])
ERRORS: Final = Counter("nook_http_errors", "Requests answered with 5xx.", ["route", "method", "status"])
SECONDS: Final = Histogram(
    "nook_http_request_seconds",
    "Time from the first to the last line of our code.",
    ["route", "method", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
ACTIVE: Final = Gauge(
    "nook_http_active_requests", "Requests being worked on.", ["service"], multiprocess_mode="livesum"
)
RATE_LIMITED: Final = Counter("nook_rate_limited", "Requests refused by a bucket.", ["scope"])
CACHE_HITS: Final = Counter("nook_cache_hits", "Values found in the cache.", ["namespace"])
CACHE_MISSES: Final = Counter("nook_cache_misses", "Values that had to be made.", ["namespace"])
OUTBOUND: Final = Counter("nook_outbound_requests", "Requests to other servers.", ["outcome"])
REPLICA_READS: Final = Counter("nook_replica_reads", "Reads offered to a replica.", ["replica", "outcome"])

_children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}


def count_request(route: str, method: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    # A stranger can invent methods without end; neither this table nor a series may grow with them.
    method = method if method in _METHODS else "OTHER"
    key = (route, method, status)
    children = _children.get(key)
    if children is None:
        labels = (route, method, str(status))
        children = _children.setdefault(key, (REQUESTS.labels(*labels), SECONDS.labels(*labels)))
    children[0].inc()
    children[1].observe(seconds)
    if status >= 500:
        ERRORS.labels(route, method, str(status)).inc()


def exposition(*looked_up: Collector) -> tuple[bytes, str]:
    """Return what every process of this server counted, and what is `looked_up`, in Prometheus' text format.

    The second value is the format's media type.
    """
    _forget_dead_processes()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    for collector in looked_up:
        registry.register(collector)
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


def _forget_dead_processes() -> None:
    # A killed process leaves its share of the gauges behind; its counters stay true.
    for path in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob("gauge_live*_*.db"):
        process_id = path.stem.rpartition("_")[2]
        if not Path(f"/proc/{process_id}").exists() and Path("/proc").exists():
            mark_process_dead(int(process_id))
