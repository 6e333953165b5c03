"""Late interaction in a search: the scores of candidates from their stored token codes.

A candidate whose text has no stored codes gets them here, with the model, so that each candidate
has the score that it would have with stored codes. If its embedding space has no rotation yet, the
token vectors of all candidates are computed and compared as floats. `ragline.embedder.token_codes`
has the formula, and `rerank_stage` sorts the candidates by the scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from ragline.embedder.backend import Floats
from ragline.embedder.embedder import Embedder
from ragline.embedder.token_codes import TokenRotation, score_codes
from ragline.errors import RaglineError, RerankingError
from ragline.rerankers import LATE_INTERACTION
from ragline.rerankers.late_interaction import late_interaction_scores
from ragline.search.deadline import Deadline
from ragline.search.live_generation import LiveGeneration
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.pipelines import Answer, Pipeline, pipelined
from ragline.storage.statements import load_statement


class RotationCache:
    """The rotations of embedding spaces of one database. Several threads can use it.

    A stored rotation never changes, so it is read once. A missing rotation is looked for again by
    the next search.
    """

    def __init__(self) -> None:
        self._rotations: dict[str, TokenRotation] = {}

    def find(self, space_fingerprint: str) -> TokenRotation | None:
        """Return the rotation of an embedding space, or None if it was not read yet."""
        return self._rotations.get(space_fingerprint)

    def store(self, space_fingerprint: str, stored: bytes | None) -> TokenRotation | None:
        """Keep a rotation as the database stores it, and return it. None means none."""
        if stored is None:
            return None
        rotation = TokenRotation.read(bytes(stored))
        self._rotations[space_fingerprint] = rotation
        return rotation


@dataclass(frozen=True, slots=True)
class SentCodes:
    """The statements that read token codes in a pipeline: the codes, and the rotation or None."""

    codes: Answer
    rotation: Answer | None


@dataclass
class TokenScores:
    """The late interaction of one search. It reads the codes of each candidate only once.

    `query_tokens` has the token vectors of each query: (tokens, dimension) float32. `first_scores`
    has the scores of the candidates that were reranked before the feedback pass.
    """

    generation: LiveGeneration
    embedder: Embedder
    rotations: RotationCache
    query_tokens: tuple[Floats, ...]
    first_scores: dict[int, float] = field(default_factory=dict)
    _rotation: TokenRotation | None = None
    _codes: dict[int, bytes] = field(default_factory=dict)
    _texts: dict[int, str] = field(default_factory=dict)
    _tokens: dict[int, Floats] = field(default_factory=dict)

    def send(self, pipeline: Pipeline, ids: Sequence[int]) -> SentCodes | None:
        """Send what reads the codes of candidates. None if all of them were read before."""
        unread = [id_ for id_ in ids if id_ not in self._codes and id_ not in self._texts]
        if not unread:
            return None
        statement = load_generation_statement("search/select_token_codes", self.generation.id)
        space = {"space_fingerprint": self.generation.space_fingerprint}
        codes = pipeline.send(statement, {**space, "ids": unread})
        # The rotation is read after the codes. So it exists if one of the codes exists.
        rotation = None
        if self.rotations.find(self.generation.space_fingerprint) is None:
            rotation = pipeline.send(load_statement("search/select_token_rotation"), space)
        return SentCodes(codes, rotation)

    def receive(self, sent: SentCodes | None) -> None:
        """Keep the codes that a pipeline has read, and the texts of candidates without codes."""
        if sent is None:
            return
        space = self.generation.space_fingerprint
        self._rotation = self.rotations.find(space)
        if sent.rotation is not None:
            found = sent.rotation.first()
            stored = None if found is None else found["token_rotation"]
            self._rotation = self.rotations.store(space, stored)
        for row in sent.codes.all():
            if row["codes"] is None:
                self._texts[row["id"]] = row["text"]
            else:
                self._codes[row["id"]] = row["codes"]

    def read(self, connection: Connection, ids: Sequence[int], deadline: Deadline) -> None:
        """Read the codes of candidates, and the texts of those that have none."""
        with pipelined(connection) as pipeline:
            deadline.send_limit(pipeline)
            sent = self.send(pipeline, ids)
        self.receive(sent)

    def score(self, ids: Sequence[int], deadline: Deadline) -> list[float]:
        """Return the score of each candidate for its best query, in the order of `ids`.

        `read` or `receive` must have read the candidates. A candidate that was deleted before has
        the score 0.

        Raises:
            RerankingError: the model failed.
            SearchTimeoutError: the deadline has passed.
        """
        scores = [self.score_query(ids, place, deadline) for place in range(len(self.query_tokens))]
        return [max(of_entry) for of_entry in zip(*scores, strict=True)]

    def score_query(self, ids: Sequence[int], place: int, deadline: Deadline) -> list[float]:
        """Return the score of each candidate for the query with the index `place`."""
        deadline.remaining_ms()
        try:
            self._complete(ids)
            tokens = self.query_tokens[place]
            if self._rotation is None:
                return late_interaction_scores(tokens, [self._tokens[id_] for id_ in ids])
            codes = [self._codes.get(id_, b"") for id_ in ids]
            return score_codes(self._rotation, tokens, codes)
        except RaglineError:
            raise
        except Exception as error:
            cause = f"{type(error).__name__}: {error}"
            raise RerankingError(f"reranker {LATE_INTERACTION} failed: {cause}") from error

    def score_first(self, ids: Sequence[int], place: int, deadline: Deadline) -> list[float]:
        """Return `score_query` for candidates before the feedback pass, and keep the scores."""
        scores = self.score_query(ids, place, deadline)
        for id_, score in zip(ids, scores, strict=True):
            self.first_scores[id_] = max(score, self.first_scores.get(id_, score))
        return scores

    def _complete(self, ids: Sequence[int]) -> None:
        """Compute what is not stored of some candidates."""
        if self._rotation is None:
            missing = [id_ for id_ in ids if id_ not in self._tokens]
            texts = [self._texts.get(id_, "") for id_ in missing]
            self._tokens |= dict(zip(missing, self.embedder.embed_tokens(texts), strict=True))
            return
        missing = [id_ for id_ in ids if id_ in self._texts and id_ not in self._codes]
        texts = [self._texts[id_] for id_ in missing]
        self._codes |= dict(
            zip(missing, self.embedder.encode_texts(texts, self._rotation), strict=True)
        )
