"""Lineage: when events are wanted, names of datasets and runs, and a client that fails."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from uuid import UUID

import pytest
from lineage_collector import collect_events

from ragline.lineage.activation import is_configured
from ragline.lineage.emitter import CLOSE_WAIT_S, LineageEmitter
from ragline.lineage.facts import (
    DatasetName,
    RunFacts,
    SourceFacts,
    make_job_uuid,
    make_run_uuid,
    name_source,
)

RUN = "0f0f0f0f-0000-4000-8000-000000000001"


def make_facts(run_id: str = RUN) -> RunFacts:
    source = SourceFacts("files", "files", "/data/notes", "default")
    return RunFacts(
        "START", datetime.now(UTC), run_id, "notes.files", "notes", "default", "parser", "0.5.0",
        (source,),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OPENLINEAGE_URL": "http://localhost"}, True),
        ({"OPENLINEAGE_URL": "http://localhost", "OPENLINEAGE_DISABLED": "true"}, False),
        ({"OPENLINEAGE__TRANSPORT__TYPE": "console"}, True),
        ({"OPENLINEAGE_CONFIG": "nowhere.yml"}, False),
        ({"OPENLINEAGE_NAMESPACE": "prod"}, False),
    ],
)
def test_environment_decides_whether_events_are_wanted(
    environment: dict[str, str], wanted: bool, tmp_path: Path
) -> None:
    assert is_configured(environment, [tmp_path]) is wanted


def test_file_of_the_client_switches_events_on(tmp_path: Path) -> None:
    (tmp_path / "openlineage.yml").write_text("transport: {type: console}\n", "utf-8")
    assert is_configured({}, [tmp_path])
    assert is_configured({"OPENLINEAGE_CONFIG": str(tmp_path / "openlineage.yml")}, [])


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/data/notes", DatasetName("file", "/data/notes")),
        ("s3://bucket/folder", DatasetName("s3://bucket", "folder")),
        ("https://user:secret@example.org:8443/", DatasetName("https://example.org:8443", "/")),
        ("", DatasetName("ragline", "files")),
    ],
)
def test_address_of_a_source_names_its_dataset(address: str, expected: DatasetName) -> None:
    assert name_source(SourceFacts("files", "files", address, "default")) == expected


def test_run_id_that_is_a_uuid_stays_visible() -> None:
    assert make_run_uuid(RUN) == UUID(RUN)
    assert make_run_uuid("build-1") == make_run_uuid("build-1") != make_run_uuid("build-2")
    assert make_job_uuid(RUN, "a") == make_job_uuid(RUN, "a") != make_job_uuid(RUN, "b")


def test_process_without_a_configuration_never_imports_the_client() -> None:
    program = "import sys, ragline.lifecycle.run_context; print('openlineage' in sys.modules)"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENLINEAGE")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stdout.strip() == "False"


def test_event_reaches_the_collector_and_leaves_no_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with collect_events() as collector:
        monkeypatch.setenv("OPENLINEAGE_URL", collector.url)
        monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "prod")
        before = dict(os.environ)
        emitter = LineageEmitter()
        emitter.emit(make_facts())
        emitter.close()
        assert dict(os.environ) == before
    assert collector.refused == []
    (event,) = collector.events
    assert (event["eventType"], event["job"]["namespace"]) == ("START", "prod")
    assert event["run"]["facets"]["parent"]["run"]["runId"] == RUN
    assert "sourceCodeLocation" not in event["job"]["facets"]


def test_refused_connection_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    started = monotonic()
    with caplog.at_level(logging.WARNING, "ragline.lineage"):
        emitter = LineageEmitter()
        for _ in range(3):
            emitter.emit(make_facts())
        assert monotonic() - started < 0.5
        emitter.close()
    assert monotonic() - started < CLOSE_WAIT_S + 1
    own = [record for record in caplog.records if record.name.startswith("ragline")]
    assert len(own) == 1
    assert "lineage events were not delivered" in own[0].getMessage()


def test_wrong_configuration_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "pigeon")
    with caplog.at_level(logging.WARNING, "ragline.lineage"):
        emitter = LineageEmitter()
        emitter.emit(make_facts())
        emitter.close()
    (record,) = [one for one in caplog.records if one.name.startswith("ragline")]
    assert "the client cannot be created" in record.getMessage()
