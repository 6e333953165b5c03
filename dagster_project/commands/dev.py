"""`ragline dev`: runs the Dagster UI, the sensors and the retrieval API until Ctrl-C."""

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
    from dagster_project.processes import ProcessGroup, Program
    from ragline.configuration import Configuration
    from ragline.storage.database import Database

# The code server uses the first free port that is at least the UI's port plus this number.
CODE_PORT_OFFSET = 1000
PORT = click.IntRange(1, 64_000)
# This variable has the address of the Dagster UI. The page uses it in links to runs.
UI_VARIABLE = "RAGLINE_DAGSTER_URL"


@click.command()
@click.option(
    "--ui-port", default=3000, show_default=True, type=PORT, help="Port of the Dagster UI."
)
@click.option(
    "--api-port", default=8000, show_default=True, type=PORT, help="Port of the retrieval API."
)
@click.option("--verbose", is_flag=True, help="Show all log lines of the programs.")
@configured
def dev(configuration: Configuration, ui_port: int, api_port: int, *, verbose: bool) -> None:
    """Run the Dagster UI, the sensors and the retrieval API until Ctrl-C.

    The command restarts a program that ends, and the embedded Postgres too. It prints one line for
    each sync with changes and for each alarm. The logs of the programs are in RAGLINE_HOME/logs.
    Ctrl-C stops all programs.
    """
    if ui_port == api_port:
        raise click.UsageError(f"--ui-port and --api-port are both {ui_port}; give two ports")
    from dagster_project.processes import StopRequested, stop_on_signals

    stop_on_signals()
    _check_port_is_free("--ui-port", ui_port)
    _check_port_is_free("--api-port", api_port)
    # The import of Dagster takes a second. It comes after the check of the ports, so that a port in
    # use is reported at once.
    from dagster_project.instance import end_dead_runs, open_instance
    from ragline.storage.database import open_database

    try:
        with open_database(configuration) as database:
            with open_instance(configuration, database) as instance:
                end_dead_runs(instance)
            _run(configuration, database, ui_port, api_port, is_verbose=verbose)
    except StopRequested:
        click.echo("stopped", err=True)


def _check_port_is_free(option: str, port: int) -> None:
    from dagster_project.processes import is_port_taken

    if is_port_taken(port):
        raise ProcessError(
            f"port {port} is in use; stop the program that uses it, or set another with {option}"
        )


def _run(
    configuration: Configuration,
    database: Database,
    ui_port: int,
    api_port: int,
    *,
    is_verbose: bool,
) -> None:
    from dagster_project.dev_status_lines import PipelineWatch
    from dagster_project.instance import prepare_instance
    from dagster_project.processes import HOST, ProcessGroup

    code, *others = _list_programs(configuration, ui_port, api_port)
    watch = PipelineWatch(configuration, database, _show)
    environment = {
        **os.environ,
        **prepare_instance(configuration, database),
        UI_VARIABLE: f"http://{HOST}:{ui_port}",
    }
    logs = configuration.home / "logs"
    may_start = watch.is_database_available
    with ProcessGroup(environment, logs, _show, is_verbose, may_start) as group:
        _start(group, [code])
        _start(group, others)
        click.echo(
            f"Dagster UI     http://{HOST}:{ui_port}\n"
            f"page           http://{HOST}:{api_port}/\n"
            f"retrieval API  http://{HOST}:{api_port}/docs\n"
            f"logs           {logs}\n"
            "Ctrl-C stops all"
        )
        sys.stdout.flush()
        group.watch_until_stopped(watch.poll)


def _list_programs(configuration: Configuration, ui_port: int, api_port: int) -> list[Program]:
    """Return the programs to run. The code server is the first, because the others need it."""
    from dagster_project.dagster_internals import DAEMON_MODULE
    from dagster_project.processes import HOST, Program, find_free_port

    code_port = find_free_port(ui_port + CODE_PORT_OFFSET)
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
        Program("daemon", _module(DAEMON_MODULE, "run", "-w", str(workspace))),
        Program(
            "api",
            _module("ragline", "serve", "--host", HOST, "--port", str(api_port)),
            api_port,
            "/readyz",
        ),
    ]  # fmt: skip


def _start(group: ProcessGroup, programs: list[Program]) -> None:
    for program in programs:
        group.start(program)
    for program in programs:
        group.wait_for(program)


def _show(line: str) -> None:
    """Print a line with the time. A closed terminal or a full disk must not end the programs."""
    with suppress(OSError):
        click.echo(f"{datetime.now():%H:%M:%S} {line}", err=True)  # noqa: DTZ005 - local time


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


def _write_workspace(configuration: Configuration, port: int) -> Path:
    """Write a workspace that names the running code server; return its path.

    So the code server is the only process that loads the definitions.
    """
    import yaml

    from dagster_project.processes import HOST

    path = configuration.home / "dagster" / "workspace.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    server = {"grpc_server": {"host": HOST, "port": port, "location_name": "ragline"}}
    path.write_text(yaml.safe_dump({"load_from": [server]}), encoding="utf-8")
    return path
