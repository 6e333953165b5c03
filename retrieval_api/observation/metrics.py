"""The metrics of the service, for Prometheus and OpenTelemetry.

Each app has its own registry. Labels are endpoints, statuses, modes, stages, collections and kinds
of feedback. A label is never a query, a document, a caller or a path from a caller. The metrics of
the pipeline are in `pipeline_metrics`.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Iterable, Iterator
from importlib.metadata import version

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ragline.search.messages import SearchAnswer, SearchRequest
from ragline.search.recording import FeedbackKind, is_stale
from ragline.storage.connections import read_pool_usage
from ragline.storage.database import Database
from ragline.telemetry import INSTRUMENTATION_SCOPE
from retrieval_api.observation.pipeline_metrics import PipelineMetrics
from retrieval_api.records.recorder import Recorder

ABSTAINED = "Searches that found hits, all of them with a confidence below `min_confidence`."
STAGES = ("embed", "retrieve", "rerank", "total")
# A search usually takes 5 to 50 ms. The default time limit of a search is 10 s.
DURATION_BUCKETS_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
HOUR_S, DAY_S = 3_600, 86_400
AGE_BUCKETS_S = (
    60, 600, HOUR_S, 6 * HOUR_S, DAY_S, 7 * DAY_S, 30 * DAY_S, 90 * DAY_S, 365 * DAY_S,
)  # fmt: skip


class ServiceMetrics:
    """The metrics of one app. Several threads can use them."""

    def __init__(
        self,
        recorder: Recorder,
        find_database: Callable[[], Database | None],
        configured_sources: Collection[str] = (),
    ) -> None:
        self.registry = CollectorRegistry()
        self.pipeline = PipelineMetrics(find_database, configured_sources)
        registry = self.registry
        self._requests = Counter(
            "ragline_http_requests_total",
            "Answered requests.",
            ("endpoint", "method", "status"),
            registry=registry,
        )
        self._durations = Histogram(
            "ragline_http_request_duration_seconds",
            "Time from the first byte of a request to the last byte of its response.",
            ("endpoint", "method"),
            buckets=DURATION_BUCKETS_S,
            registry=registry,
        )
        self._stages = Histogram(
            "ragline_search_stage_duration_seconds",
            "Time of each stage of a search. The stage `total` is the whole search.",
            ("stage", "mode"),
            buckets=DURATION_BUCKETS_S,
            registry=registry,
        )
        self._searches = _count(registry, "searches", "Answered searches.", "mode")
        self._zero_results = _count(registry, "zero_results", "Searches that found nothing.")
        self._abstained = _count(registry, "abstained", ABSTAINED)
        self._hits = _count(registry, "hits", "Returned hits.")
        self._stale_hits = _count(registry, "stale_hits", "Returned hits that were stale.")
        self._ages = Histogram(
            "ragline_hit_age_seconds",
            "Age of each returned hit: the time since its document changed. If this time is not "
            "known, the time since the document was indexed.",
            ("collection",),
            buckets=AGE_BUCKETS_S,
            registry=registry,
        )
        self._feedback = Counter(
            "ragline_feedback_total", "Recorded feedback.", ("kind",), registry=registry
        )
        self._shadow_reads = _count_shadow_reads(registry)
        self._canary_searches = _count_canary_searches(registry)
        self._generations = Gauge(
            "ragline_generation_served",
            "The generation of the last search in a collection.",
            ("collection",),
            registry=registry,
        )
        Info("ragline_build", "The running version.", registry=registry).info(
            {"version": version("ragline"), "python": platform.python_version()}
        )
        registry.register(_CurrentState(recorder, find_database))
        registry.register(self.pipeline)
        self._exported = _Exported(recorder)

    def observe_request(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        """Count an answered request. `endpoint` is the declared path of the route."""
        self._requests.labels(endpoint, method, str(status)).inc()
        self._durations.labels(endpoint, method).observe(seconds)
        self._exported.requests.record(
            seconds,
            {
                "http.route": endpoint,
                "http.request.method": method,
                "http.response.status_code": status,
            },
        )

    def observe_search(self, request: SearchRequest, answer: SearchAnswer) -> None:
        """Count an answered search, its stages and its hits."""
        collection = answer.collection
        self._searches.labels(collection, request.mode).inc()
        self._hits.labels(collection).inc(len(answer.hits))
        # The counters are also increased by 0. A counter that first appears with its first event
        # would hide this event.
        self._zero_results.labels(collection).inc(answer.has_found_nothing)
        self._abstained.labels(collection).inc(answer.is_abstained)
        self._stale_hits.labels(collection).inc(sum(map(is_stale, answer.hits)))
        self._generations.labels(collection).set(answer.generation)
        ages = self._ages.labels(collection)
        for hit in answer.hits:
            ages.observe(max(hit.receipt.age_seconds, 0.0))
        for stage in STAGES:
            if is_in_use(stage, request):
                seconds = getattr(answer.took_ms, stage) / 1e3
                self._stages.labels(stage, request.mode).observe(seconds)
                self._exported.stages.record(seconds, {"stage": stage, "mode": request.mode})
        self._exported.observe_hits(answer)

    def observe_shadow_read(self, collection: str, outcome: str) -> None:
        """Count a search that was selected for a shadow read, by the outcome of the shadow read."""
        self._shadow_reads.labels(collection, outcome).inc()

    def observe_canary(self, collection: str, outcome: str) -> None:
        """Count a search whose caller belongs to the canary, by its outcome."""
        self._canary_searches.labels(collection, outcome).inc()

    def observe_feedback(self, kind: FeedbackKind) -> None:
        """Count recorded feedback."""
        self._feedback.labels(kind).inc()
        self._exported.feedback.add(1, {"kind": kind})


def is_in_use(stage: str, request: SearchRequest) -> bool:
    """Whether a search uses a stage. For a stage that it does not use, no time is recorded."""
    if stage == "embed":
        return request.mode != "keyword"
    return stage != "rerank" or bool(request.rerank)


def _count(registry: CollectorRegistry, name: str, about: str, *labels: str) -> Counter:
    return Counter(f"ragline_{name}_total", about, ("collection", *labels), registry=registry)


def _count_shadow_reads(registry: CollectorRegistry) -> Counter:
    about = (
        "Searches of the sample for shadow reads. `outcome` is `compared`, `failed` (only the "
        "candidate failed), `dropped` (too many waited), or `skipped` (the candidate could not be "
        "searched now)."
    )
    return _count(registry, "shadow_reads", about, "outcome")


def _count_canary_searches(registry: CollectorRegistry) -> Counter:
    about = (
        "Searches of callers of the canary. `outcome` is `served` (the candidate answered), or "
        "`failed` (the candidate failed, and the live generation answered)."
    )
    return _count(registry, "canary_searches", about, "outcome")


class _CurrentState(Collector):
    """Metrics that are read at each scrape: the buffer of records and the connection pool."""

    def __init__(self, recorder: Recorder, find_database: Callable[[], Database | None]) -> None:
        self._recorder = recorder
        self._find_database = find_database

    def collect(self) -> Iterable[Metric]:
        recorder = self._recorder
        lost = CounterMetricFamily(
            "ragline_records_lost", "Answered searches whose record was lost.", labels=["reason"]
        )
        for reason, count in recorder.lost_counts.items():
            lost.add_metric([reason], count)
        yield lost
        yield CounterMetricFamily(
            "ragline_records_written", "Recorded searches.", recorder.written_count
        )
        yield GaugeMetricFamily(
            "ragline_records_waiting", "Records that are not written yet.", recorder.waiting_count
        )
        yield GaugeMetricFamily(
            "ragline_records_capacity", "The maximum number of waiting records.", recorder.capacity
        )
        database = self._find_database()
        in_use, limit = (0, 0) if database is None else read_pool_usage(database)
        yield GaugeMetricFamily(
            "ragline_database_connections_in_use",
            "Connections of the pool that are in use.",
            in_use,
        )
        yield GaugeMetricFamily(
            "ragline_database_connections_limit", "The maximum size of the pool.", limit
        )


class _Exported:
    """The metrics for OpenTelemetry.

    They are exported only if the SDK of OpenTelemetry is configured.
    """

    def __init__(self, recorder: Recorder) -> None:
        meter = metrics.get_meter(INSTRUMENTATION_SCOPE)
        self.requests = meter.create_histogram("http.server.request.duration", "s")
        self.stages = meter.create_histogram("ragline.search.stage.duration", "s")
        self.feedback = meter.create_counter("ragline.feedback")
        self._hits = meter.create_counter("ragline.hits")
        self._zero_results = meter.create_counter("ragline.zero_results")
        self._abstained = meter.create_counter("ragline.abstained")
        self._stale_hits = meter.create_counter("ragline.stale_hits")

        def read_lost(_options: CallbackOptions) -> Iterator[Observation]:
            for reason, count in recorder.lost_counts.items():
                yield Observation(count, {"reason": reason})

        def read_waiting(_options: CallbackOptions) -> Iterator[Observation]:
            yield Observation(recorder.waiting_count)

        meter.create_observable_counter("ragline.records.lost", [read_lost])
        meter.create_observable_gauge("ragline.records.waiting", [read_waiting])

    def observe_hits(self, answer: SearchAnswer) -> None:
        attributes = {"collection": answer.collection}
        self._hits.add(len(answer.hits), attributes)
        self._zero_results.add(answer.has_found_nothing, attributes)
        self._abstained.add(answer.is_abstained, attributes)
        self._stale_hits.add(sum(map(is_stale, answer.hits)), attributes)
