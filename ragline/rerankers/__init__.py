"""Rerankers: models that score texts against a query by reading both.

`reranker` says what a reranker does and loads the one that a setting names; each kind has a module
of its own. `ragline.search.rerank_stage` decides which candidates are scored and how the scores
order the answer.
"""

from __future__ import annotations

# The value of the setting `reranker` that uses the embedding model's own token vectors.
LATE_INTERACTION = "late-interaction"
# Values of the setting `reranker` that select a class of this package, as `module:class`. The class
# is made from the collection's embedder. Every other value is the name of a CrossEncoder.
NAMED_RERANKERS = {LATE_INTERACTION: "late_interaction:LateInteractionReranker"}
