"""The page of an index card: what a generation was made from, how it was judged, what it lacks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from ragline.index_card.gathering import make_card
from ragline.index_card.markdown import list_gaps
from retrieval_api.messages.fields import MAX_ROW_ID
from retrieval_api.page import card_views
from retrieval_api.page.collection_states import first_collection
from retrieval_api.page.error_pages import PageRoute
from retrieval_api.page.forms import read_text_fields
from retrieval_api.page.gate_views import BADGES, VERDICTS, name_check
from retrieval_api.page.generation_views import STATE_BADGES, STATE_MEANINGS
from retrieval_api.page.rendering import render
from retrieval_api.page.session import PageAdmin

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/generations/{generation_id}/card")
def show_card(
    generation_id: Annotated[int, Path(ge=1, le=MAX_ROW_ID)], request: Request, caller: PageAdmin
) -> Response:
    """Show the index card of a generation. It contains no text of a document and no query."""
    name = read_text_fields(request).get("collection") or first_collection(caller)
    collection = caller.collection(name).name
    card = make_card(caller.database, caller.service.configuration, collection, generation_id)
    return render(
        request,
        "index_card.html",
        caller,
        card=card,
        badge=STATE_BADGES.get(card.state, ""),
        meaning=STATE_MEANINGS[card.state],
        verdicts=VERDICTS,
        badges_of=BADGES,
        name_check=name_check,
        gaps=list_gaps(card.gaps),
        views=card_views,
    )
