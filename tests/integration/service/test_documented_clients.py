"""The examples of docs/clients.md run and print what they show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from running_service import RunningService

PAGE = Path(__file__).parents[3] / "docs" / "clients.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
SHOWN_URL = "http://localhost:8000"


def name_example(code: str) -> str:
    """The package of an example: the last that it imports."""
    return re.findall(r"^(?:from|import) ([\w.]+)", code, re.MULTILINE)[-1]


def test_every_client_has_an_example() -> None:
    assert [name_example(code) for code in EXAMPLES] == [
        "openai",
        "cohere",
        "mcp.client",
        "ragline.client",
        "ragline.client.langchain",
        "ragline.client.llamaindex",
    ]


@pytest.mark.parametrize("code", EXAMPLES, ids=name_example)
def test_example_runs_and_prints(
    running: RunningService, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert SHOWN_URL in code
    names: dict[str, object] = {}
    exec(code.replace(SHOWN_URL, running.url), names)  # noqa: S102  the page's own examples
    if "ai" in names:
        names["ai"].close()  # type: ignore[attr-defined]
    shown = capsys.readouterr().out.strip()
    assert shown
    assert "[]" not in shown
