"""`ragline confirm-removals`: carries out the held removals of a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ragline.commands import configured, json_option, print_json
from ragline.counts import count

if TYPE_CHECKING:
    from ragline.configuration import Configuration


@click.command("confirm-removals")
@click.argument("source")
@json_option
@configured
def confirm_removals_command(configuration: Configuration, source: str, *, as_json: bool) -> None:
    """Carry out the held removals of SOURCE. Searches no longer find these documents.

    Removals are held if a listing lacks more documents than max_removal_ratio allows.
    """
    from ragline.lifecycle.requested_removals import confirm_removals
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        confirmed = confirm_removals(database, source)
    if as_json:
        print_json(confirmed)
        return
    for document_id in confirmed.documents:
        click.echo(document_id)
    documents = count(len(confirmed.documents), "document")
    click.echo(f"{documents} forgotten, {count(confirmed.entries, 'entry', 'entries')}")
