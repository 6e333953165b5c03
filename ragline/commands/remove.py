"""`ragline remove`: a source is forgotten for good, with a receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ragline.commands import configured, json_option, print_json

if TYPE_CHECKING:
    from ragline.configuration import Configuration


@click.command()
@click.argument("source")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@configured
def remove(configuration: Configuration, source: str, *, yes: bool, as_json: bool) -> None:
    """Forget everything of SOURCE for good; take it out of the configuration too."""
    if not yes:
        if as_json:
            raise click.UsageError("nobody is asked with --json; give --yes with it")
        click.confirm(f"forget all documents of {source} for good?", abort=True)
    from ragline.lifecycle.removals import remove_source
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        receipt = remove_source(database, source, configuration.home)
    if as_json:
        print_json(receipt)
        return
    counts = ", ".join(
        f"{count} {name.replace('_', ' ')}" for name, count in receipt.counts.items()
    )
    click.echo(
        f"receipt {receipt.id}: {receipt.source} forgotten at {receipt.removed_at}: {counts}"
    )
    if any(settings.name == source for settings in configuration.sources):
        click.echo(f"{configuration.path} still names it: the next sync would read it again")
