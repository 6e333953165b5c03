"""Writes the current search as a shell command and as a Python program, both without a key."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pprint import pformat
from typing import Any

PLACEHOLDER = "YOUR_KEY"
# Options that only the page needs.
_PAGE_FIELDS = frozenset(["explain", "highlight", "include"])

_PYTHON = """\
import json
import urllib.request

body = {body}
request = urllib.request.Request(
    {url!r},
    json.dumps(body).encode(),
    {headers},
)
with urllib.request.urlopen(request) as answer:
    for hit in json.load(answer)["hits"]:
        print(hit["rank"], hit["score"], hit["document_id"], hit["title"])
"""


@dataclass(frozen=True, slots=True)
class CodeSamples:
    """A search as a curl command, and as a Python program without dependencies."""

    curl: str
    python: str


def write_samples(body: Mapping[str, Any], base_url: str, *, needs_key: bool) -> CodeSamples:
    """Write the samples for the body of a search. `needs_key` adds a placeholder for the key."""
    fields = {name: value for name, value in body.items() if name not in _PAGE_FIELDS}
    url = f"{base_url.rstrip('/')}/v1/search"
    headers = {"Content-Type": "application/json"}
    if needs_key:
        headers["Authorization"] = f"Bearer {PLACEHOLDER}"
    options = "".join(
        f" \\\n  -H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items()
    )
    data = shlex.quote(json.dumps(fields, ensure_ascii=False))
    return CodeSamples(
        curl=f"curl -s {shlex.quote(url)}{options} \\\n  -d {data}",
        python=_PYTHON.format(
            body=pformat(fields, sort_dicts=False, width=80), url=url, headers=headers
        ),
    )
