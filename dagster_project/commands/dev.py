"""`ragline dev`: the Dagster UI, the sensors and the retrieval API, until Ctrl-C."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click
import yaml

from dagster_project.instance import prepare_instance
from dagster_project.processes import Family, Program, Stopped, is_port_taken, stop_on_signals
from ragline.commands import configured
from ragline.configuration import Configuration
from ragline.storage.database import open_database

CODE_PORT_STEP = 1000
HOST = "127.0.0.1"


@click.command()
@click.option("--ui-port", default=3000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--api-port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@configured
def dev(configuration: Configuration, ui_port: int, api_port: int) -> None:
    """Run the Dagster UI, the sensors and the retrieval API until Ctrl-C.

    Nothing is left running afterwards, the embedded Postgres included.
    """
    stop_on_signals()
    try:
        with open_database(configuration) as database:
            environment = {**os.environ, **prepare_instance(configuration, database)}
            if configuration.database_url is None:
                # The children join the embedded server by its folder, as this process did.
                environment["RAGLINE_HOME"] = str(configuration.home)
            environment["DAGSTER_DISABLE_TELEMETRY"] = "1"
            with Family(environment) as family:
                _run(family, configuration, ui_port, api_port)
    except Stopped:
        click.echo("stopped", err=True)


def _run(family: Family, configuration: Configuration, ui_port: int, api_port: int) -> None:
    code_port = _free_port(ui_port + CODE_PORT_STEP)
    workspace = _write_workspace(configuration, code_port)
    programs = [
        Program("code", _module("dagster", "code-server", "start", "-h", HOST, "-p", str(code_port),
                                "-m", "dagster_project.definitions"), code_port),
        Program("ui", _module("dagster_webserver", "-h", HOST, "-p", str(ui_port),
                              "-w", str(workspace)), ui_port),
        Program("daemon", _module("dagster._daemon", "run", "-w", str(workspace))),
        Program("api", _module("ragline", "serve", "--host", HOST, "--port", str(api_port)),
                api_port),
    ]  # fmt: skip
    for program in programs:
        family.start(program)
        if program.name == "code":
            family.wait_for_port(program)
    for program in programs:
        if program.port is not None:
            family.wait_for_port(program)
    click.echo(
        f"Dagster UI     http://{HOST}:{ui_port}\n"
        f"retrieval API  http://{HOST}:{api_port}/docs\n"
        "Ctrl-C stops both"
    )
    sys.stdout.flush()
    while True:
        family.check()
        time.sleep(0.5)


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


def _free_port(port: int) -> int:
    while is_port_taken(port):
        port += 1
    return port


def _write_workspace(configuration: Configuration, port: int) -> Path:
    """A workspace that points to the running code server: one process loads the definitions."""
    path = configuration.home / "dagster" / "workspace.yaml"
    server = {"grpc_server": {"host": HOST, "port": port, "location_name": "ragline"}}
    path.write_text(yaml.safe_dump({"load_from": [server]}), encoding="utf-8")
    return path
