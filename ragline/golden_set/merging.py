"""Adds queries and judgements to a golden set, and reports what is new, changed or in conflict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ragline.golden_set.content import GoldenContent, GoldenQuery, Judgement
from ragline.golden_set.import_files import ImportedContent

ConflictKind = Literal["grade", "text", "answerable", "source"]


@dataclass(frozen=True, slots=True)
class Conflict:
    """An imported line that contradicts the golden set.

    `is_replaceable` says whether the imported line may replace the known one.
    """

    kind: ConflictKind
    location: str
    query_id: str
    source: str | None
    document_id: str | None
    known: Any
    imported: Any
    is_replaceable: bool = True

    @property
    def text(self) -> str:
        """The conflict in one line."""
        of = f" of {self.document_id!r}" if self.document_id is not None else ""
        return (
            f"{self.location}: {self.kind}{of} for {self.query_id!r}: the golden set has "
            f"{self.known!r}, and the import {self.imported!r}"
        )


@dataclass(slots=True)
class MergeReport:
    """What an import adds to a golden set, what it changes, and what contradicts it.

    `unchanged` counts the imported judgements that the golden set already has, and the imported
    queries without an answer that it already has.
    """

    added_queries: list[str] = field(default_factory=list)
    added_judgements: list[Judgement] = field(default_factory=list)
    changed: list[Conflict] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    unchanged: int = 0


def merge_content(
    content: GoldenContent, imported: ImportedContent, *, should_replace: bool = False
) -> MergeReport:
    """Add what was imported to `content`, and return a report.

    A query without an id of its own has the id of the known query with the same text. With
    `should_replace`, an imported line replaces a contradicting known one. If the report has
    conflicts, `content` is incomplete and must not be written.
    """
    report = MergeReport()
    names = _match_texts(content, imported)
    for key, query in imported.queries.items():
        _merge_query(content, replace(query, id=names[key]), imported.locations[key],
                     report, should_replace=should_replace)  # fmt: skip
    for location, judgement in imported.judgements:
        renamed = replace(judgement, query_id=names[judgement.query_id])
        _merge_judgement(content, renamed, location, report, should_replace=should_replace)
    return report


def complete_judges(
    imported: ImportedContent, *, source: str | None, judge: Mapping[str, str]
) -> None:
    """Add a source and the judge to each imported line that states none.

    `judge` has `judged_by` and `judged_at`.
    """
    imported.judgements = [
        (
            location,
            replace(
                one,
                source=one.source or source,
                judged_by=one.judged_by or judge.get("judged_by"),
                judged_at=one.judged_at or judge.get("judged_at"),
            ),
        )
        for location, one in imported.judgements
    ]
    for key, query in imported.queries.items():
        if not query.is_answerable:
            fields = {**judge, **query.fields}
            imported.queries[key] = replace(query, fields=fields, line=None)


def _match_texts(content: GoldenContent, imported: ImportedContent) -> dict[str, str]:
    """The id in the golden set of each imported query."""
    names = {}
    for key, query in imported.queries.items():
        known = content.find_text(query.text) if key in imported.unnamed else None
        names[key] = key if known is None else known.id
    return names


def _merge_query(
    content: GoldenContent,
    query: GoldenQuery,
    location: str,
    report: MergeReport,
    *,
    should_replace: bool,
) -> None:
    known = content.queries.get(query.id)
    if known is None:
        content.queries[query.id] = query
        report.added_queries.append(query.id)
        return
    fields: dict[str, Any] = {}
    # Equal texts can differ in case, if the id was found by the text.
    if known.text.casefold().split() != query.text.casefold().split():
        conflict = Conflict("text", location, query.id, None, None, known.text, query.text)
        if _decide(report, conflict, should_replace=should_replace):
            fields["text"] = query.text
    if known.is_answerable != query.is_answerable:
        has_answer = any(one.grade > 0 for one in content.judgements_of(query.id))
        conflict = Conflict(
            "answerable", location, query.id, None, None, known.is_answerable,
            query.is_answerable, is_replaceable=not has_answer,
        )  # fmt: skip
        if _decide(report, conflict, should_replace=should_replace):
            fields |= {"is_answerable": query.is_answerable, "fields": query.fields}
    elif not query.is_answerable:
        report.unchanged += 1
    if fields:
        content.queries[query.id] = replace(known, line=None, **fields)


def _merge_judgement(
    content: GoldenContent,
    judgement: Judgement,
    location: str,
    report: MergeReport,
    *,
    should_replace: bool,
) -> None:
    query_id, source, document_id = judgement.key
    known = content.judgements.get(judgement.key)
    if known is None:
        others = [
            one.source
            for one in content.judgements_of(query_id)
            if one.document_id == document_id and None in {one.source, source}
        ]
        if others:
            conflict = Conflict(
                "source", location, query_id, source, document_id, others[0], source,
                is_replaceable=False,
            )  # fmt: skip
            report.conflicts.append(conflict)
            return
        content.judgements[judgement.key] = judgement
        report.added_judgements.append(judgement)
    elif known.grade == judgement.grade:
        report.unchanged += 1
    else:
        conflict = Conflict(
            "grade", location, query_id, source, document_id, known.grade, judgement.grade
        )
        if _decide(report, conflict, should_replace=should_replace):
            content.judgements[judgement.key] = judgement


def _decide(report: MergeReport, conflict: Conflict, *, should_replace: bool) -> bool:
    """Whether the imported line replaces the known one. The report names it in both cases."""
    is_replaced = should_replace and conflict.is_replaceable
    (report.changed if is_replaced else report.conflicts).append(conflict)
    return is_replaced
