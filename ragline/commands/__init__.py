"""The command `ragline`: a group whose commands come from entry points.

Each package has its own commands, so that a container image of the service needs no code of the
pipeline. The module of a command imports little. Its function first reads the configuration and
then imports the rest, so that a wrong call or a wrong file is reported within a second. This module
contains what all commands share: --config, --json, exit statuses and logging.
"""

from __future__ import annotations

import dataclasses
import errno
import functools
import json
import logging
import os
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

import click

from ragline.errors import (
    ConfigurationError,
    DiskFullError,
    GenerationStateError,
    InvalidSearchError,
    RaglineError,
    UnknownCollectionError,
    UnknownDocumentError,
    UnknownEvaluationError,
    UnknownGenerationError,
    UnknownKeyError,
    UnknownReportError,
    UnknownSourceError,
    UnsuitableDocumentError,
)

GROUP = "ragline.commands"
CONFIG_HELP = "Configuration file. Default: RAGLINE_CONFIG, then ./ragline.yaml."
# `ragline --help` prints these texts, because an import of all commands would take seconds.
SUMMARIES = {
    "calibrate": "Fit the confidence of hits to the golden set of a collection.",
    "card": "Show the index card of a generation.",
    "check": "Check the configuration without a run.",
    "collect": "Delete data whose retention time has ended.",
    "confirm-removals": "Carry out the held removals of a source.",
    "demo": "Index the sample corpus and search it.",
    "dev": "Run the Dagster UI, the sensors and the retrieval API, until Ctrl-C.",
    "documents": "List the documents of a source with their states.",
    "eval": "Measure a collection on the queries of a golden set.",
    "evaluations": "List stored evaluations with what their figures depend on.",
    "explain": "Explain why a document is or is not a hit of a search.",
    "export": "Write all entries of a live index to a file.",
    "gate": "Judge a candidate against the live generation of a collection.",
    "generation": "List, build, approve, promote, roll back, refuse or drop generations.",
    "golden": "Show, edit, import or export golden sets.",
    "init": "Write a first ragline.yaml, for a folder or from a template.",
    "keys": "Create, list or revoke keys of the retrieval API.",
    "plan": "Show what a build of an index would do, without doing it.",
    "prove": "Compare sources, ledger and index, and list all differences.",
    "quarantine": "List quarantined documents, or release them.",
    "remove": "Delete a source and all its data, and print a receipt.",
    "reproduce": "Run a stored evaluation again and compare the figures.",
    "retry": "Retry failed documents in the next sync.",
    "search": "Search a collection.",
    "serve": "Run the retrieval API.",
    "status": "Show states, failures, clocks and alarms of sources and collections.",
    "sync": "Update the index from its sources.",
    "tune": "Propose search settings for a collection.",
    "work": "Help with the work of a sync that another process runs.",
}
# An error of these classes means that the call names something unknown or unsuitable, and that
# nothing was done.
WRONG_CALLS = (
    InvalidSearchError,
    UnknownSourceError,
    UnknownCollectionError,
    UnknownDocumentError,
    UnknownEvaluationError,
    UnknownGenerationError,
    UnknownKeyError,
    UnknownReportError,
    UnsuitableDocumentError,
    GenerationStateError,
)
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
OWN_PACKAGES = ("ragline", "assets", "dagster_project", "retrieval_api", "sql")
# Switch off telemetry and downloads in all libraries.
QUIET = {
    "DO_NOT_TRACK": "1",
    "SCARF_NO_ANALYTICS": "true",
    "UNSTRUCTURED_DISABLE_NOTICE": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "true",
}


class EntryPointGroup(click.Group):
    """A group whose commands come from entry points. A command is imported only when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(point.name for point in _points())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        point = next((point for point in _points() if point.name == cmd_name), None)
        return None if point is None else _load(point)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. If a package is missing, the error says what to install."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            names = (point for point in _points() if point.name == ctx.invoked_subcommand)
            if (point := next(names, None)) is None:
                raise
            _refuse_missing_package(point, error)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, SUMMARIES.get(name, "")) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=EntryPointGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ragline")
@click.option("--verbose", is_flag=True, help="Write the log to standard error.")
def ragline(*, verbose: bool) -> None:
    """Keep search indexes of your documents fresh, complete and checked, in Postgres."""
    handler = logging.StreamHandler(sys.stderr)
    # The level is set on the handler, because some libraries change the level of their own loggers.
    handler.setLevel(logging.INFO if verbose else logging.ERROR)
    logging.basicConfig(
        level=handler.level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=[handler],
    )


def main() -> None:
    """Run the command line and exit.

    The exit status is 0 after success, 1 after a failure, and 130 after an interruption. It is 2 if
    the call or the configuration is wrong or names something unknown; then nothing was done.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        _run_command()
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    except RaglineError as error:
        click.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(2 if isinstance(error, WRONG_CALLS) else 1)
    except BrokenPipeError:
        # The reader of the output has closed the pipe, so no message can reach it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _run_command() -> None:
    try:
        ragline(standalone_mode=False)
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        # An error without a file name can concern any of these disks.
        path = error.filename or "the standard output, of RAGLINE_HOME or of the temporary folder"
        raise DiskFullError(
            f"no space left on the disk of {path}; free space there, then run the command again "
            "(docs/runbooks/disk-full.md)"
        ) from error


def configured(command: Callable[..., None]) -> Callable[..., None]:
    """Add --config to a command, and pass the configuration as the first argument."""

    @click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        help=CONFIG_HELP,
    )
    @functools.wraps(command)
    def run(*arguments: Any, config_path: Path | None, **options: Any) -> None:
        from ragline.configuration import load_configuration  # `ragline --help` works without it

        command(load_configuration(config_path), *arguments, **options)

    return run


def json_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add --json to a command, as the argument `as_json`."""
    option = click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object to standard output."
    )
    return option(command)


def print_json(value: Any) -> None:
    """Print one JSON object as one line to standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, default=to_json))


def to_json(value: Any) -> Any:
    """Convert a value that `json` does not support: a dataclass, a time, a UUID or a path."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: getattr(value, field.name) for field in fields}
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, UUID | Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _points() -> list[EntryPoint]:
    return list(entry_points(group=GROUP))


def _load(point: EntryPoint) -> click.Command:
    try:
        command = point.load()
    except ModuleNotFoundError as error:
        _refuse_missing_package(point, error)
    assert isinstance(command, click.Command)
    return command


def _refuse_missing_package(point: EntryPoint, error: ModuleNotFoundError) -> NoReturn:
    if error.name is None or error.name.partition(".")[0] in OWN_PACKAGES:
        raise error
    extra = "service" if point.value.startswith("retrieval_api") else "pipeline"
    raise click.ClickException(
        f"`ragline {point.name}` needs the package {error.name}, which is not installed; "
        f"install ragline[{extra}]"
    ) from error
