"""`ragline dev`: the Dagster UI, the sensors and the retrieval API, until Ctrl-C."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import yaml

from dagster_project.instance import open_instance, prepare_instance
from dagster_project.processes import (
    HOST,
    Family,
    Program,
    Stopped,
    find_free_port,
    is_port_taken,
    stop_on_signals,
)
from dagster_project.unfinished_runs import end_dead_runs
from ragline.commands import configured
from ragline.configuration import Configuration
from ragline.errors import ProcessError
from ragline.storage.database import Database, open_database

# Where the search for the code server's port begins, from the UI's port.
CODE_PORT_STEP = 1000
PORT = click.IntRange(1, 64_000)


@click.command()
@click.option("--ui-port", default=3000, show_default=True, type=PORT, help="Dagster UI.")
@click.option("--api-port", default=8000, show_default=True, type=PORT, help="Retrieval API.")
@configured
def dev(configuration: Configuration, ui_port: int, api_port: int) -> None:
    """Run the Dagster UI, the sensors and the retrieval API until Ctrl-C.

    Nothing is left running afterwards, the embedded Postgres included.
    """
    stop_on_signals()
    _refuse_taken("--ui-port", ui_port)
    _refuse_taken("--api-port", api_port)
    try:
        with open_database(configuration) as database:
            with open_instance(configuration, database) as instance:
                end_dead_runs(instance)
            _run(configuration, database, ui_port, api_port)
    except Stopped:
        click.echo("stopped", err=True)


def _refuse_taken(option: str, port: int) -> None:
    if is_port_taken(port):
        raise ProcessError(
            f"port {port} is in use; stop what uses it, or choose another one with {option}"
        )


def _run(configuration: Configuration, database: Database, ui_port: int, api_port: int) -> None:
    code_port = find_free_port(ui_port + CODE_PORT_STEP)
    workspace = _write_workspace(configuration, code_port)
    code = Program(
        "code",
        _module(
            "dagster", "code-server", "start", "-h", HOST, "-p", str(code_port),
            "-m", "dagster_project.definitions",
        ),
        code_port,
    )  # fmt: skip
    others = [
        Program(
            "ui",
            _module("dagster_webserver", "-h", HOST, "-p", str(ui_port), "-w", str(workspace)),
            ui_port,
            "/server_info",
        ),
        Program("daemon", _module("dagster._daemon", "run", "-w", str(workspace))),
        Program(
            "api",
            _module("ragline", "serve", "--host", HOST, "--port", str(api_port)),
            api_port,
            "/readyz",
        ),
    ]
    with Family({**os.environ, **prepare_instance(configuration, database)}) as family:
        _start(family, [code])
        _start(family, others)
        click.echo(
            f"Dagster UI     http://{HOST}:{ui_port}\n"
            f"retrieval API  http://{HOST}:{api_port}/docs\n"
            "Ctrl-C stops both"
        )
        sys.stdout.flush()
        while True:
            family.watch(0.5)


def _start(family: Family, programs: list[Program]) -> None:
    for program in programs:
        family.start(program)
    for program in programs:
        family.wait_for(program)


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


def _write_workspace(configuration: Configuration, port: int) -> Path:
    """A workspace that points to the running code server: one process loads the definitions."""
    path = configuration.home / "dagster" / "workspace.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    server = {"grpc_server": {"host": HOST, "port": port, "location_name": "ragline"}}
    path.write_text(yaml.safe_dump({"load_from": [server]}), encoding="utf-8")
    return path
