"""Reads pages of the service as elements, and signs in as a visitor does."""

from __future__ import annotations

from typing import Any

import httpx2
from lxml import html

HERE = {"sec-fetch-site": "same-origin"}


def read(answer: httpx2.Response) -> Any:
    """The page of a response, as elements."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return html.fromstring(answer.text)


def words(element: Any) -> str:
    """The visible text of an element, in one line."""
    return " ".join(element.text_content().split())


def find(page: Any, name: str) -> list[Any]:
    """The elements of a class."""
    found: list[Any] = page.find_class(name)
    return found


def look(client: httpx2.Client, path: str, **parameters: str) -> Any:
    answer = client.get(path, params=parameters or None)
    assert answer.status_code == 200, answer.text
    return read(answer)


def sign_in(client: httpx2.Client, key: str, wanted: str = "/") -> httpx2.Response:
    return client.post("/sign-in", data={"key": key, "wanted": wanted}, headers=HERE)


def plots(page: Any) -> dict[str, Any]:
    """The charts of a page by title."""
    return {words(figure.xpath(".//h3")[0]): figure for figure in page.iter("figure")}


def cells(figure: Any) -> list[list[str]]:
    """The values of a chart, from its table."""
    return [[words(cell) for cell in row] for row in figure.xpath(".//tbody/tr")]
