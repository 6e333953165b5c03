"""Who asked, as a hash that lasts a day: enough to see that one caller asked twice.

A key or an address is never written. Its hash is made under a random salt of the day (UTC), which
all processes share through the database and which is deleted after another day; from then on
nobody can find out whose a hash was.
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
    """The hashes of clients, with the salts of the latest days kept at hand. For one thread."""

    def __init__(self) -> None:
        self._salts: dict[date, bytes] = {}

    def hash_client(self, connection: Connection, day: date, client: str) -> str:
        """The hash that stands for a client on a day; asks the database once a day for the salt."""
        if day not in self._salts:
            parameters = {"day": day, "salt": secrets.token_bytes(SALT_BYTES)}
            salt = connection.execute(load_statement("search/take_salt"), parameters).scalar_one()
            self._salts = {d: s for d, s in self._salts.items() if (day - d).days == 1}
            self._salts[day] = bytes(salt)
        digest = hmac.new(self._salts[day], client.encode("utf-8", "replace"), "sha256")
        return digest.hexdigest()[:HASH_CHARS]

    def forget(self) -> None:
        """Ask for the salts anew: what a transaction that was rolled back wrote is not there."""
        self._salts.clear()
