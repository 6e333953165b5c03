"""Creates, finds, lists and revokes API keys.

A key has the form `rag_<public id>_<secret>`. The database stores the public id and the SHA-256
hash of the secret. A slow hash is not needed, because the secret has 256 random bits and cannot be
guessed. An operator revokes a lost key by its public id.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, get_args

from ragline.errors import UnknownKeyError
from ragline.storage.statements import load_statement

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from ragline.storage.database import Database

Scope = Literal["search", "push", "feedback", "judge", "approve", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
# A key with this principal may act as any principal. It is for a service that authenticates its own
# users.
ANY_PRINCIPAL = "*"
KEY = re.compile(r"rag_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Key:
    """What a key permits. The secret is not included.

    If `collections` is None, the key permits all collections of its tenant. `principals` are the
    principals that the key may act as; `*` means all principals. If `requests_per_minute` is None,
    the key has no limit. If `expires_at` is None, it does not expire.
    """

    public_id: str
    name: str
    tenant: str
    collections: tuple[str, ...] | None
    scopes: tuple[str, ...]
    principals: tuple[str, ...]
    requests_per_minute: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def create_key(
    database: Database,
    *,
    name: str,
    tenant: str,
    scopes: Sequence[Scope] = ("search", "feedback"),
    collections: Sequence[str] | None = None,
    principals: Sequence[str] = (),
    requests_per_minute: int | None = None,
    lifetime: timedelta | None = None,
) -> str:
    """Create a key and return it. Without `lifetime`, the key does not expire.

    The key cannot be read again, because only a hash of its secret is stored.
    """
    public_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    parameters = {
        "name": name,
        "public_id": public_id,
        "secret_hash": _hash(secret),
        "tenant": tenant,
        "collections": None if collections is None else sorted(set(collections)),
        "scopes": [scope for scope in SCOPES if scope in scopes],
        "principals": sorted(set(principals)),
        "requests_per_minute": requests_per_minute,
        "lifetime": lifetime,
    }
    with database.begin() as connection:
        connection.execute(load_statement("access/insert_key"), parameters)
    return f"rag_{public_id}_{secret}"


def is_key(token: str) -> bool:
    """Whether a caller's token has the form of a key."""
    return KEY.fullmatch(token) is not None


def find_key(database: Database, token: str) -> Key | None:
    """Return the key that belongs to a token.

    Return None if the token is malformed, or if the key is unknown, expired or revoked.
    """
    parts = KEY.fullmatch(token)
    if parts is None:
        return None
    with database.connect() as connection:
        row = (
            connection.execute(load_statement("access/select_key"), {"public_id": parts[1]})
            .mappings()
            .first()
        )
    if row is None or not hmac.compare_digest(row["secret_hash"], _hash(parts[2])):
        return None
    return _read_key(row)


def has_keys(database: Database) -> bool:
    """Whether there is a key that is not revoked."""
    with database.connect() as connection:
        return bool(connection.execute(load_statement("access/has_keys")).scalar_one())


def list_keys(database: Database) -> list[Key]:
    """All keys in the order of their creation. Revoked and expired keys are included."""
    with database.connect() as connection:
        rows = connection.execute(load_statement("access/select_keys")).mappings()
        return [_read_key(row) for row in rows]


def revoke_key(database: Database, public_id: str) -> None:
    """Revoke the key with the given public id.

    Raises:
        UnknownKeyError: no key has this id, or the key is already revoked.
    """
    with database.begin() as connection:
        statement = load_statement("access/revoke_key")
        revoked = connection.execute(statement, {"public_id": public_id}).rowcount
    if revoked == 0:
        raise UnknownKeyError(
            f"the key {public_id!r} is unknown or revoked; see: ragline keys list"
        )


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _read_key(row: RowMapping) -> Key:
    collections = row["collections"]
    return Key(
        public_id=row["public_id"],
        name=row["name"],
        tenant=row["tenant"],
        collections=None if collections is None else tuple(collections),
        scopes=tuple(row["scopes"]),
        principals=tuple(row["principals"] or ()),
        requests_per_minute=row["requests_per_minute"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )
