"""Adds queries and judgements to a golden set, and reports what is new, changed or in conflict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ragline.errors import GoldenSetError
from ragline.golden_set.content import (
    GoldenContent,
    GoldenQuery,
    Judgement,
    normalise_query,
)
from ragline.golden_set.import_files import ImportedContent
from ragline.golden_set.reading import read_content
from ragline.golden_set.writing import edit_golden_set

ConflictKind = Literal["grade", "text", "answerable", "source"]


@dataclass(frozen=True, slots=True)
class Conflict:
    """An imported line that contradicts the golden set.

    `is_replaceable` says whether the imported line may replace the line of the golden set.
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
    """What an import adds to a golden set, what it changes, and which lines are in conflict.

    `unchanged` counts the imported judgements and the imported queries without an answer that the
    golden set already contains. `content_hash` identifies the golden set after the import; it is
    None if there are conflicts.
    """

    added_queries: list[str] = field(default_factory=list)
    added_judgements: list[Judgement] = field(default_factory=list)
    changed: list[Conflict] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    unchanged: int = 0
    content_hash: str | None = None
    is_written: bool = False


def import_content(
    folder: Path, imported: ImportedContent, *, should_replace: bool, is_dry_run: bool
) -> MergeReport:
    """Add `imported` to the golden set in a folder, and write the golden set. Return a report.

    Nothing is written if there is a conflict, if nothing is new or changed, or if `is_dry_run` is
    set. With `should_replace`, an imported line replaces a contradicting line.

    Raises:
        GoldenSetError: the golden set is malformed or contradicts itself.
        FileNotWrittenError: a file could not be written.
    """
    planned = read_content(folder)
    report = merge_content(planned, imported, should_replace=should_replace)
    report.content_hash = None if report.conflicts else planned.content_hash
    is_new = bool(report.added_queries or report.added_judgements or report.changed)
    if is_dry_run or report.conflicts or not is_new:
        return report
    with edit_golden_set(folder) as content:
        report = merge_content(content, imported, should_replace=should_replace)
        if report.conflicts:
            raise GoldenSetError(
                f"{folder}: another process has changed the golden set; repeat the import. Nothing "
                "was written"
            )
        report.content_hash, report.is_written = content.content_hash, True
    return report


def merge_content(
    content: GoldenContent, imported: ImportedContent, *, should_replace: bool = False
) -> MergeReport:
    """Add `imported` to `content`, and return a report.

    An imported query without an id of its own gets the id of the query in `content` with the same
    text. With `should_replace`, an imported line replaces a contradicting line of `content`. If the
    report has conflicts, `content` is incomplete and must not be written.
    """
    merge = _Merge(content, should_replace=should_replace)
    names = _match_texts(content, imported)
    for key, query in imported.queries.items():
        merge.add_query(replace(query, id=names[key]), imported.locations[key])
    for location, judgement in imported.judgements:
        merge.add_judgement(replace(judgement, query_id=names[judgement.query_id]), location)
    return merge.report


def complete_judges(
    imported: ImportedContent, *, source: str | None, judge: Mapping[str, str]
) -> None:
    """Add a source and the judge to each imported line that does not contain them.

    `judge` contains `judged_by` and `judged_at`.
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
    """Return the id that each imported query has in the golden set, by its imported id."""
    known: dict[str, str] = {}
    for query in content.queries.values():
        known.setdefault(normalise_query(query.text), query.id)
    return {
        key: known.get(normalise_query(query.text), key) if key in imported.unnamed else key
        for key, query in imported.queries.items()
    }


class _Merge:
    """One merge into a golden set, with an index of its judgements by query and document."""

    def __init__(self, content: GoldenContent, *, should_replace: bool) -> None:
        self.report = MergeReport()
        self._content = content
        self._should_replace = should_replace
        self._answered: set[str] = set()
        self._sources: dict[tuple[str, str], list[str | None]] = {}
        for judgement in content.judgements.values():
            self._index(judgement)

    def add_query(self, query: GoldenQuery, location: str) -> None:
        known = self._content.queries.get(query.id)
        if known is None:
            self._content.queries[query.id] = query
            self.report.added_queries.append(query.id)
            return
        merged = known
        # The texts can differ in capital letters and white space, because `_match_texts` ignores
        # both. This is not a conflict.
        if normalise_query(known.text) != normalise_query(query.text):
            conflict = Conflict("text", location, query.id, None, None, known.text, query.text)
            if self._should_apply(conflict):
                merged = replace(merged, text=query.text, line=None)
        if known.is_answerable == query.is_answerable:
            self.report.unchanged += not query.is_answerable
        elif self._should_apply(self._describe_answer(known, query, location)):
            merged = replace(
                merged, is_answerable=query.is_answerable, fields=query.fields, line=None
            )
        self._content.queries[query.id] = merged

    def add_judgement(self, judgement: Judgement, location: str) -> None:
        query_id, source, document_id = judgement.key
        known = self._content.judgements.get(judgement.key)
        if known is None:
            for other in self._sources.get((query_id, document_id), []):
                if None in {other, source}:
                    self.report.conflicts.append(
                        Conflict(
                            "source", location, query_id, source, document_id, other, source,
                            is_replaceable=False,
                        )
                    )  # fmt: skip
                    return
            self._content.judgements[judgement.key] = judgement
            self._index(judgement)
            self.report.added_judgements.append(judgement)
        elif known.grade == judgement.grade:
            self.report.unchanged += 1
        else:
            conflict = Conflict(
                "grade", location, query_id, source, document_id, known.grade, judgement.grade
            )
            if self._should_apply(conflict):
                self._content.judgements[judgement.key] = judgement

    def _describe_answer(self, known: GoldenQuery, query: GoldenQuery, location: str) -> Conflict:
        return Conflict(
            "answerable", location, known.id, None, None, known.is_answerable,
            query.is_answerable, is_replaceable=known.id not in self._answered,
        )  # fmt: skip

    def _should_apply(self, conflict: Conflict) -> bool:
        """Add a conflict to the report. Return whether the imported line replaces the old one."""
        is_replaced = self._should_replace and conflict.is_replaceable
        (self.report.changed if is_replaced else self.report.conflicts).append(conflict)
        return is_replaced

    def _index(self, judgement: Judgement) -> None:
        key = (judgement.query_id, judgement.document_id)
        self._sources.setdefault(key, []).append(judgement.source)
        if judgement.grade > 0:
            self._answered.add(judgement.query_id)
