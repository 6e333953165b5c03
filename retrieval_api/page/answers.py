"""Answers a search form with hits, with errors of fields, or with a problem.

It also says whether the form of a collection has the field `min_confidence`.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from ragline.errors import (
    IndexNotReadyError,
    InvalidSearchError,
    RaglineError,
    UnknownCollectionError,
)
from ragline.search.messages import SearchAnswer
from ragline.storage.connections import StatementError
from retrieval_api.access.callers import Caller
from retrieval_api.operations.searches import answer_search
from retrieval_api.page.error_pages import PageProblem, find_problem
from retrieval_api.page.forms import SearchForm
from retrieval_api.problems import FieldError


@dataclass(frozen=True, slots=True)
class AnsweredForm:
    """A form with its answer. If there is no answer, the form has faults or there is a problem."""

    form: SearchForm
    answer: SearchAnswer | None = None
    problem: PageProblem | None = None

    @property
    def status(self) -> int:
        """The HTTP status of the page."""
        if self.problem is not None:
            return self.problem.status
        return 422 if self.form.faults else 200


def answer_form(form: SearchForm, request: Request, caller: Caller) -> AnsweredForm:
    """Search with the fields of a form. The search is recorded."""
    search, form = form.check()
    if search is None:
        return AnsweredForm(form)
    try:
        return AnsweredForm(form, answer_search(search.to_request(), request, caller))
    except InvalidSearchError as error:
        fault = FieldError(field=error.field, message=error.reason)
        return AnsweredForm(form.with_faults([fault]))
    except (RaglineError, StatementError) as error:
        problem = find_problem(error, request)
        if problem is None:
            raise
        return AnsweredForm(form, problem=problem)


@dataclass(frozen=True, slots=True)
class ConfidenceField:
    """Whether hits of a collection have a confidence, and which minimum its settings state."""

    is_offered: bool = False
    default: float = 0.0


def find_confidence_field(caller: Caller, collection: str) -> ConfidenceField:
    """Return what the search form says about the minimum confidence in a collection.

    The form has the field if the live generation has a calibration for at least one kind of search.
    """
    searcher = caller.service.searcher
    try:
        name = caller.collection(collection).name
        live = searcher.live_generation(name, caller.tenant)
    except (IndexNotReadyError, UnknownCollectionError):
        return ConfidenceField()
    return ConfidenceField(
        is_offered=any(one["model"] is not None for one in live.calibrations or ()),
        default=searcher.settings(name, live).search.min_confidence,
    )
