"""GET /v1/collections/{collection}/generations/{generation_id}/card."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from ragline.index_card.gathering import make_card
from ragline.storage import MAX_ROW_ID
from retrieval_api.access.callers import AdminCaller
from retrieval_api.messages.index_card import IndexCard
from retrieval_api.openapi import describe_problems
from retrieval_api.problems import (
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    UNKNOWN_COLLECTION,
    UNKNOWN_GENERATION,
)

router = APIRouter(tags=["generations"])

GenerationId = Annotated[int, Path(ge=1, le=MAX_ROW_ID)]


@router.get(
    "/v1/collections/{collection}/generations/{generation_id}/card",
    summary="Get the index card of a generation",
    responses=describe_problems(
        UNKNOWN_COLLECTION, UNKNOWN_GENERATION, INVALID_REQUEST, DATABASE_UNAVAILABLE
    ),
)
def show_card(collection: str, generation_id: GenerationId, caller: AdminCaller) -> IndexCard:
    """Return the sources, model and settings of a generation, its figures and its known gaps.

    The index card contains no text of a document, no document id and no query.
    """
    settings = caller.collection(collection)
    configuration = caller.service.configuration
    card = make_card(caller.database, configuration, settings.name, generation_id)
    return IndexCard.model_validate(card)
