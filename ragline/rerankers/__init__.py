"""Rerankers: models that score texts against a query by reading both.

`reranker` says what a reranker does and loads the one that a setting names; each kind has a module
of its own. Which candidates are scored, and how the scores order the answer, is
`ragline.search.rerank_stage`.
"""

from __future__ import annotations

# The value of the setting `reranker` that uses the embedding model's own token vectors.
LATE_INTERACTION = "late-interaction"
