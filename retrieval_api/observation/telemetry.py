"""Configures OpenTelemetry's SDK from its standard environment variables.

The SDK itself reads OTEL_EXPORTER_OTLP_ENDPOINT and _HEADERS, OTEL_SERVICE_NAME,
OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER, OTEL_BSP_* and OTEL_METRIC_EXPORT_INTERVAL. Spans and
metrics are defined in `ragline.telemetry` and `metrics`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

from opentelemetry import metrics, trace

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger(__name__)

Signal = Literal["TRACES", "METRICS"]
EXPORTERS = ("otlp", "console", "none")
PROTOCOL = "http/protobuf"


@contextmanager
def exported_telemetry() -> Iterator[None]:
    """Export traces and metrics during the block, as the environment variables say.

    Without these variables, nothing is exported. Call this once in a process. An unsupported
    exporter or protocol is logged, and the service starts without it.
    """
    providers: list[TracerProvider | MeterProvider] = []
    exporter = choose_exporter("TRACES")
    if exporter != "none":
        tracers = _build_tracers(exporter)
        trace.set_tracer_provider(tracers)
        providers.append(tracers)
    exporter = choose_exporter("METRICS")
    if exporter != "none":
        meters = _build_meters(exporter)
        metrics.set_meter_provider(meters)
        providers.append(meters)
    try:
        yield
    finally:
        for provider in providers:
            provider.shutdown()


def choose_exporter(signal: Signal) -> str:
    """Return the exporter that the environment selects for a signal: `otlp`, `console` or `none`.

    An endpoint without an exporter means `otlp`, as in OpenTelemetry's specification. An
    unsupported exporter or protocol means `none`.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return "none"
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    has_endpoint = any(os.environ.get(name) for name in endpoints)
    name = f"OTEL_{signal}_EXPORTER"
    exporter = os.environ.get(name) or ("otlp" if has_endpoint else "none")
    if exporter not in EXPORTERS:
        _refuse(name, exporter, EXPORTERS)
        return "none"
    protocols = (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    for name in protocols if exporter == "otlp" else ():
        stated = os.environ.get(name)
        if stated and stated != PROTOCOL:
            _refuse(name, stated, (PROTOCOL,))
            return "none"
        if stated:
            break
    return exporter


def _refuse(name: str, value: str, allowed: tuple[str, ...]) -> None:
    fields = {"variable": name, "value": value, "allowed": list(allowed)}
    logger.warning("telemetry is not exported", extra={"fields": fields})


# The SDK and its exporters take half a second to import, so they are imported only when needed.


def _build_resource() -> Resource:
    from opentelemetry.sdk.resources import Resource

    is_named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    named = {} if is_named else {"service.name": "ragline"}
    return Resource.create({**named, "service.version": version("ragline")})


def _build_tracers(exporter: str) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    provider = TracerProvider(resource=_build_resource())
    chosen = OTLPSpanExporter() if exporter == "otlp" else ConsoleSpanExporter()
    provider.add_span_processor(BatchSpanProcessor(chosen))
    return provider


def _build_meters(exporter: str) -> MeterProvider:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import (
        ConsoleMetricExporter,
        PeriodicExportingMetricReader,
    )

    chosen = OTLPMetricExporter() if exporter == "otlp" else ConsoleMetricExporter()
    return MeterProvider([PeriodicExportingMetricReader(chosen)], resource=_build_resource())
