"""`ragline export`: writes all entries of a collection's live index to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ragline.command_line.output_files import OutputFile
from ragline.commands import configured, json_option, print_json
from ragline.counts import count

if TYPE_CHECKING:
    from ragline.configuration import Configuration


@click.command()
@click.argument("collection")
@click.option(
    "--out",
    required=True,
    type=OutputFile(),
    help="File to write. Its suffix, .jsonl or .parquet, decides the format.",
)
@click.option("--no-vectors", is_flag=True, help="Leave out the vectors.")
@json_option
@configured
def export(
    configuration: Configuration, collection: str, out: Path, *, no_vectors: bool, as_json: bool
) -> None:
    """Write all entries of COLLECTION's live index to a file."""
    from ragline.export import check_path, export_collection
    from ragline.storage.database import open_database

    check_path(out)
    with open_database(configuration) as database:
        written = export_collection(database, collection, out, has_vectors=not no_vectors)
    if as_json:
        print_json({"collection": collection, "path": str(out), "entries": written})
    else:
        click.echo(f"{count(written, 'entry', 'entries')} written to {out}", err=True)
