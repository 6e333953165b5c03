"""A real documentation tree and three real steps of its history, replayed file by file.

The real readers and the real chunker; the embedder hashes, since the whole tree outside the
repository has 23,000 texts. That the real one does the same is measured by the churn benchmark.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from lifecycle_doubles import HashEmbedder, WordTokenizer, sync
from sqlalchemy import text

from ragline.configuration import CollectionSettings, Configuration
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.sync_proof import prove_source
from ragline.sources.files.settings import FilesSettings
from ragline.status import read_documents

HISTORY = Path(__file__).parents[1] / "data" / "peps"
STEPS = ("01", "02", "03")


class Replay:
    """The tree as it is now, and the lifecycle over it."""

    def __init__(self, database, home: Path, data: Path) -> None:
        self.data, self.tree = data, home / "tree"
        self.database, self.home = database, home
        self.embedder = HashEmbedder()
        shutil.copytree(data / "base", self.tree)

    def apply(self, step: str) -> None:
        """One step: moves, deletions, then new and changed files, in this order."""
        (folder,) = (self.data / "steps").glob(f"{step}_*")
        for old, new in self._moves(folder):
            (self.tree / new).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / old).rename(self.tree / new)
        for name in self._lines(folder / "deleted.txt"):
            (self.tree / name).unlink()
        if (folder / "files").is_dir():
            shutil.copytree(folder / "files", self.tree, dirs_exist_ok=True)

    def _moves(self, folder: Path) -> Iterator[tuple[str, str]]:
        for line in self._lines(folder / "renamed.tsv"):
            old, new = line.split("\t")
            yield old, new

    def _lines(self, path: Path) -> list[str]:
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def sync(self) -> None:
        with self._run_context() as run_context:
            self.reports = sync(run_context)

    def prove(self):
        with self._run_context() as run_context:
            return prove_source(run_context, "peps")

    def _run_context(self) -> RunContext:
        collection = CollectionSettings(name="peps", embedding_model="hash")
        source = FilesSettings(name="peps", collection="peps", kind="files", uri=str(self.tree))
        configuration = Configuration(
            collections=(collection,), sources=(source,), home=self.home / ".ragline"
        )
        run_context = RunContext(configuration, self.database, "replay")
        run_context.models.add_embedder("hash", self.embedder)
        run_context.models.add_tokenizer("hash", WordTokenizer())
        return run_context

    def ledger(self) -> dict[str, str]:
        return {
            row["document_id"]: row["content_hash"]
            for row in read_documents(self.database, "peps")
            if row["state"] == "ready"
        }

    def expected(self, step: str) -> dict[str, str]:
        (path,) = (self.data / "expected").glob(f"{step}_*")
        pairs = (line.split(maxsplit=1) for line in path.read_text("utf-8").splitlines())
        return {name.lstrip("*"): content_hash for content_hash, name in pairs}

    def probes(self, step: str) -> list[dict[str, str]]:
        lines = (self.data / "probes.jsonl").read_text(encoding="utf-8").splitlines()
        probes = [json.loads(line) for line in lines]
        return [probe for probe in probes if str(probe["step"]).startswith(step)]

    def served(self) -> dict[str, str]:
        """All that is served, by path, with single spaces."""
        with self.database.connect() as connection:
            rows = connection.execute(
                text(
                    "select document_id, string_agg(header || text, ' ' order by ordinal) "
                    "from ragline.entries_1 group by document_id"
                )
            )
            return {name: squeeze(content) for name, content in rows}


def squeeze(content: str) -> str:
    return " ".join(content.split())


@pytest.fixture(params=["here", pytest.param("outside", marks=pytest.mark.outside_data)])
def history(request: pytest.FixtureRequest) -> Path:
    """Some files of the tree with their history, and the whole tree."""
    if request.param == "here":
        return HISTORY
    whole: Path = request.getfixturevalue("outside_data") / "peps"
    return whole


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_three_steps_of_history_are_followed_exactly(database, tmp_path, history):
    replay = Replay(database, tmp_path, history)
    replay.sync()
    assert replay.ledger() == replay.expected("00")
    for step in STEPS:
        replay.apply(step)
        made = sum(replay.embedder.embedded.values())
        replay.sync()
        assert replay.ledger() == replay.expected(step)
        # Moved or not: no text is embedded a second time.
        assert max(replay.embedder.embedded.values()) == 1
        assert sum(replay.embedder.embedded.values()) - made == (
            replay.reports.embeddings.embeddings_made
        )
        served = replay.served()
        for probe in replay.probes(step):
            wanted = squeeze(probe["text"])
            if probe["kind"] == "present":
                assert wanted in served[probe["path"]], probe
            else:
                assert not any(wanted in content for content in served.values()), probe
    assert replay.prove().holds


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_moves_cost_no_embedding_even_to_another_ending(database, tmp_path, history):
    replay = Replay(database, tmp_path, history)
    replay.sync()
    (folder,) = (replay.data / "steps").glob("01_*")
    moves = list(replay._moves(folder))
    assert any(Path(old).suffix != Path(new).suffix for old, new in moves)
    for old, new in moves:
        (replay.tree / new).parent.mkdir(parents=True, exist_ok=True)
        (replay.tree / old).rename(replay.tree / new)
    replay.sync()
    report = replay.reports.documents
    assert (report.added, report.removed, report.held) == (len(moves), len(moves), 0)
    assert replay.reports.embeddings.embeddings_made == 0
    assert {new for _, new in moves} <= replay.ledger().keys()
