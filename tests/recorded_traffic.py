"""Writes records of searches as the service does, for any time, with chosen shares of events."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
from sqlalchemy import text

from ragline.storage.database import Database
from ragline.storage.statements import load_statement

CLICK = """
insert into ragline.hit_feedback (request_id, entry_id, kind, document_id, rank, given_at)
select (r ->> 'id')::uuid, 1, 'click', 'a', 1, (r ->> 'given_at')::timestamptz
from jsonb_array_elements(cast(:clicks as jsonb)) as r
"""


@dataclass
class Traffic:
    """Searches of one collection. The shares are those of independent searches."""

    database: Database
    collection: str
    chance: np.random.Generator
    empty: float = 0.03
    unsure: float = 0.1
    clicked: float = 0.3
    stale: float = 0.01
    median_ms: float = 20.0

    def add(
        self,
        generation: int,
        start: datetime,
        span: timedelta,
        count: int,
        **columns: object,
    ) -> None:
        """Add searches at random times of a span. `columns` are the same for all of them."""
        rows, clicks = [], []
        for after in np.sort(self.chance.random(count)):
            requested_at = start + span * float(after)
            request_id = UUID(bytes=self.chance.bytes(16), version=4)
            is_empty = self.chance.random() < self.empty
            rows.append(
                {
                    "id": str(request_id),
                    "requested_at": requested_at.isoformat(),
                    "collection": self.collection,
                    "generation_id": generation,
                    "query": "",
                    "mode": "hybrid",
                    "top_k": 10,
                    "is_reranked": False,
                    "hit_count": 0 if is_empty else 10,
                    "embed_ms": 3.0,
                    "retrieve_ms": 5.0,
                    "rerank_ms": 0.0,
                    "total_ms": float(self.median_ms * np.exp(0.4 * self.chance.normal())),
                    "hits": [],
                    "best_confidence": None if is_empty else self._choose_confidence(),
                    "stale_count": int(self.chance.random() < self.stale),
                    "tenant": "default",
                    "client": f"client-{self.chance.integers(500)}",
                    **columns,
                }
            )
            if self.chance.random() < self.clicked:
                given_at = requested_at + timedelta(seconds=20)
                clicks.append({"id": str(request_id), "given_at": given_at.isoformat()})
        with self.database.begin() as connection:
            statement = load_statement("search/insert_requests")
            connection.execute(statement, {"records": json.dumps(rows)})
            connection.execute(text(CLICK), {"clicks": json.dumps(clicks)})

    def _choose_confidence(self) -> float:
        return 0.1 if self.chance.random() < self.unsure else 0.8
