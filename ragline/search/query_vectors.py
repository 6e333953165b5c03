"""What a search computes of its queries with the embedding model: vectors and token vectors."""

from __future__ import annotations

from dataclasses import dataclass

from ragline.embedder.backend import Floats
from ragline.embedder.embedder import Embedder
from ragline.search.deadline import Deadline
from ragline.search.live_generation import LiveGeneration
from ragline.search.messages import SearchRequest
from ragline.search.token_scores import RotationCache, TokenScores
from ragline.telemetry import traced


@dataclass(frozen=True, slots=True)
class QueryVectors:
    """The vectors of the queries of one request.

    `vectors` has one vector for each query, (dimension,) float32 of unit length, or None in mode
    `keyword`. `tokens` is None if the search does not use late interaction.
    """

    vectors: tuple[Floats | None, ...]
    tokens: TokenScores | None = None


NO_VECTORS = QueryVectors(())


@dataclass(frozen=True, slots=True)
class QueryEmbedder:
    """Embeds the queries of one request.

    `embedder` is None if the request needs no vectors. With `rotations`, the request needs token
    vectors too.
    """

    embedder: Embedder | None
    generation: LiveGeneration
    request: SearchRequest
    rotations: RotationCache | None
    deadline: Deadline

    @traced("embed")
    def embed(self) -> QueryVectors:
        """Embed each query once. The same forward pass gives the vector and the token vectors.

        Raises:
            SearchTimeoutError: the deadline has passed.
        """
        queries, embedder, rotations = self.request.queries, self.embedder, self.rotations
        if embedder is None:
            return QueryVectors((None,) * len(queries))
        vectors: list[Floats | None] = []
        tokens: list[Floats] = []
        for query in queries:
            self.deadline.remaining_ms()
            if rotations is None:
                vector = embedder.embed_query(query)
            else:
                vector, of_tokens = embedder.embed_query_with_tokens(query)
                tokens.append(of_tokens)
            vectors.append(None if self.request.mode == "keyword" else vector)
        if rotations is None:
            return QueryVectors(tuple(vectors))
        scores = TokenScores(self.generation, embedder, rotations, tuple(tokens))
        return QueryVectors(tuple(vectors), scores)
