"""Clients as hashes that change each day: repeated searches of one client can be counted.

A key or an address is never written. Its hash is computed with a random salt of the day (UTC),
which all processes share through the database. The salt is deleted one day later; after that, the
hash cannot be traced to the client.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import date

from sqlalchemy import Connection

from ragline.storage.statements import load_statement

SALT_BYTES = 16
HASH_CHARS = 24


class ClientHashes:
    """Computes the hashes of clients and caches the salts of two days. For one thread."""

    def __init__(self) -> None:
        self._salts: dict[date, bytes] = {}

    def hash_client(self, connection: Connection, day: date, client: str) -> str:
        """The hash of a client on a day. Reads the salt from the database once for each day."""
        if day not in self._salts:
            parameters = {"day": day, "salt": secrets.token_bytes(SALT_BYTES)}
            salt = connection.execute(load_statement("search/ensure_salt"), parameters).scalar_one()
            self._salts = {d: s for d, s in self._salts.items() if (day - d).days == 1}
            self._salts[day] = bytes(salt)
        digest = hmac.new(self._salts[day], client.encode("utf-8", "replace"), "sha256")
        return digest.hexdigest()[:HASH_CHARS]

    def clear(self) -> None:
        """Read the salts again: a transaction that was rolled back did not store its salt."""
        self._salts.clear()
