"""Compares the entries that a system serves with the documents of its source.

The functions are pure: they take marks and entries and return what differs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchmarks.churn.marks import find_marks
from benchmarks.churn.source_tree import Change
from benchmarks.churn.system import Entry


@dataclass(frozen=True, slots=True)
class Verdict:
    """The differences between a system's entries and its source.

    `ghosts` are entries with text that their document no longer contains. `lost` are the documents
    of the source with at least one marked passage that is not served. `gone` are the documents of
    which nothing is served. `repeated` is the number of superfluous entries. An entry is
    superfluous if another entry of its document has the same text, and if the text has a mark.
    """

    ghosts: frozenset[Entry]
    lost: frozenset[str]
    gone: frozenset[str]
    repeated: int


def judge_entries(documents: Mapping[str, frozenset[str]], entries: Iterable[Entry]) -> Verdict:
    """Compare entries with the marks of each document of the source."""
    counts = Counter(entries)
    served = collect_marks(counts)
    lost = {path for path, marks in documents.items() if marks - served[path]}
    return Verdict(
        ghosts=frozenset(entry for entry in counts if _is_ghost(entry, documents)),
        lost=frozenset(lost),
        gone=frozenset(documents.keys() - {entry.path for entry in counts}),
        repeated=sum(count - 1 for entry, count in counts.items() if find_marks(entry.text)),
    )


def collect_marks(entries: Iterable[Entry]) -> defaultdict[str, set[str]]:
    """Return the served marks of each document, by the document's path."""
    served: defaultdict[str, set[str]] = defaultdict(set)
    for entry in entries:
        served[entry.path] |= find_marks(entry.text)
    return served


def is_visible(change: Change, served: Mapping[str, set[str]]) -> bool:
    """Whether all new text of a change is served under its path."""
    return change.appeared <= served.get(change.path, set())


def is_forgotten(change: Change, served: Mapping[str, set[str]]) -> bool:
    """Whether no removed text of a change is served under its path."""
    return not change.vanished & served.get(change.path, set())


def find_stale_hits(change: Change, hits: Iterable[Entry]) -> list[Entry]:
    """Return the hits with text that the change removed from its document."""
    return [
        hit for hit in hits if hit.path == change.path and find_marks(hit.text) & change.vanished
    ]


def has_new_hit(change: Change, hits: Iterable[Entry]) -> bool:
    """Whether a hit shows the new text of the change."""
    sought = find_marks(change.new_text)
    return any(hit.path == change.path and find_marks(hit.text) & sought for hit in hits)


def _is_ghost(entry: Entry, documents: Mapping[str, frozenset[str]]) -> bool:
    if entry.path not in documents:
        return True
    return bool(find_marks(entry.text) - documents[entry.path])
