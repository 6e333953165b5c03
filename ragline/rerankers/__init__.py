"""Rerankers: models that score texts by their relevance to a query.

`reranker` defines the interface, and it loads the reranker that a setting names. Each kind of
reranker has its own module. `ragline.search.rerank_stage` decides which candidates are scored and
how the scores order the hits.
"""

from __future__ import annotations

# The value of the setting `reranker` that compares token vectors of the embedding model.
LATE_INTERACTION = "late-interaction"
# The values of the setting `reranker` that select a class of this package, as `module:class`. The
# constructor of the class receives the collection's embedder. Every other value is the name of a
# CrossEncoder.
NAMED_RERANKERS = {LATE_INTERACTION: "late_interaction:LateInteractionReranker"}
