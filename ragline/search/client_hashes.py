"""Hashes of clients. They change each day, and make repeated searches of one client countable.

Ragline never writes the key or the address of a client. It computes a hash with a random salt. A
salt is valid for one day (UTC), and all processes share it through the database. The salt is
deleted one day later. After that, the hash cannot be traced to the client.
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
    """Computes the hashes of clients. Use it in one thread only.

    It caches the salts of two days.
    """

    def __init__(self) -> None:
        self._salts: dict[date, bytes] = {}

    def hash_client(self, connection: Connection, day: date, client: str) -> str:
        """Return the hash of a client on a day. Each day's salt is read from the database once."""
        if day not in self._salts:
            parameters = {"day": day, "salt": secrets.token_bytes(SALT_BYTES)}
            salt = connection.execute(load_statement("search/ensure_salt"), parameters).scalar_one()
            self._salts = {d: s for d, s in self._salts.items() if (day - d).days == 1}
            self._salts[day] = bytes(salt)
        digest = hmac.new(self._salts[day], client.encode("utf-8", "replace"), "sha256")
        return digest.hexdigest()[:HASH_CHARS]

    def clear(self) -> None:
        """Forget the cached salts.

        Call it after a rollback, because a rollback does not store the salt.
        """
        self._salts.clear()
