"""`ragline evaluations`: lists the stored evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ragline.commands import configured, json_option, print_json
from ragline.counts import count

if TYPE_CHECKING:
    from ragline.configuration import Configuration
    from ragline.evaluation.stored_evaluations import EvaluationRecord


@click.command()
@click.argument("collection", required=False)
@json_option
@configured
def evaluations(configuration: Configuration, collection: str | None, *, as_json: bool) -> None:
    """List the newest evaluations of COLLECTION, or of all collections, with their evidence."""
    from ragline.evaluation.stored_evaluations import list_evaluations
    from ragline.lifecycle.generation_records import check_collection
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        if collection is not None:
            with database.connect() as connection:
                check_collection(connection, collection)
        found = list_evaluations(database, collection)
    if as_json:
        print_json({"evaluations": found})
        return
    for record in found:
        click.echo(_describe(record))
    if not found:
        click.echo("there is no evaluation yet; run `ragline eval COLLECTION`")


def _describe(record: EvaluationRecord) -> str:
    measures = ", ".join(f"{name} {value:.4f}" for name, value in record.measures.items())
    return (
        f"{record.id}: {record.collection}, generation {record.generation}, {record.mode}"
        f"{', reranked' if record.rerank else ''}, {count(record.queries, 'query', 'queries')}: "
        f"{measures}; {record.evaluated_at.astimezone():%Y-%m-%d %H:%M}, "
        f"code {record.code_version or 'not known'}"
    )
