"""`ragline check`: finds out, without a run, whether this machine can use the configuration.

This module imports neither Dagster nor the runtime of a model. It queries the database if one is
running, and never starts one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ragline.commands import CONFIG_HELP, json_option, print_json
from ragline.configuration import Configuration, load_configuration
from ragline.configuration.checks import POSTGRES_LANGUAGES, Fault, find_faults
from ragline.errors import ConfigurationError

if TYPE_CHECKING:
    from ragline.storage.database import Database

# The command prints this text if no database with Ragline's tables answers.
UNCHECKED = (
    "no database with documents is running, so languages were checked against the list built into "
    "Postgres, and the document ids of golden sets were not checked"
)


@click.command()
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help=CONFIG_HELP,
)
@json_option
def check(config_path: Path | None, *, as_json: bool) -> None:
    """Check the configuration, with its models, languages, paths and golden sets.

    The command prints one line for each configuration error, with file, line number and the
    allowed values. If an operator must decide about a generation, a notice says so. The exit status
    is 2 if the configuration cannot be used. Otherwise it is 0, even if there are warnings.
    """
    is_database_asked = False
    notices: dict[str, str] = {}
    try:
        configuration = load_configuration(config_path)
    except ConfigurationError as error:
        faults = _read_error(error)
        path = error.path
    else:
        path = configuration.path
        faults, notices, is_database_asked = _find_faults(configuration)
    is_usable = all(fault.severity == "warning" for fault in faults)
    if as_json:
        print_json(
            {
                "ok": is_usable,
                "path": path,
                "is_database_asked": is_database_asked,
                "faults": [_describe(fault) for fault in faults],
                "notices": notices,
            }
        )
    else:
        _print_faults(faults, path, is_database_asked=is_database_asked)
        for name, notice in notices.items():
            click.echo(f"notice: collection {name}: {notice}")
    sys.exit(0 if is_usable else 2)


def _print_faults(faults: list[Fault], path: Path | None, *, is_database_asked: bool) -> None:
    for fault in faults:
        prefix = "warning: " if fault.severity == "warning" else ""
        click.echo(f"{prefix}{fault.text}", err=True)
    if not any(fault.severity == "error" for fault in faults):
        asked = "" if is_database_asked else f"; {UNCHECKED}"
        click.echo(f"{path} can be used{asked}")


def _find_faults(configuration: Configuration) -> tuple[list[Fault], dict[str, str], bool]:
    """Return the faults, the notices by collection, and whether a database was queried."""
    with _reach_database(configuration) as database:
        if database is None:
            return find_faults(configuration, POSTGRES_LANGUAGES), {}, False
        from ragline.evaluation.golden_check import find_golden_faults
        from ragline.lifecycle.generation_notices import read_notices
        from ragline.lifecycle.settings_refusal import list_languages

        faults = find_faults(configuration, list_languages(database))
        faults += find_golden_faults(configuration, database)
        return faults, read_notices(database, configuration), True


@contextmanager
def _reach_database(configuration: Configuration) -> Iterator[Database | None]:
    """Yield the database, or None if it does not answer or lacks Ragline's tables.

    The database is neither started nor migrated.
    """
    from ragline.storage.database import connect_database
    from ragline.storage.embedded_postgres import find_running_server

    address = configuration.database_url or find_running_server(configuration.home)
    if address is None:
        yield None
        return
    database = connect_database(address)
    try:
        yield database if _is_answering(database) else None
    finally:
        database.engine.dispose()


def _is_answering(database: Database) -> bool:
    try:
        with database.connect() as connection:
            connection.exec_driver_sql("select from ragline.documents limit 0")
    except Exception:  # noqa: BLE001  no answer, no tables, or no permission to read them
        return False
    return True


def _read_error(error: ConfigurationError) -> list[Fault]:
    """Return the faults of a file that cannot be loaded, one for each line of the error."""
    faults = []
    for index, line in enumerate(str(error).splitlines()):
        number_text, message = _split_line_number(line) if error.path is not None else ("", line)
        faults.append(
            Fault(
                setting="",
                message=message,
                path=error.path,
                line=int(number_text) if number_text else (error.line if index == 0 else None),
            )
        )
    return faults


def _split_line_number(line: str) -> tuple[str, str]:
    match = re.match(r"^.*?:(\d+): (.*)$", line)
    return (match[1], match[2]) if match else ("", line)


def _describe(fault: Fault) -> dict[str, Any]:
    return {
        "severity": fault.severity,
        "path": fault.path,
        "line": fault.line,
        "collection": fault.collection,
        "source": fault.source,
        "setting": fault.setting or None,
        "message": fault.message,
        "text": fault.text,
    }
