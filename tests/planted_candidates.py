"""A collection with three sources and a golden set, and copies of its live generation.

The golden set asks in other words than the documents use. So its scores depend on the vectors. A
test damages a copy, and then runs the gate. `handbook_candidates` builds candidates instead.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from database_copies import DatabaseServer, SharedDatabase
from sqlalchemy import text

from ragline.configuration import load_configuration
from ragline.embedder.embedder import Embedder
from ragline.gate.report import GateReport
from ragline.lifecycle.run_context import RunContext
from ragline.storage.database import Database, connect_database

SOURCES = ("coast", "town", "hills")
# A subject of a document, and the word of a query that means it.
SUBJECTS = {
    "the harbour": "port", "the night train": "railway", "the beekeeper": "honey farmer",
    "the tax office": "revenue authority", "the glacier": "ice field",
    "the vineyard": "wine grower", "the chess club": "board game players",
    "the school choir": "pupils who sing",
}  # fmt: skip
OBJECTS = {
    "repaired a broken clock": "fixed timepiece", "bought two wooden doors": "purchased entrances",
    "lost forty letters": "missing mail", "painted the southern wall": "new colour of a facade",
    "sold its last boat": "no vessel any more", "planted nine apple trees": "orchard",
    "raised the prices": "became more expensive", "flooded in spring": "high water",
}  # fmt: skip
CONFIGURATION = """
collections:
  - name: notes
    golden: ./golden
    chunking: {max_tokens: 20, overlap_tokens: 5}
sources:
""" + "".join(
    f"  - {{name: {name}, collection: notes, kind: records, uri: ./{name}.jsonl, "
    "fields: {id: _id, text: text}}\n"
    for name in SOURCES
)
COPY = """
insert into ragline.generations (collection_id, embedding_space_id, chunker_fingerprint, chunking,
  language, analysis_version, state, entry_count, lexeme_count, weighted_length)
select collection_id, {space}, concat(chunker_fingerprint, '-copy-',
  (select count(*) from ragline.generations)), chunking, language,
  analysis_version, '{state}', entry_count, lexeme_count, weighted_length
from ragline.generations where state = 'live' returning id
"""
COPY_ROWS = """
create table ragline.entries_{copy} (like ragline.entries_{live} including all);
insert into ragline.entries_{copy} overriding system value select * from ragline.entries_{live};
insert into ragline.placements select (jsonb_populate_record(p,
  jsonb_build_object('generation_id', {copy}))).* from ragline.placements as p
  where p.generation_id = {live};
insert into ragline.lexemes select {copy}, lexeme, document_frequency from ragline.lexemes
  where generation_id = {live};
"""


def write_collection(folder: Path) -> None:
    """Write three sources with four facts in each document, and one query for each fact."""
    facts = list(itertools.product(SUBJECTS, OBJECTS))
    # Neighbouring facts of a document are about different subjects.
    order = [facts[index] for index in np.random.default_rng(1).permutation(len(facts))]
    queries, judgements = [], ["query-id\tcorpus-id\tscore"]
    documents: dict[str, list[str]] = {name: [] for name in SOURCES}
    for number in range(0, len(order), 4):
        source = SOURCES[number // 4 % len(SOURCES)]
        key = f"{source}-{number // 4}"
        part = order[number : number + 4]
        sentences = " ".join(f"In that long year, {one} {what} again." for one, what in part)
        documents[source].append(json.dumps({"_id": key, "text": sentences}))
        for subject, what in part:
            asked = {"_id": f"q{len(queries)}", "text": f"{SUBJECTS[subject]} {OBJECTS[what]}"}
            judgements.append(f"{asked['_id']}\t{key}\t1")
            queries.append(json.dumps(asked))
    for name, lines in documents.items():
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "golden" / "qrels").mkdir(parents=True)
    (folder / "golden" / "queries.jsonl").write_text("\n".join(queries), encoding="utf-8")
    content = "\n".join(judgements)
    (folder / "golden" / "qrels" / "test.tsv").write_text(content, encoding="utf-8")


def share_collection(
    server: DatabaseServer,
    name: str,
    template: str,
    configuration: str,
    embedder: Embedder,
    run_stages: Callable[[RunContext], object],
    prepare: Callable[[Path, Database], None] = lambda _folder, _database: None,
) -> SharedDatabase:
    """The collection, written and synced once for all workers, with its database.

    `name` is the name of the shared database, and `template` that of a migrated database.
    `prepare` changes the files or the rows after the sync.
    """

    def fill(folder: Path, url: str) -> None:
        write_collection(folder)
        (folder / "ragline.yaml").write_text(configuration, encoding="utf-8")
        database = connect_database(url)
        run_context = RunContext(load_configuration(folder / "ragline.yaml"), database, "sync")
        run_context.models.add_embedder(embedder.space.model, embedder)
        run_stages(run_context)
        prepare(folder, database)
        database.engine.dispose()

    return server.share(name, template, fill)


def plant_candidate(
    database: Database, space: str = "embedding_space_id", *, state: str = "candidate"
) -> int:
    """Copy the live generation with all of its entries; return the id of the copy.

    Tests that share a database can each plant a copy, in any order.
    """
    with database.begin() as connection:
        live = connection.execute(
            text("select id from ragline.generations where state = 'live'")
        ).scalar_one()
        copy = connection.execute(text(COPY.format(space=space, state=state))).scalar_one()
        connection.exec_driver_sql(COPY_ROWS.format(copy=copy, live=live))
    return int(copy)


def damage(database: Database, statement: str, candidate: int) -> None:
    """Change the entries of a candidate; `{entries}` is the name of its table."""
    with database.begin() as connection:
        connection.exec_driver_sql(
            statement.format(entries=f"ragline.entries_{candidate}", candidate=candidate)
        )


def plant_shuffled_space(database: Database, model: str) -> int:
    """Insert an embedding space in which each text has the vector of another text."""
    with database.begin() as connection:
        space = connection.execute(
            text(
                "insert into ragline.embedding_spaces (fingerprint, model, dimension, description) "
                "select fingerprint || '-shuffled', :model, dimension, description "
                "from ragline.embedding_spaces returning id"
            ),
            {"model": model},
        ).scalar_one()
        connection.exec_driver_sql(
            "insert into ragline.embeddings (embedding_space_id, text_hash, embedding) "
            f"select {int(space)}, a.text_hash, b.embedding from "
            "(select text_hash, row_number() over (order by text_hash) as n "
            "from ragline.embeddings) as a join "
            "(select embedding, row_number() over (order by md5(text_hash::text)) as n "
            "from ragline.embeddings) as b using (n)"
        )
    return int(space)


def outcomes(report: GateReport) -> dict[str, str]:
    """The outcome of each check of a report, by name."""
    return {check.name: check.outcome for check in report.checks}


def reason(report: GateReport, name: str) -> str:
    """The reason of one check of a report."""
    return next(check.reason for check in report.checks if check.name == name)
