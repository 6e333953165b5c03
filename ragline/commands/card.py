"""`ragline card`: shows the index card of a generation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ragline.command_line.output_files import OutputFile, write_output
from ragline.commands import configured, json_option, print_json
from ragline.commands.generation import GENERATION_ID
from ragline.errors import IndexNotReadyError

if TYPE_CHECKING:
    from ragline.configuration import Configuration
    from ragline.index_card.card import IndexCard
    from ragline.storage.database import Database


@click.command()
@click.argument("target", metavar="COLLECTION|ID")
@click.option(
    "--markdown",
    type=OutputFile(),
    help="Write the index card to FILE as Markdown, and print the name of the file. With --json, "
    "print the JSON instead.",
)
@json_option
@configured
def card(
    configuration: Configuration, target: str, *, markdown: Path | None, as_json: bool
) -> None:
    """Show the index card of the generation ID, or of the live generation of COLLECTION.

    The index card describes the index: sources, model with its licence, settings and
    fingerprints. It also has the evaluations, the known gaps, and the trail of the generation. If
    the argument is a number, it is the ID of a generation.
    """
    from ragline.index_card.markdown import write_markdown
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        made = _make(database, configuration, target)
    if markdown is not None:
        write_output(markdown, write_markdown(made))
    if as_json:
        print_json(made)
    elif markdown is not None:
        click.echo(f"wrote {markdown}")
    else:
        click.echo(write_markdown(made), nl=False)


def _make(database: Database, configuration: Configuration, target: str) -> IndexCard:
    from ragline.index_card.gathering import make_card
    from ragline.lifecycle.generation_records import find_record, list_records

    if target.isdecimal():
        with database.connect() as connection:
            generation_id = GENERATION_ID.convert(int(target), None, None)
            record = find_record(connection, generation_id)
        return make_card(database, configuration, record.collection, record.id)
    live = [one for one in list_records(database, target) if one.state == "live"]
    if not live:
        raise IndexNotReadyError(
            f"collection {target} has no live index yet; run `ragline sync` first, or name the id "
            f"of a generation, which `ragline generation list {target}` shows"
        )
    return make_card(database, configuration, target, live[0].id)
