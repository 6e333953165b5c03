"""`ragline generation releases`: lists which settings became live with which generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ragline.command_line.generation_output import describe_release
from ragline.commands import configured, json_option, print_json

if TYPE_CHECKING:
    from ragline.configuration import Configuration


@click.command("releases")
@click.argument("collection")
@json_option
@configured
def releases(configuration: Configuration, collection: str, *, as_json: bool) -> None:
    """List the releases of COLLECTION, oldest first: generation, settings, person, reason.

    Each promotion and each rollback makes a release. Searches use the last one. A release has the
    build settings of its generation: model, dimension, chunk size, overlap and language. It also
    names the build settings and the search settings that differ from the release before it.
    """
    from ragline.lifecycle.release_list import list_releases
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        listed = list_releases(database, collection)
    if as_json:
        print_json({"releases": listed})
        return
    for release in listed:
        click.echo(describe_release(release))
    if not listed:
        click.echo(
            f"{collection} has no release yet; searches use the settings of the file until the "
            "next promotion"
        )
