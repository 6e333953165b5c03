"""The transactions of a searcher: each sees what a tenant may see, within the time of a search."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ragline.errors import SearchTimeoutError
from ragline.search.deadline import Deadline
from ragline.storage.database import Database

# The SQLSTATE of a statement that was cancelled by its time limit or by an operator.
QUERY_CANCELED = "57014"


class SearchTransactions:
    """Opens transactions of one database."""

    def __init__(self, database: Database, timeout_ms: int) -> None:
        self._database = database
        self._timeout_ms = timeout_ms

    def database_of(self, tenant: str | None) -> Database:
        """Return the database as a tenant sees it. None means the whole database."""
        return self._database if tenant is None else self._database.for_tenant(tenant)

    @contextmanager
    def begin(self, tenant: str | None, deadline: Deadline) -> Iterator[Connection]:
        """Open a transaction.

        Raises:
            SearchTimeoutError: the database took longer than the time limit.
        """
        with (
            self.translate_timeout(),
            self.database_of(tenant).begin() as connection,
            deadline.enforce(connection),
        ):
            yield connection

    @contextmanager
    def translate_timeout(self) -> Iterator[None]:
        """Raise SearchTimeoutError for a statement that the database cancelled."""
        try:
            yield
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == QUERY_CANCELED:
                raise SearchTimeoutError(
                    f"the search took longer than {self._timeout_ms} ms"
                ) from error
            raise
