"""A first release, docs/first-release.md: each of its commands runs and prints what the page shows.

The documents of the test are the beginnings of the sample documents and the paragraphs that the
golden set quotes, because the complete documents take minutes. With RAGLINE_SOAK, they are
complete.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import httpx2
import pytest
from ragline_home import Home
from repetition_counts import IS_SOAK

from ragline.configuration import load_configuration
from ragline.golden_set.reading import read_content
from ragline.lifecycle.run_context import RunContext

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "first-release.md"
EXAMPLES = REPOSITORY / "examples"
# Parts of an output that differ between runs: numbers, hashes and units of size.
VARIABLE = re.compile(r"(^…\n|…|[0-9a-f]{8,}|[+-]?\d[\d,.]*|\b[kMG]B\b)", re.MULTILINE)
# The length of the beginning of a document, and of the text before and after a quotation.
BEGINNING, CONTEXT = 1_000, 200
pytestmark = pytest.mark.timeout(1_200)


@dataclass(frozen=True)
class Step:
    """The commands of one block of the page, and the output that the page shows below them."""

    commands: list[str]
    shown: str | None


def read_steps() -> list[Step]:
    blocks = re.findall(r"```(sh|text)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    steps: list[Step] = []
    for (kind, body), following in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if kind == "sh":
            shown = following[1] if following[0] == "text" else None
            steps.append(Step(body.replace("\\\n", " ").splitlines(), shown))
    return steps


def is_as_shown(printed: str, shown: str) -> bool:
    """Whether an output is the one of the page, apart from figures and from what `…` replaces.

    A plan writes "about" before a number that it had no time to count.
    """
    parts = []
    for part in VARIABLE.split(shown.replace("about ", "")):
        if part == "…\n":
            parts.append(r"(?:.*\n)*")
        elif part == "…":
            parts.append(".*")
        elif VARIABLE.fullmatch(part):
            parts.append(r"[kMG]?B|bytes" if part.endswith("B") else r"[+-]?[\da-f][\da-f,.]*")
        else:
            parts.append(re.escape(part))
    pattern = "".join(f"(?:{part})" for part in parts)
    return re.fullmatch(pattern, printed.replace("about ", "")) is not None


def shorten(text: str, passages: list[str]) -> str:
    """The beginning of a document, and the text around each quotation."""
    places = [(0, BEGINNING)]
    for passage in passages:
        found = re.search(r"\s+".join(map(re.escape, passage.split())), text)
        if found is not None:
            places.append((found.start() - CONTEXT, found.end() + CONTEXT))
    kept = []
    paragraph_start = 0
    for paragraph in re.split(r"(?<=\n)(?=\n)", text):
        end = paragraph_start + len(paragraph)
        if any(paragraph_start < high and end > low for low, high in places):
            kept.append(paragraph)
        paragraph_start = end
    return "".join(kept)


def write_documents(folder: Path) -> None:
    """Write the sample documents that the tutorial uses, and one small document for each other."""
    (folder / "handbook").mkdir()
    (folder / "handbook" / "removals.md").write_text("A removal is held.\n", "utf-8")
    glossary = (EXAMPLES / "glossary.jsonl").read_text("utf-8").splitlines()
    (folder / "glossary.jsonl").write_text(glossary[0], "utf-8")
    quoted = defaultdict(list)
    for judgement in read_content(folder / "golden" / "peps").judgements.values():
        if judgement.passage is not None:
            quoted[judgement.document_id].append(judgement.passage)
    (folder / "peps").mkdir()
    for path in (EXAMPLES / "peps").iterdir():
        text = path.read_text("utf-8")
        kept = text if IS_SOAK else shorten(text, quoted[path.name])
        (folder / "peps" / path.name).write_text(kept, "utf-8")


@pytest.fixture
def home(
    tmp_path: Path,
    database_url: str,
    model_cache: Path,
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], object],
    monkeypatch: pytest.MonkeyPatch,
) -> Home:
    """A clone with the sample, after the first sync."""
    examples = tmp_path / "examples"
    shutil.copytree(EXAMPLES / "golden", examples / "golden")
    shutil.copy(EXAMPLES / "ragline.yaml", examples)
    write_documents(examples)
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "sample"]):
        name = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", *name, *command], cwd=tmp_path, check=True)
    (examples / ".ragline").mkdir()
    model_cache.mkdir(exist_ok=True)
    (examples / ".ragline" / "models").symlink_to(model_cache)
    monkeypatch.setenv("RAGLINE_DATABASE_URL", database_url)
    run_stages(make_run_context(load_configuration(examples / "ragline.yaml")))
    monkeypatch.setenv("RAGLINE_CONFIG", "examples/ragline.yaml")
    return Home(tmp_path, database_url)


@dataclass
class Traffic:
    """Searches of a client, one after another: when each began, its status and its generation."""

    client: httpx2.Client
    answers: list[tuple[float, int, int]] = field(default_factory=list)

    @contextmanager
    def run(self) -> Iterator[None]:
        """Send searches until the block ends, and for at least half a second after it."""
        is_over = threading.Event()
        thread = threading.Thread(target=self._send, args=(is_over,))
        thread.start()
        try:
            yield
            time.sleep(0.5)
        finally:
            is_over.set()
            thread.join()

    def list_generations(self) -> list[int]:
        """The generations that answered, in the order of the searches, each named once."""
        assert {status for _, status, _ in self.answers} == {200}
        return [generation for generation, _ in groupby(one for _, _, one in self.answers)]

    def _send(self, is_over: threading.Event) -> None:
        body = {"collection": "peps", "query": "line length", "top_k": 1}
        while not is_over.wait(0.05):
            began_at = time.monotonic()
            answer = self.client.post("/v1/search", json=body)
            self.answers.append((began_at, answer.status_code, answer.json()["generation"]))


def run_command(home: Home, command: str, port: int) -> str:
    """Run one line of the page. Return its output, or its error if it prints no output."""
    code, _, status = command.partition("   # exit status ")
    if code.startswith("ragline "):
        return home.run(*shlex.split(code)[1:], status=int(status or 0)) or home.errors
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code.replace("localhost:8000", f"127.0.0.1:{port}")],
        cwd=home.folder, env=home.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


def test_each_command_of_the_page_prints_what_it_shows(home: Home) -> None:
    start, *steps = read_steps()
    assert start.commands[0].startswith("export ")
    with home.serve() as client:
        port, traffic = client.base_url.port, Traffic(client)
        assert port is not None
        for step in steps:
            is_rollback = step.commands[0].startswith("ragline generation rollback")
            with traffic.run() if is_rollback else nullcontext():
                printed = run_command(home, step.commands[0], port)
                ended_at = time.monotonic()
                printed += "".join(run_command(home, one, port) for one in step.commands[1:])
            assert step.shown is not None, step.commands
            assert is_as_shown(printed, step.shown), f"{step.commands}\n{printed}"
            if is_rollback:
                candidate, before = traffic.list_generations()
                after = {one for began_at, _, one in traffic.answers if began_at > ended_at}
                assert after == {before} != {candidate}
