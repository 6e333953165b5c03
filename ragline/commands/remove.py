"""`ragline remove`: deletes a source with all its data, and prints a receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ragline.commands import configured, json_option, print_json

if TYPE_CHECKING:
    from ragline.configuration import Configuration


@click.command()
@click.argument("source")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
@configured
def remove(configuration: Configuration, source: str, *, yes: bool, as_json: bool) -> None:
    """Delete SOURCE and all its data from the index, and print a receipt of the deletion.

    You must also delete the source from the configuration. Otherwise the next sync reads it again.
    """
    if not yes:
        if as_json:
            raise click.UsageError("--json cannot ask for confirmation; give --yes too")
        click.confirm(f"delete all documents of {source}?", abort=True)
    from ragline.lifecycle.requested_removals import remove_source
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
        click.echo(
            f"{configuration.path} still names {source}: delete it there, or the next sync reads "
            "it again"
        )
