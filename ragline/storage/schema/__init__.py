"""Declares the shared tables with SQLAlchemy Core, in one module for each subject.

The migrations in sql/migrations create these tables. A test compares the migrated schema with the
declarations. The table of entries of a generation is not declared here; sql/generation.sql creates
it.
"""

from ragline.storage.schema.access_tables import api_keys, audit_events
from ragline.storage.schema.columns import SCHEMA, metadata
from ragline.storage.schema.document_tables import (
    chunkings,
    chunks,
    document_transitions,
    documents,
    embedding_requests,
    embeddings,
    parses,
    push_versions,
    pushed_documents,
    source_notes,
    sources,
)
from ragline.storage.schema.gate_tables import gate_reports, generation_approvals, releases
from ragline.storage.schema.history_tables import (
    clock_readings,
    removal_receipts,
    source_syncs,
    sync_proofs,
)
from ragline.storage.schema.index_tables import (
    calibrations,
    collections,
    embedding_spaces,
    generation_transitions,
    generations,
    lexemes,
    placements,
)
from ragline.storage.schema.search_tables import (
    client_salts,
    evaluations,
    feedback,
    hit_feedback,
    promotion_watches,
    quality_figures,
    search_requests,
    shadow_reads,
)

__all__ = [
    "SCHEMA",
    "api_keys",
    "audit_events",
    "calibrations",
    "chunkings",
    "chunks",
    "client_salts",
    "clock_readings",
    "collections",
    "document_transitions",
    "documents",
    "embedding_requests",
    "embedding_spaces",
    "embeddings",
    "evaluations",
    "feedback",
    "gate_reports",
    "generation_approvals",
    "generation_transitions",
    "generations",
    "hit_feedback",
    "lexemes",
    "metadata",
    "parses",
    "placements",
    "promotion_watches",
    "push_versions",
    "pushed_documents",
    "quality_figures",
    "releases",
    "removal_receipts",
    "search_requests",
    "shadow_reads",
    "source_notes",
    "source_syncs",
    "sources",
    "sync_proofs",
]
