"""What people answered to proposed queries: accepted queries and rejections.

`ragline.quality.golden_proposals` proposes queries. A proposal is added to the golden set only if a
person accepts it. The name of the person and the time are stored with the judgements. A rejected
proposal is a line of `rejected.jsonl`, so that it is not proposed again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ragline.errors import GoldenSetError
from ragline.golden_set.card import read_card
from ragline.golden_set.content import (
    MAX_QUERY_CHARS,
    GoldenContent,
    GoldenQuery,
    Judgement,
    make_query_id,
)
from ragline.golden_set.judges import add_judge
from ragline.golden_set.line_files import check_storable, read_json_lines
from ragline.golden_set.writing import edit_golden_set, lock_folder, make_folder, write_text

REJECTIONS = "rejected.jsonl"


@dataclass(frozen=True, slots=True)
class JudgedDocument:
    """A document with the grade that a person gave it, or that a proposal suggests."""

    document_id: str
    grade: int
    source: str | None = None
    passage: str | None = None


@dataclass(frozen=True, slots=True)
class AddedJudgements:
    """What `add_judgements` has written: the id of the query, and what is new or changed."""

    query_id: str
    is_new_query: bool
    added: tuple[Judgement, ...]
    changed: tuple[Judgement, ...]
    content_hash: str


def describe_judge(name: str) -> dict[str, str]:
    """Return the fields `judged_by` and `judged_at` of a judgement that is made now."""
    return {"judged_by": name, "judged_at": datetime.now(UTC).isoformat(timespec="seconds")}


def add_judgements(
    folder: Path,
    text: str,
    documents: Sequence[JudgedDocument],
    *,
    judged_by: str,
    query_id: str | None = None,
    proposed_from: str | None = None,
    should_replace: bool = False,
) -> AddedJudgements:
    """Add a query with its judgements to a golden set. A query without documents has no answer.

    If a query with this text exists, the judgements are added to this query. Equal judgements do
    not change. With `should_replace`, a judgement with another grade is replaced. The name of the
    judge is added to the card.

    Raises:
        GoldenSetError: the query or a judgement contradicts the golden set, or the card is
            malformed. Nothing was written.
    """
    _check_text(text)
    judge = describe_judge(judged_by)
    with edit_golden_set(folder) as content:
        known = content.find_text(text) if query_id is None else content.queries.get(query_id)
        query = known or _make_query(text, query_id, {} if documents else judge, proposed_from)
        _check_query(query, text, documents)
        content.queries[query.id] = query
        judgements = [_make_judgement(query.id, one, judge) for one in documents]
        added, changed = _add(content, judgements, should_replace=should_replace)
        read_card(folder)
    with lock_folder(folder):
        add_judge(folder, judged_by)
    return AddedJudgements(query.id, known is None, added, changed, content.content_hash)


def accept_proposal(
    folder: Path, text: str, documents: Sequence[JudgedDocument], kind: str, *, judged_by: str
) -> AddedJudgements:
    """Add a query that a person accepted. Without documents, the query has no answer.

    The line of the query records `kind`, the reason of the proposal.

    Raises:
        GoldenSetError: the query or a judgement contradicts the golden set. Nothing was written.
    """
    return add_judgements(folder, text, documents, judged_by=judged_by, proposed_from=kind)


def reject_proposal(folder: Path, text: str, *, judged_by: str) -> None:
    """Record that a person rejected a proposed query.

    Raises:
        FileNotWrittenError: the file could not be written.
    """
    path = folder / REJECTIONS
    judge = describe_judge(judged_by)
    row = {"_id": make_query_id(text), "text": text,
           "rejected_by": judge["judged_by"], "rejected_at": judge["judged_at"]}  # fmt: skip
    make_folder(folder)
    with lock_folder(folder):
        lines = [line for _, line, _ in read_json_lines(path)] if path.is_file() else []
        lines.append(json.dumps(row, ensure_ascii=False))
        write_text(path, "".join(f"{line}\n" for line in lines))


def read_rejections(folder: Path) -> set[str]:
    """Return the ids of the rejected proposals.

    Raises:
        GoldenSetError: the file is malformed.
    """
    path = folder / REJECTIONS
    if not path.is_file():
        return set()
    return {_read_id(row, f"{path}:{number}") for number, _, row in read_json_lines(path)}


def _read_id(row: Mapping[str, Any], location: str) -> str:
    if not isinstance(row.get("_id"), str):
        raise GoldenSetError(f"{location}: is not a JSON object with `_id`")
    return str(row["_id"])


def _make_query(
    text: str, query_id: str | None, judge: Mapping[str, str], proposed_from: str | None
) -> GoldenQuery:
    """Return a new query. If `judge` is not empty, it is a query without an answer.

    `judge` then says who decided that the query has no answer.
    """
    origin = {} if proposed_from is None else {"proposed_from": proposed_from}
    return GoldenQuery(
        query_id or make_query_id(text), " ".join(text.split()), not judge, {**judge, **origin}
    )


def _check_text(text: str) -> None:
    check_storable(text, f"the query {text!r}")
    if not text.strip() or len(text) > MAX_QUERY_CHARS:
        raise GoldenSetError(f"a query has 1 to {MAX_QUERY_CHARS:,} characters; change the query")


def _check_query(query: GoldenQuery, text: str, documents: Sequence[JudgedDocument]) -> None:
    if query.text.casefold().split() != text.casefold().split():
        raise GoldenSetError(
            f"the query {query.id!r} has the text {query.text!r}; name another id, or no id"
        )
    if not query.is_answerable and any(one.grade > 0 for one in documents):
        raise GoldenSetError(
            f"the query {query.id!r} has `answerable: false`; remove this field from its line "
            "before you add a relevant document"
        )
    if query.is_answerable and not documents:
        raise GoldenSetError(
            f"the query {query.id!r} is in the golden set as answerable; write "
            "`answerable: false` into its line, and remove its relevant documents"
        )


def _make_judgement(query_id: str, one: JudgedDocument, judge: Mapping[str, str]) -> Judgement:
    if one.grade < 0:
        raise GoldenSetError(
            f"the relevance {one.grade} is negative; use 0 for a document that is not relevant"
        )
    for value in (one.document_id, one.source or "", one.passage or ""):
        check_storable(value, f"the judgement of {one.document_id!r}")
    passage = " ".join((one.passage or "").split()) or None
    return Judgement(query_id, one.document_id, one.grade, one.source, passage, **judge)


def _add(
    content: GoldenContent, judgements: Sequence[Judgement], *, should_replace: bool
) -> tuple[tuple[Judgement, ...], tuple[Judgement, ...]]:
    added, changed = [], []
    for judgement in judgements:
        known = _find_known(content, judgement)
        if known is None:
            content.judgements[judgement.key] = judgement
            added.append(judgement)
            continue
        passage = judgement.passage or known.passage
        if (known.grade, known.passage) == (judgement.grade, passage):
            continue
        if known.grade != judgement.grade and not should_replace:
            raise GoldenSetError(
                f"{judgement.document_id!r} already has the grade {known.grade} for "
                f"{judgement.query_id!r}; --replace changes it to {judgement.grade}"
            )
        content.judgements[known.key] = replace(judgement, source=known.source, passage=passage)
        changed.append(content.judgements[known.key])
    return tuple(added), tuple(changed)


def _find_known(content: GoldenContent, judgement: Judgement) -> Judgement | None:
    """Return the existing judgement of the same query and document, or None.

    A judgement without a source is about the document of any source.
    """
    for one in content.judgements_of(judgement.query_id):
        is_same_source = one.source == judgement.source or None in {one.source, judgement.source}
        if one.document_id == judgement.document_id and is_same_source:
            return one
    return None
