"""The term weights of a generation's entries, which BM25 computes with an average length.

`entry_writer` computes the weights of new entries. This module computes all weights of a generation
again when its average length has changed.
"""

from __future__ import annotations

from sqlalchemy import Connection

from ragline.lifecycle.generations import Generation, check_is_open
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement

# Term weights are computed again when the average length differs by more than this ratio from the
# length that they were computed with.
LENGTH_TOLERANCE = 0.05


def update_term_weights(connection: Connection, generation: Generation) -> bool:
    """Update a generation's term weights if its average length has changed too much.

    Returns whether the weights were updated. BM25 divides by the average length of all entries, so
    every new entry changes the average. LENGTH_TOLERANCE limits the difference. Writers of entries
    wait until the transaction ends. A promotion or a rollback does not wait, because an update of
    all entries can take minutes. If another process updates the weights now, nothing happens.

    Raises:
        GenerationGoneError: another run has abandoned or dropped the generation.
    """
    parameters: dict[str, object] = {"generation_id": generation.id}
    statement = load_statement("lifecycle/try_term_weights_lock")
    if not connection.execute(statement, parameters).scalar_one():
        return False
    statement = load_statement("lifecycle/exclude_writers")
    locked = connection.execute(statement, parameters).one()
    check_is_open(generation.id, locked.state)
    if not locked.entry_count or locked.weighted_length is None:
        return False
    average = locked.lexeme_count / locked.entry_count
    if abs(average - locked.weighted_length) <= LENGTH_TOLERANCE * locked.weighted_length:
        return False
    parameters["average_length"] = average
    statement = load_generation_statement("lifecycle/update_term_weights", generation.id)
    connection.execute(statement, parameters)
    connection.execute(load_statement("lifecycle/set_weighted_length"), parameters)
    return True
