"""The page that compares two settings for one query."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastapi import APIRouter, Request
from starlette.responses import Response

from ragline.search.messages import Hit, SearchAnswer
from retrieval_api.page.answers import answer_form
from retrieval_api.page.chunk_text import render_text
from retrieval_api.page.collection_states import first_collection
from retrieval_api.page.error_pages import PageProblem, PageRoute
from retrieval_api.page.forms import SearchForm
from retrieval_api.page.rendering import render
from retrieval_api.page.session import PageReader

PREVIEW_CHARS = 180

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class ComparedHit:
    """A hit, and the rank of its chunk on the other side.

    `other_rank` is None if the chunk is no hit on that side.
    """

    hit: Hit
    other_rank: int | None

    @property
    def preview(self) -> str:
        """The beginning of the hit's text, without markup."""
        shown = render_text(
            self.hit.text or "",
            self.hit.media_type,
            headings=self.hit.heading_path,
            title=self.hit.title,
        )
        return shown.first.striptags()[:PREVIEW_CHARS]

    @property
    def change(self) -> str:
        """The rank on the other side, in words."""
        if self.other_rank is None:
            return "only here"
        if self.other_rank == self.hit.rank:
            return "same rank"
        return f"#{self.other_rank} there"


@dataclass(frozen=True, slots=True)
class ComparedSide:
    """One of the two searches: its settings, and its hits or a problem."""

    form: SearchForm
    answer: SearchAnswer | None
    hits: list[ComparedHit]
    problem: PageProblem | None


@router.get("/compare")
def show_comparison(request: Request, caller: PageReader) -> Response:
    """Show the hits of a query with the form's settings, and with two other settings.

    The other settings are the fields `other_mode` and `other_rerank`.
    """
    given = request.query_params
    form = SearchForm.read(given, first_collection(caller), given.getlist("facet"))
    other = replace(
        form,
        mode=given.get("other_mode") or form.mode,
        rerank=given.get("other_rerank") or form.rerank,
    )
    answered = [answer_form(one, request, caller) for one in (form, other)]
    answers = [one.answer for one in answered]
    sides = [
        ComparedSide(one.form, one.answer, _compare(one.answer, against), one.problem)
        for one, against in zip(answered, reversed(answers), strict=True)
    ]
    return render(request, "compare.html", caller, form=form, sides=sides, shared=_share(answers))


def _compare(answer: SearchAnswer | None, against: SearchAnswer | None) -> list[ComparedHit]:
    ranks = {hit.receipt.id: hit.rank for hit in against.hits} if against else {}
    return [ComparedHit(hit, ranks.get(hit.receipt.id)) for hit in answer.hits] if answer else []


def _share(answers: list[SearchAnswer | None]) -> int:
    """Return how many chunks are hits on both sides."""
    found = [{hit.receipt.id for hit in answer.hits} if answer else set() for answer in answers]
    return len(found[0] & found[1])
