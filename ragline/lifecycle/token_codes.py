"""Token codes of stored texts: the rotation of an embedding space, and codes for older vectors.

`embeddings` stores the codes of new vectors together with the vectors. Vectors that a release
without token codes has stored get their codes here, after the other work of the stage `embed`.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from sqlalchemy import Connection, Row

from ragline.embedder.token_codes import TokenRotation
from ragline.lifecycle.generations import Generation
from ragline.lifecycle.run_context import RunContext
from ragline.storage.statements import load_statement

# The stage `embed` makes missing codes for at most this time in each run and for each embedding
# space. The next run continues. So a change of a source waits at most this long for the codes.
BACKFILL_S = 20.0
# The number of texts whose codes are committed together. It takes two to four seconds on two cores.
BACKFILL_TEXTS = 128


def find_rotation(run_context: RunContext, generation: Generation) -> TokenRotation | None:
    """Return the rotation of a generation's embedding space. If it has none, fit and store one.

    All processes use the rotation that was stored first. The result is None if the model has less
    than eight dimensions. Such a space has no token codes.

    Raises:
        ModelUnavailableError: the model cannot be loaded.
    """
    with run_context.database.connect() as connection:
        stored = _read_rotation(connection, generation)
    if stored is not None:
        return stored
    fitted = run_context.embedder(generation.model).fit_rotation()
    if fitted is None:
        return None
    with run_context.database.begin() as connection:
        connection.execute(
            load_statement("lifecycle/set_token_rotation"),
            _bind(generation, rotation=fitted.write()),
        )
        return _read_rotation(connection, generation)


def code_older_texts(run_context: RunContext, generation: Generation) -> int:
    """Make the token codes that stored vectors of an embedding space lack, for at most BACKFILL_S.

    Returns the number of texts that got codes. If the time ends, the next call continues. After
    all vectors have codes, further calls return at once.

    Raises:
        ModelUnavailableError: the model cannot be loaded.
    """
    if _is_coded(run_context, generation):
        return 0
    space = run_context.space(generation.model)
    if space.fingerprint != generation.space_fingerprint:
        # The files of the model have changed, so its codes would not fit to the stored vectors.
        return 0
    ends_at = perf_counter() + BACKFILL_S
    made, after = 0, b""
    while True:
        found, after = _code_batch(run_context, generation, after)
        made += found
        if after == b"":
            _is_coded(run_context, generation)
            return made
        if perf_counter() > ends_at:
            return made


def _is_coded(run_context: RunContext, generation: Generation) -> bool:
    """Whether all vectors of an embedding space have codes. If this becomes true, record it."""
    with run_context.database.begin() as connection:
        if _select_space(connection, generation).coded_at is None:
            connection.execute(load_statement("lifecycle/set_coded"), _bind(generation))
        return _select_space(connection, generation).coded_at is not None


def _code_batch(run_context: RunContext, generation: Generation, after: bytes) -> tuple[int, bytes]:
    """Make the codes of one batch of texts.

    Returns the number of texts that got codes, and the last hash, which is empty after the last
    batch.
    """
    with run_context.database.begin() as connection:
        statement = load_statement("lifecycle/claim_uncoded_texts")
        parameters = _bind(generation, after=after, limit=BACKFILL_TEXTS)
        rows = connection.execute(statement, parameters).all()
        if not rows:
            return 0, b""
        wanted = [(bytes(row.text_hash), row.text) for row in rows if row.text is not None]
        rotation = find_rotation(run_context, generation) if wanted else None
        if rotation is not None:
            embedder = run_context.embedder(generation.model)
            codes = embedder.encode_texts([text for _, text in wanted], rotation)
            connection.execute(
                load_statement("lifecycle/insert_older_codes"),
                _bind(generation, text_hashes=[one for one, _ in wanted], codes=codes),
            )
        return len(wanted) if rotation is not None else 0, bytes(rows[-1].text_hash)


def _read_rotation(connection: Connection, generation: Generation) -> TokenRotation | None:
    stored = _select_space(connection, generation).token_rotation
    return None if stored is None else TokenRotation.read(bytes(stored))


def _select_space(connection: Connection, generation: Generation) -> Row[Any]:
    statement = load_statement("lifecycle/select_token_rotation")
    return connection.execute(statement, _bind(generation)).one()


def _bind(generation: Generation, **more: object) -> dict[str, object]:
    return {"embedding_space_id": generation.embedding_space_id, **more}
