"""The tables of API keys and of the audit log."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, LargeBinary, Table, Text, func
from sqlalchemy.dialects.postgresql import ARRAY

from ragline.storage.schema.columns import id_column, metadata, time_column

api_keys = Table(
    "api_keys",
    metadata,
    id_column(),
    Column("name", Text, nullable=False),
    Column("public_id", Text, nullable=False, unique=True),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("collections", ARRAY(Text), nullable=True),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("principals", ARRAY(Text), nullable=True),
    Column("requests_per_minute", Integer, nullable=True),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    time_column("expires_at"),
    time_column("revoked_at"),
)

audit_events = Table(
    "audit_events",
    metadata,
    id_column(),
    Column("happened_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("request_id", Text, nullable=False),
    Column("key_id", Text, nullable=True),
    Column("tenant", Text, nullable=True),
    Column("method", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("collection", Text, nullable=True),
    Column("generation_id", BigInteger, nullable=True),
    Column("status", Integer, nullable=False),
    Index("audit_events_happened_at_idx", "happened_at"),
)
