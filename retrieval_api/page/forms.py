"""Reads the fields of the page's forms as the visitor typed them, and finds errors in them.

The API's `SearchBody` validates the search form, so page and API report equal errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request

from ragline.storable_text import clean_value
from retrieval_api.messages.search import MAX_TOP_K, SearchBody
from retrieval_api.page.facet_groups import build_condition
from retrieval_api.problem_handlers import describe_invalid_fields
from retrieval_api.problems import FieldError

MODES = ("hybrid", "vector", "keyword")
RERANKERS = ("off", "configured", "late_interaction", "cross_encoder")
DEFAULT_TOP_K = "10"
MAX_FACETS = 20
# A form of the review screen has a field for each document, and seven others.
MAX_FORM_FIELDS = 60
PERIODS_DAYS = (7, 30)
_FIELDS = {"query": "q"}
_ADDRESS_FIELDS = ("collection", "q", "mode", "rerank", "filter", "top_k", "min_confidence")
_DECIMAL = re.compile(r"[0-9]{0,3}\.?[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class SearchForm:
    """The fields of the search form, as they were sent. `faults` are the errors, by field.

    `facets` are the conditions that the visitor selected. `filter` is JSON with other conditions.
    With an empty `min_confidence`, the value of the collection's settings applies.
    """

    collection: str
    q: str = ""
    mode: str = MODES[0]
    rerank: str = RERANKERS[0]
    filter: str = ""
    top_k: str = DEFAULT_TOP_K
    min_confidence: str = ""
    facets: tuple[str, ...] = ()
    faults: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, given: Mapping[str, str], collection: str, facets: Sequence[str] = ()) -> Self:
        """Read the form from a query string. A missing or blank field has its default."""
        stated = {name: text for name, text in given.items() if text.strip()}
        return cls(
            collection=stated.get("collection", collection),
            q=stated.get("q", ""),
            mode=stated.get("mode", MODES[0]),
            rerank=stated.get("rerank", RERANKERS[0]),
            filter=stated.get("filter", ""),
            top_k=stated.get("top_k", DEFAULT_TOP_K),
            min_confidence=stated.get("min_confidence", ""),
            facets=tuple(dict.fromkeys(one for one in facets if one.strip()))[:MAX_FACETS],
        )

    @property
    def has_query(self) -> bool:
        """Whether the query is not blank."""
        return bool(self.q.strip())

    @property
    def max_top_k(self) -> int:
        return MAX_TOP_K

    @property
    def has_options(self) -> bool:
        """Whether a field other than the query and the collection is set or has an error."""
        plain = SearchForm(self.collection, self.q, facets=self.facets, faults=self.faults)
        return self != plain or bool(self.faults.keys() - {"q", "collection"})

    def address_fields(self, **changes: Any) -> list[tuple[str, str]]:
        """Return the fields of a URL that repeats this search, with changes."""
        form = replace(self, **changes)
        plain = SearchForm(form.collection)
        fields = [
            (name, getattr(form, name))
            for name in _ADDRESS_FIELDS
            if name == "collection" or getattr(form, name) != getattr(plain, name)
        ]
        return fields + [("facet", facet) for facet in form.facets]

    def query_string(self, **changes: Any) -> str:
        """Return the query string of a URL that repeats this search, with changes."""
        return urlencode(self.address_fields(**changes))

    def with_facet(self, facet: str) -> str:
        """Return the query string with an additional facet."""
        return replace(self, facets=(*self.facets, facet)).query_string()

    def without_facet(self, facet: str) -> str:
        """Return the query string without a facet."""
        remaining = tuple(one for one in self.facets if one != facet)
        return replace(self, facets=remaining).query_string()

    def to_body(self) -> dict[str, Any]:
        """Return the search as a body for the API, without default values.

        Raises:
            InvalidFieldError: a field is malformed.
        """
        body = self._to_body()
        defaults = {"mode": MODES[0], "rerank": RERANKERS[0]}
        return {name: value for name, value in body.items() if defaults.get(name) != value}

    def check(self) -> tuple[SearchBody | None, Self]:
        """Return the search of the form, with explanations and highlights, and the form.

        If the form is invalid, the search is None, and the returned form has the faults.
        """
        try:
            return SearchBody.model_validate(self._to_body()), self
        except ValidationError as error:
            found = [{**fault, "loc": ("query", *fault["loc"])} for fault in error.errors()]
            return None, self.with_faults(describe_invalid_fields(found))
        except InvalidFieldError as error:
            return None, self.with_faults([error.fault])

    def with_faults(self, errors: list[FieldError]) -> Self:
        """Return the form with the API's errors assigned to its fields.

        Each field has only its first error. An error in a part of the filter names the part.
        """
        faults: dict[str, str] = {}
        for error in errors:
            name, _, part = error.field.partition(".")
            message = f"{part}: {error.message}" if part else error.message
            faults.setdefault(_FIELDS.get(name, name), message)
        return replace(self, faults=faults)

    def _to_body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "collection": self.collection,
            "query": self.q,
            "mode": self.mode,
            # The form calls this option `configured`, and the API calls it true.
            "rerank": True if self.rerank == "configured" else self.rerank,
            "top_k": _read_number(self.top_k),
            "explain": True,
            "highlight": True,
            "include": ["text", "neighbours"],
        }
        if self.min_confidence:
            body["min_confidence"] = _read_decimal(self.min_confidence)
        stated = [_read_json(self.filter)] if self.filter.strip() else []
        if self.facets:
            stated.insert(0, _read_facets(self.facets))
        if stated:
            body["filter"] = stated[0] if len(stated) == 1 else {"and": stated}
        return body


class InvalidFieldError(Exception):
    """A field of the form is malformed."""

    def __init__(self, fault: FieldError) -> None:
        super().__init__(fault.message)
        self.fault = fault


def _read_number(text: str) -> object:
    """Return the number in a text. Any other text is returned unchanged, so validation fails."""
    stripped = text.strip()
    is_number = stripped.isascii() and stripped.isdigit() and len(stripped) < 10
    return int(stripped) if is_number else text


def _read_decimal(text: str) -> object:
    """Return the number in a text, as `_read_number` does, but with decimals."""
    stripped = text.strip()
    return float(stripped) if _DECIMAL.fullmatch(stripped) else text


def _read_facets(facets: Sequence[str]) -> object:
    try:
        return build_condition(facets)
    except ValueError:
        message = "each facet must be a field and a value, such as source:handbook"
    raise InvalidFieldError(FieldError(field="filter", message=message))


def _read_json(text: str) -> object:
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        message = f"not valid JSON: {error.msg} at character {error.pos}"
    except UnicodeEncodeError:
        message = "must not contain half of a surrogate pair"
    except (ValueError, RecursionError):
        message = "not valid JSON: a number or its nesting is too large"
    else:
        return value
    raise InvalidFieldError(FieldError(field="filter", message=message))


def read_text_fields(request: Request) -> dict[str, str]:
    """Return the fields of a URL, as text that Postgres can store."""
    return {name: clean_value(text) for name, text in request.query_params.items()}


def read_period_days(text: str | None) -> int:
    """Return the number of days that the charts show. It is one of PERIODS_DAYS.

    The default is the first one.
    """
    return next((days for days in PERIODS_DAYS if str(days) == text), PERIODS_DAYS[0])


async def read_posted_fields(request: Request) -> dict[str, str]:
    """Return the fields of a posted form. If a field is repeated, its last value is used.

    Starlette is not used, because it needs another package to read a form. The limit on the size of
    a body also applies here.

    Raises:
        RequestValidationError: the body is not a form, or it has more fields than the page's forms.
    """
    body = await request.body()
    try:
        text = body.decode("ascii")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS))
    except ValueError:
        fault = {"type": "form", "loc": ("body",), "msg": "must be a form of this page"}
        raise RequestValidationError([fault]) from None
