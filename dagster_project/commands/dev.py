"""`ragline dev`: the Dagster UI, the sensors and the retrieval API, until Ctrl-C."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ragline.commands import configured
from ragline.errors import ProcessError

if TYPE_CHECKING:
    from dagster_project.processes import Family, Program
    from ragline.configuration import Configuration
    from ragline.storage.database import Database

# Where the search for the code server's port begins, from the UI's port.
CODE_PORT_STEP = 1000
PORT = click.IntRange(1, 64_000)
# Where the page finds the Dagster UI, to link runs to it.
UI_VARIABLE = "RAGLINE_DAGSTER_URL"


@click.command()
@click.option("--ui-port", default=3000, show_default=True, type=PORT, help="Dagster UI.")
@click.option("--api-port", default=8000, show_default=True, type=PORT, help="Retrieval API.")
@click.option("--verbose", is_flag=True, help="Show all that the programs log.")
@configured
def dev(configuration: Configuration, ui_port: int, api_port: int, *, verbose: bool) -> None:
    """Run the Dagster UI, the sensors and the retrieval API until Ctrl-C.

    A program that ends is started again, the embedded Postgres included. Shows a line a sync and
    an alarm; the programs' own logs are in RAGLINE_HOME/logs. Nothing is left running afterwards.
    """
    if ui_port == api_port:
        raise click.UsageError(f"--ui-port and --api-port are both {ui_port}; give two ports")
    from dagster_project.processes import Stopped, stop_on_signals

    stop_on_signals()
    _refuse_taken("--ui-port", ui_port)
    _refuse_taken("--api-port", api_port)
    # Dagster takes a second to import: a taken port is told before.
    from dagster_project.instance import open_instance
    from dagster_project.unfinished_runs import end_dead_runs
    from ragline.storage.database import open_database

    try:
        with open_database(configuration) as database:
            with open_instance(configuration, database) as instance:
                end_dead_runs(instance)
            _run(configuration, database, ui_port, api_port, is_verbose=verbose)
    except Stopped:
        click.echo("stopped", err=True)


def _refuse_taken(option: str, port: int) -> None:
    from dagster_project.processes import is_port_taken

    if is_port_taken(port):
        raise ProcessError(
            f"port {port} is in use; stop what uses it, or choose another one with {option}"
        )


def _run(
    configuration: Configuration,
    database: Database,
    ui_port: int,
    api_port: int,
    *,
    is_verbose: bool,
) -> None:
    from dagster_project.instance import prepare_instance
    from dagster_project.pipeline_watch import PipelineWatch
    from dagster_project.processes import HOST, Family

    code, *others = _list_programs(configuration, ui_port, api_port)
    watch = PipelineWatch(configuration, database, _show)
    environment = {
        **os.environ,
        **prepare_instance(configuration, database),
        UI_VARIABLE: f"http://{HOST}:{ui_port}",
    }
    logs = configuration.home / "logs"
    with Family(environment, logs, _show, is_verbose, watch.is_database_there) as family:
        _start(family, [code])
        _start(family, others)
        click.echo(
            f"Dagster UI     http://{HOST}:{ui_port}\n"
            f"page           http://{HOST}:{api_port}/\n"
            f"retrieval API  http://{HOST}:{api_port}/docs\n"
            f"logs           {logs}\n"
            "Ctrl-C stops all"
        )
        sys.stdout.flush()
        family.watch_until_stopped(watch.look)


def _list_programs(configuration: Configuration, ui_port: int, api_port: int) -> list[Program]:
    """The code server, which the others need, first."""
    from dagster_project.processes import HOST, Program, find_free_port

    code_port = find_free_port(ui_port + CODE_PORT_STEP)
    workspace = _write_workspace(configuration, code_port)
    return [
        Program(
            "code",
            _module(
                "dagster", "code-server", "start", "-h", HOST, "-p", str(code_port),
                "-m", "dagster_project.definitions",
            ),
            code_port,
        ),
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
    ]  # fmt: skip


def _start(family: Family, programs: list[Program]) -> None:
    for program in programs:
        family.start(program)
    for program in programs:
        family.wait_for(program)


def _show(line: str) -> None:
    """Tell a person; a terminal that went away, or its full disk, must not end what runs."""
    with suppress(OSError):
        click.echo(f"{datetime.now():%H:%M:%S} {line}", err=True)  # noqa: DTZ005 - the person's own clock


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


def _write_workspace(configuration: Configuration, port: int) -> Path:
    """A workspace that points to the running code server: one process loads the definitions."""
    import yaml

    from dagster_project.processes import HOST

    path = configuration.home / "dagster" / "workspace.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    server = {"grpc_server": {"host": HOST, "port": port, "location_name": "ragline"}}
    path.write_text(yaml.safe_dump({"load_from": [server]}), encoding="utf-8")
    return path
