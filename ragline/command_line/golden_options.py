"""The options of the commands that use golden sets: the person who judges, and the split."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import Any

import click


def _read_login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise click.UsageError(
            "the user of this process has no name; name the judge with --judged-by"
        ) from error


def _check_name(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    if not name.strip():
        raise click.BadParameter("the name is empty; name the person who judges")
    return " ".join(name.split())


def judged_by_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --judged-by to a command. Its default is the login name."""
    option = click.option(
        "--judged-by",
        default=_read_login,
        callback=_check_name,
        help="Name of the person who judges. Default: the login name.",
    )
    return option(command)


split_option = click.option(
    "--split",
    default="test",
    show_default=True,
    help="Reads qrels/SPLIT.tsv. If this file does not exist and SPLIT is `tune`, `gate` or "
    "`holdout`, reads the queries of this split from qrels/test.tsv.",
)
