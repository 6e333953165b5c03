"""Keeps what a service read from the records, so that the next proposal is shown without a wait.

A service shows one proposal after the other, and each time the proposals of all recorded searches
are needed. The golden set is not cached. So an answer has an effect on the next proposal.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from threading import Lock

from ragline.quality.golden_proposals import (
    ProposalKind,
    ProposalRow,
    Records,
    RowReader,
    read_proposal_rows,
)
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

# It limits the memory. A collection has three kinds of rows from records.
MAX_CACHED = 60

_Version = tuple[object, ...]
_Key = tuple[str | None, str, int, ProposalKind]


class ProposalCache:
    """Rows of proposals by tenant, collection, days and kind. Several threads can use it.

    Rows are read again after a search or feedback was recorded. Headings are always read, because
    they do not come from records.
    """

    def __init__(self) -> None:
        self._cache: dict[_Key, tuple[_Version, Sequence[ProposalRow]]] = {}
        self._lock = Lock()

    def make_reader(
        self, database: Database, records: Records, tenant: str | None, days: int
    ) -> RowReader:
        """Return the reader of one list of proposals. `days` is the length of the period.

        `database` shows the records of the tenant.
        """

        @cache
        def read_version() -> _Version:
            with database.connect() as connection:
                statement = load_statement("quality/select_record_version")
                return tuple(connection.execute(statement, records.parameters).one())

        def read(kind: ProposalKind) -> Sequence[ProposalRow]:
            if kind == "heading":
                return read_proposal_rows(database, records, kind)
            key, version = (tenant, records.collection, days, kind), read_version()
            with self._lock:
                known = self._cache.get(key)
            if known is not None and known[0] == version:
                return known[1]
            rows = read_proposal_rows(database, records, kind)
            with self._lock:
                if len(self._cache) >= MAX_CACHED:
                    self._cache.clear()
                self._cache[key] = (version, rows)
            return rows

        return read
