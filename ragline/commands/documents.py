"""`ragline documents`: prints the ledger, one JSON object in each line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ragline.commands import configured, print_json

if TYPE_CHECKING:
    from ragline.configuration import Configuration


@click.command()
@click.argument("source", required=False)
@click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    help="Accepted without effect, because each line is always JSON.",
)
@configured
def documents(configuration: Configuration, source: str | None) -> None:
    """List the documents of SOURCE, or of all sources, with their states.

    Each line is one JSON object.
    """
    if source is not None:
        configuration.source(source)
    from ragline.status import read_documents
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        for document in read_documents(database, source):
            print_json(document)
