"""The SDK of OpenTelemetry is set up only if its environment variables ask for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ragline.telemetry import current_trace_id, set_span_attributes, span, traced
from retrieval_api.observation.telemetry import choose_exporter

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    ("variables", "traces", "metrics"),
    [
        ({}, "none", "none"),
        ({"OTEL_SERVICE_NAME": "x"}, "none", "none"),
        (ENDPOINT, "otlp", "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/v1/traces"}, "otlp", "none"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "otlp", "none"),
        ({"OTEL_METRICS_EXPORTER": "console"}, "none", "console"),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, "none", "otlp"),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "true"}, "none", "none"),
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "otlp", "otlp"),
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "none", "none"),
        (
            {
                **ENDPOINT,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            },
            "otlp",
            "none",
        ),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "none", "none"),
    ],
)
def test_exporter_is_what_the_environment_asks_for(
    variables: dict[str, str], traces: str, metrics: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert choose_exporter("TRACES") == traces
    assert choose_exporter("METRICS") == metrics


def test_unsupported_exporter_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    choose_exporter("TRACES")
    (record,) = caplog.records
    assert vars(record)["fields"]["value"] == "zipkin"


def test_sdk_is_not_imported_by_default() -> None:
    script = (
        "import sys, retrieval_api.commands\n"
        "from retrieval_api.observation.telemetry import exported_telemetry\n"
        "with exported_telemetry(): pass\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_spans_without_an_sdk_change_nothing() -> None:
    @traced("stage")
    def double(value: int) -> int:
        set_span_attributes(generation=1)
        return 2 * value

    with span("search", collection="c"):
        assert double(4) == 8
    assert current_trace_id() is None
    with pytest.raises(ValueError, match="mine"), span("search"):
        raise ValueError("mine")
