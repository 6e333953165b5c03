"""`ragline collect`: deletes data whose retention time has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ragline.commands import configured, json_option, print_json

if TYPE_CHECKING:
    from ragline.configuration import Configuration


@click.command()
@json_option
@configured
def collect(configuration: Configuration, *, as_json: bool) -> None:
    """Delete data whose retention time has ended.

    The retention times are in the section `retention` of the configuration. `ragline dev` deletes
    this data each night.
    """
    from ragline.lifecycle.retention import delete_expired
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        report = delete_expired(database, configuration.retention)
    if as_json:
        print_json(report)
        return
    for name, count in report.deleted.items():
        click.echo(f"{count:>8} {name.replace('_', ' ')}")
