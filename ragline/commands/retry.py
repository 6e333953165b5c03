"""`ragline retry`: makes the next sync retry failed documents without a delay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ragline.commands import configured, json_option, print_json
from ragline.counts import count

if TYPE_CHECKING:
    from ragline.configuration import Configuration


@click.command()
@click.argument("source", required=False)
@click.argument("document_ids", nargs=-1)
@json_option
@configured
def retry(
    configuration: Configuration,
    source: str | None,
    document_ids: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Make the next sync retry failed documents without a delay.

    Without DOCUMENT_IDS, all failed documents of SOURCE are retried. Without SOURCE, the failed
    documents of all sources are retried.
    """
    from ragline.command_line.source_names import check_source
    from ragline.lifecycle.retries import retry_documents
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        if source is not None:
            check_source(database, source)
        retried = retry_documents(database, source, document_ids)
    if as_json:
        print_json({"retried": retried})
        return
    for document in retried:
        click.echo(f"{document.source}: {document.document_id}")
    documents = count(len(retried), "document")
    click.echo(f"{documents} will be read again in the next sync")
