"""`ragline golden`: shows, edits, imports and exports the golden set of a collection."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ragline.command_line.golden_options import judged_by_option
from ragline.command_line.golden_output import (
    describe_merge,
    describe_status,
    print_all,
    print_merge,
)
from ragline.commands import configured, json_option, print_json
from ragline.commands.golden_review import review
from ragline.counts import count
from ragline.errors import GoldenSetError

if TYPE_CHECKING:
    from ragline.configuration import Configuration
    from ragline.storage.database import Database

qrels_option = click.option(
    "--split", default="test", show_default=True, help="Value of SPLIT in qrels/SPLIT.tsv."
)


@click.group()
def golden() -> None:
    """Show, edit, import or export golden sets."""


golden.add_command(review)


@golden.command("status")
@click.argument("collection", required=False)
@qrels_option
@json_option
@configured
def status_command(
    configuration: Configuration, collection: str | None, *, split: str, as_json: bool
) -> None:
    """Show the golden set of COLLECTION, or all golden sets, and what is wrong with them.

    The exit status is 1 if a golden set cannot be read.
    """
    names = [collection] if collection else [one.name for one in configuration.collections]
    folders = {name: configuration.golden_folder(name) for name in names}
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        described = [_read_status(database, name, folders[name], split) for name in names]
    shown = [one for one in described if one is not None]
    if collection and not shown:
        raise GoldenSetError(
            f"{folders[collection] / 'queries.jsonl'}: there is no such file; write a golden set, "
            f"or add a query with `ragline golden add {collection}`"
        )
    for one in shown:
        stated = configuration.collection(str(one["collection"])).golden
        one["is_configured"] = stated is not None
    if as_json:
        print_json({"golden_sets": shown})
    else:
        print_all(shown)
    if any(one["error"] for one in shown):
        sys.exit(1)


def _read_status(database: Database, name: str, folder: Path, split: str) -> dict[str, Any] | None:
    """Return the status of a golden set, or its error, in the form of the JSON output.

    None if the folder contains no golden set.
    """
    from ragline.evaluation.golden_status import read_golden_status

    try:
        status = read_golden_status(database, name, folder, split)
    except GoldenSetError as error:
        return {"collection": name, "folder": folder, "error": str(error)}
    return None if status is None else describe_status(status)


@golden.command("add")
@click.argument("collection")
@click.argument("query")
@click.option("--document", "document_id", help="Id of a document to judge.")
@click.option("--source", help="Source of the document. Default: the source that has the id.")
@click.option(
    "--relevance",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Grade of the document: 0 is not relevant, and a larger grade is better.",
)
@click.option("--passage", help="Quotation from the document that answers the query.")
@click.option("--unanswerable", is_flag=True, help="No document of the collection is an answer.")
@click.option("--id", "query_id", help="Id of the query. Default: a hash of its text.")
@click.option("--replace", is_flag=True, help="Replace a grade that the document already has.")
@judged_by_option
@json_option
@configured
def add_command(
    configuration: Configuration,
    collection: str,
    query: str,
    *,
    document_id: str | None,
    source: str | None,
    relevance: int,
    passage: str | None,
    unanswerable: bool,
    query_id: str | None,
    replace: bool,
    judged_by: str,
    as_json: bool,
) -> None:
    """Add QUERY and one judgement to the golden set of COLLECTION.

    The name of the judge and the time are stored with the judgement.
    """
    if unanswerable == (document_id is not None):
        raise click.UsageError("name the judged --document, or give --unanswerable")
    folder = configuration.golden_folder(collection)
    from ragline.evaluation.judged_documents import locate_document
    from ragline.golden_set.proposal_answers import JudgedDocument, add_judgements
    from ragline.storage.database import open_database

    documents = []
    if document_id is not None:
        with open_database(configuration) as database:
            found = locate_document(database, collection, document_id, source)
        documents = [JudgedDocument(document_id, relevance, found, passage)]
    added = add_judgements(
        folder, query, documents,
        judged_by=judged_by, query_id=query_id, should_replace=replace,
    )  # fmt: skip
    if as_json:
        result = {"collection": collection, "folder": folder, **asdict(added)}
        print_json(_name_hash(result) | {"is_new_query": added.is_new_query})
        return
    is_new = bool(added.added or added.changed or added.is_new_query)
    click.echo(f"{added.query_id} {'is' if is_new else 'was already'} in {folder}")
    _hint_configuration(configuration, collection, folder)


@golden.command("import")
@click.argument("collection")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--queries",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of the queries, if PATH has judgements in the TREC format: `id TAB query` in each "
    "line, or JSON lines with _id and text.",
)
@click.option("--source", help="Source of the judged documents, where PATH names none.")
@click.option("--replace", is_flag=True, help="Replace what contradicts PATH.")
@click.option("--dry-run", is_flag=True, help="Show the changes, and write nothing.")
@qrels_option
@judged_by_option
@json_option
@configured
def import_command(
    configuration: Configuration,
    collection: str,
    path: Path,
    *,
    queries: Path | None,
    source: str | None,
    replace: bool,
    dry_run: bool,
    split: str,
    judged_by: str,
    as_json: bool,
) -> None:
    """Add the queries and judgements in PATH to the golden set of COLLECTION.

    PATH is a folder in the BEIR layout, a table (.csv, .tsv or .jsonl) with the columns query,
    document and relevance, or a file of judgements in the TREC format. If PATH contradicts the
    golden set, nothing is written and the exit status is 1.
    """
    folder = configuration.golden_folder(collection)
    from ragline.golden_set.import_files import read_import
    from ragline.golden_set.merging import complete_judges, import_content
    from ragline.golden_set.proposal_answers import describe_judge

    imported = read_import(path, queries, split)
    complete_judges(imported, source=source, judge=describe_judge(judged_by))
    report = import_content(folder, imported, should_replace=replace, is_dry_run=dry_run)
    if as_json:
        print_json({"collection": collection, "folder": folder, **describe_merge(report)})
    else:
        print_merge(report, folder)
    if report.conflicts:
        sys.exit(1)
    if not as_json:
        _hint_configuration(configuration, collection, folder)


@golden.command("export")
@click.argument("collection")
@click.argument("path", type=click.Path(path_type=Path, file_okay=False))
@qrels_option
@json_option
@configured
def export_command(
    configuration: Configuration, collection: str, path: Path, *, split: str, as_json: bool
) -> None:
    """Write the golden set of COLLECTION to the new folder PATH, in the BEIR layout."""
    folder = configuration.golden_folder(collection)
    from ragline.golden_set.writing import export_golden_set

    content = export_golden_set(folder, path, split)
    if as_json:
        result = {
            "collection": collection,
            "path": path,
            "queries": len(content.queries),
            "judgements": len(content.judgements),
            "golden_version": content.content_hash,
        }
        print_json(result)
        return
    click.echo(
        f"{count(len(content.queries), 'query', 'queries')} and "
        f"{count(len(content.judgements), 'judgement')} written to {path}",
        err=True,
    )


def _name_hash(result: dict[str, Any]) -> dict[str, Any]:
    result["golden_version"] = result.pop("content_hash")
    return result


def _hint_configuration(configuration: Configuration, collection: str, folder: Path) -> None:
    """Print how evaluations can use the golden set, if the configuration does not name it."""
    if configuration.collection(collection).golden is None:
        click.echo(
            f"to evaluate with it, add `golden: {folder}` to the collection {collection} in "
            f"{configuration.path}",
            err=True,
        )
