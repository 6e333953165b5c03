"""What searches see is served to the end before a build takes its time."""

from __future__ import annotations

from ragline.lifecycle.embeddings import embed_early
from ragline.lifecycle.entries import place_early
from ragline.lifecycle.generations import Generation, work_on_each
from ragline.lifecycle.run_context import RunContext


def serve_live(run_context: RunContext, source_name: str, source_id: int, live: Generation) -> None:
    """Embed and place what the live generation lacks of a source, and settle its documents.

    The stages after this one find it done and report it. What fails is in `run_context.failures`;
    removals do not wait for a model.
    """
    work_on_each(
        run_context, [live], lambda one: embed_early(run_context, source_name, source_id, one)
    )
    work_on_each(
        run_context, [live], lambda one: place_early(run_context, source_name, source_id, one)
    )
