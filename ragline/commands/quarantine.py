"""`ragline quarantine list|release`: lists or releases quarantined documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ragline.commands import configured, json_option, print_json
from ragline.counts import count

if TYPE_CHECKING:
    from ragline.configuration import Configuration


@click.group()
def quarantine() -> None:
    """List quarantined documents, or release them."""


@quarantine.command("list")
@click.argument("source", required=False)
@json_option
@configured
def list_command(configuration: Configuration, source: str | None, *, as_json: bool) -> None:
    """List the quarantined documents of SOURCE, or of all sources, with the reason."""
    from ragline.command_line.source_names import check_source
    from ragline.lifecycle.retries import list_quarantined
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        if source is not None:
            check_source(database, source)
        documents = list_quarantined(database, source)
    if as_json:
        print_json({"quarantined": documents})
        return
    for document in documents:
        click.echo(
            f"{document.source}: {document.document_id}: {document.error_name}: {document.error}"
        )
    are = "is" if len(documents) == 1 else "are"
    click.echo(f"{count(len(documents), 'document')} {are} quarantined")


@quarantine.command("release")
@click.argument("source")
@click.argument("document_ids", nargs=-1)
@click.option(
    "--all", "is_all", is_flag=True, help="Release all quarantined documents of the source."
)
@json_option
@configured
def release_command(
    configuration: Configuration,
    source: str,
    document_ids: tuple[str, ...],
    *,
    is_all: bool,
    as_json: bool,
) -> None:
    """Release DOCUMENT_IDS of SOURCE from quarantine. The next sync reads them again."""
    if bool(document_ids) == is_all:
        raise click.UsageError("name the documents to release, or give --all and no names")
    from ragline.command_line.source_names import check_source
    from ragline.lifecycle.retries import release_documents
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        check_source(database, source)
        released = release_documents(database, source, document_ids)
    if as_json:
        print_json({"released": released})
        return
    for document in released:
        click.echo(f"{document.source}: {document.document_id}")
    click.echo(f"{count(len(released), 'document')} will be read again in the next sync")
