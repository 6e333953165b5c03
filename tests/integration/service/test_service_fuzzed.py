"""The running service compared with its OpenAPI document, for valid and for invalid requests.

Schemathesis makes requests of both sorts from the document: nothing fails, every answer is one
that the document tells of, and what the document does not allow is refused. The requests are the
same in every run; RAGLINE_SOAK makes more of the first sort.
"""

from __future__ import annotations

import json
from typing import Any

import httpx2
import schemathesis
from repetition_counts import IS_SOAK, choose_count
from running_service import RunningService
from schemathesis import Case
from schemathesis.config import SchemathesisConfig

from ragline.configuration import Configuration
from retrieval_api.app import build_app

EXAMPLES = choose_count(6, 500)
DEADLINE_S = 30
# The server's parser refuses a longer URL with 400 in plain text, as the document states.
MAX_URL_CHARS = 65_535
# The service also refuses what a JSON schema cannot express, such as the order of two days.
NOT_PROMISED = "positive_data_acceptance"
PLACEHOLDER = "0"
# Existing names, used among generated names.
KNOWN = {
    "path.collection": ["handbook", "pushed", "unsynced"],
    "body.collection": ["handbook", "pushed", "unsynced"],
    "query.collection": ["handbook", "pushed", "unsynced"],
    "path.document_id": ["leave", "hours", "pushed"],
    "body.document_id": ["leave", "hours"],
    "query.source": ["handbook-articles", "inbox"],
}


def _describe_service() -> dict[str, Any]:
    return build_app(Configuration()).openapi()


def _configure() -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            # Some generated invalid examples are valid: a boolean in a query string is a string,
            # and a negated branch of a union may be another branch.
            "generation": {
                "max-examples": EXAMPLES,
                "deterministic": True,
                "mode": "positive" if IS_SOAK else "all",
            },
            "checks": {NOT_PROMISED: {"enabled": False}},
            "dictionaries": {
                place.replace(".", "-"): {"values": names} for place, names in KNOWN.items()
            },
            "parameters": {
                place: {"dictionary": place.replace(".", "-"), "probability": 0.7}
                for place in KNOWN
            },
        }
    )


# At import, so that every endpoint is a separate test.
document = schemathesis.openapi.from_dict(_describe_service(), config=_configure())


def test_requests_are_made_from_the_document_that_is_served(pushable: RunningService) -> None:
    served = httpx2.get(f"{pushable.url}/openapi.json").json()
    assert served == json.loads(json.dumps(_describe_service()))


@document.parametrize()
def test_every_response_is_in_the_document(case: Case, pushable: RunningService) -> None:
    _name_what_there_is(case)
    answer = case.call(base_url=pushable.url, timeout=DEADLINE_S)
    if len(answer.request.path_url) > MAX_URL_CHARS:
        assert answer.status_code == 400
        return
    case.validate_response(answer)


def _name_what_there_is(case: Case) -> None:
    """Replace the zeros that Schemathesis uses for parameters that a case does not test."""
    named = case.path_parameters
    is_push = case.operation.method in ("put", "delete") or case.operation.path.endswith(":bulk")
    if named.get("collection") == PLACEHOLDER:
        named["collection"] = "pushed" if is_push else "handbook"
    if named.get("document_id") == PLACEHOLDER and not is_push:
        named["document_id"] = "leave"
