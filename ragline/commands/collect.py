"""`ragline collect`: what was kept long enough is deleted for good, as the schedule does daily."""

from __future__ import annotations

import click

from ragline.commands import configured, json_option, print_json
from ragline.configuration import Configuration
from ragline.lifecycle.retention import collect_expired
from ragline.storage.database import open_database


@click.command()
@json_option
@configured
def collect(configuration: Configuration, *, as_json: bool) -> None:
    """Delete for good what the configuration's retention times let go."""
    with open_database(configuration) as database:
        report = collect_expired(database, configuration.retention)
    if as_json:
        print_json(report)
        return
    for name, count in report.deleted.items():
        click.echo(f"{count:>8} {name.replace('_', ' ')}")
