"""A collector of OpenLineage events over HTTP, and the rules of the specification for an event."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

Event = dict[str, Any]
KINDS = {"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"}
# A URI has a scheme.
URI = re.compile(r"[a-z][a-z0-9+.-]*:\S+")


class Collector:
    """The events received so far. `refused` has what is wrong with an event of a wrong form."""

    def __init__(self) -> None:
        self.url = ""
        self.events: list[Event] = []
        self.refused: list[str] = []

    def receive(self, path: str, body: bytes) -> int:
        """Store an event; return the HTTP status."""
        event = json.loads(body)
        problems = [] if path == "/api/v1/lineage" else [f"sent to {path}"]
        problems += find_problems(event)
        self.refused += problems
        if not problems:
            self.events.append(event)
        return 422 if problems else 201


@contextmanager
def collect_events() -> Iterator[Collector]:
    """A collector on a port of this machine."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            status = collector.receive(self.path, self.rfile.read(length))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Do not write to standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def listen_silently() -> Iterator[str]:
    """The address of a collector that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def list_kinds(events: list[Event]) -> list[tuple[str, str]]:
    """The job and the kind of each event."""
    return [(event["job"]["name"], event["eventType"]) for event in events]


def find_problems(event: Event) -> list[str]:
    """What the specification of OpenLineage 2.0.2 does not allow in a run event."""
    missing = {"eventTime", "producer", "schemaURL", "run", "job"} - event.keys()
    if missing:
        return [f"an event lacks {', '.join(sorted(missing))}"]
    problems = [] if event["eventType"] in KINDS else [f"eventType {event['eventType']}"]
    if datetime.fromisoformat(event["eventTime"]).tzinfo is None:
        problems.append(f"eventTime {event['eventTime']} has no time zone")
    problems += [name for name in ("producer", "schemaURL") if not URI.fullmatch(event[name])]
    try:
        UUID(event["run"]["runId"])
    except (KeyError, ValueError) as error:
        problems.append(f"runId: {error}")
    named = [event["job"], *event.get("inputs", []), *event.get("outputs", [])]
    problems += [
        f"{one} has no {key}" for one in named for key in ("namespace", "name") if not one.get(key)
    ]
    for holder in (event["run"], *named):
        for group in ("facets", "inputFacets", "outputFacets"):
            for name, facet in (holder.get(group) or {}).items():
                problems += [
                    f"the facet {name} has no {key}"
                    for key in ("_producer", "_schemaURL")
                    if not URI.fullmatch(str(facet.get(key)))
                ]
    return problems
