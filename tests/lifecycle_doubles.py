"""Test doubles that run a stage in milliseconds: a source in memory, a hashing embedder, and a run
context that uses both with a real database.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import event

from ragline.configuration import CollectionSettings, Configuration
from ragline.embedder.space import EmbeddingSpace
from ragline.errors import (
    DocumentError,
    DocumentUnreadableError,
    ModelUnavailableError,
    SourceUnavailableError,
)
from ragline.lifecycle.chunks import build_chunks
from ragline.lifecycle.documents import DocumentsReport, sync_documents
from ragline.lifecycle.embeddings import EmbeddingsReport, embed_chunks
from ragline.lifecycle.entries import EntriesReport, apply_entries
from ragline.lifecycle.index_report import IndexReport
from ragline.lifecycle.refused_source_moves import refuse_moved_source
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.search_index import publish_index
from ragline.sources.files.settings import FilesSettings
from ragline.sources.protocol import FailedFetch, FetchedDocument, ListedDocument
from ragline.storage.database import Database

DIMENSION = 8
MAX_TOKENS = 24
WORD = re.compile(r"\S+")


class WordTokenizer:
    """A token is a word."""

    max_tokens = 256
    fingerprint = "words"

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [len(WORD.findall(text)) for text in texts]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in WORD.finditer(text)]


@dataclass
class HashEmbedder:
    """A unit vector from the hash of a text; counts how often each text was embedded."""

    embedded: Counter[str] = field(default_factory=Counter)
    encoder: str = "hash"
    error: Exception | None = None
    space: EmbeddingSpace = field(
        default_factory=lambda: EmbeddingSpace("hash", "0" * 64, DIMENSION, 256)
    )

    def embed_batches(
        self, texts: Sequence[str], commit_size: int = 512
    ) -> Iterator[tuple[list[int], np.ndarray]]:
        if self.error is not None:
            raise self.error
        for start in range(0, len(texts), commit_size):
            indices = list(range(start, min(start + commit_size, len(texts))))
            self.embedded.update(texts[index] for index in indices)
            yield indices, np.stack([_hash_vector(texts[index]) for index in indices])


def _hash_vector(text: str) -> np.ndarray:
    digest = hashlib.sha256(text.encode()).digest()
    vector = np.frombuffer(digest[: DIMENSION * 4], dtype=np.uint32).astype(np.float32)
    vector -= vector.mean()
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@dataclass
class TreeDocument:
    """A document of the tree: its text, who may read it, and when it was written."""

    text: str
    touched: int
    principals: tuple[str, ...] | None = None
    error: DocumentError | None = None
    changed_at: datetime | None = None


@dataclass
class TreeSource:
    """Documents in memory. A listing can end early, and the whole source can be unreachable."""

    documents: dict[str, TreeDocument] = field(default_factory=dict)
    breaks_after: int | None = None
    is_away: bool = False
    fetched: Counter[str] = field(default_factory=Counter)
    # The time of changes and removals that its listing has no time for; None when it has none.
    changed_at: datetime | None = None
    # Folders that it cannot read, and the ending of names that it ignores.
    unread: tuple[str, ...] = ()
    ignored: str | None = None
    # Whether its probe changes with each call.
    is_restless: bool = False
    _looks: int = 0
    _clock: int = 0

    def write(self, name: str, text: str, principals: tuple[str, ...] | None = None) -> None:
        self._clock += 1
        self.documents[name] = TreeDocument(text, self._clock, principals)

    def touch(self, name: str) -> None:
        self._clock += 1
        self.documents[name].touched = self._clock

    def list_documents(self) -> Iterator[ListedDocument]:
        if self.is_away:
            raise SourceUnavailableError("the tree is away")
        for count, name in enumerate(sorted(self.documents)):
            if count == self.breaks_after:
                raise SourceUnavailableError("the listing broke off")
            document = self.documents[name]
            yield ListedDocument(name, str(document.touched), changed_at=document.changed_at)
        if self.breaks_after is not None:
            raise SourceUnavailableError("the listing broke off")

    def fetch_documents(
        self, document_ids: Collection[str]
    ) -> Iterator[FetchedDocument | FailedFetch]:
        for name in document_ids:
            self.fetched[name] += 1
            document = self.documents.get(name)
            if document is None:
                yield FailedFetch(name, DocumentUnreadableError("it left the tree"))
            elif document.error is not None:
                yield FailedFetch(name, document.error)
            else:
                yield FetchedDocument(
                    name,
                    document.text.encode(),
                    f"{name}.txt",
                    text=document.text,
                    principals=document.principals,
                )

    def probe(self) -> str:
        self._looks += self.is_restless
        return f"{self._looks} " + ",".join(
            f"{d.document_id}={d.version}" for d in self.list_documents()
        )

    def unread_folders(self) -> Sequence[str]:
        return self.unread

    def ignores(self, document_id: str) -> bool:
        return self.ignored is not None and document_id.endswith(self.ignored)

    def find_change_times(self, document_ids: Sequence[str]) -> Mapping[str, datetime]:
        return {} if self.changed_at is None else dict.fromkeys(document_ids, self.changed_at)


class HashRunContext(RunContext):
    """A run context with the given models; every other name raises an error."""

    models: Mapping[str, HashEmbedder]

    def embedder(self, model: str) -> Any:
        if model not in self.models:
            raise ModelUnavailableError(f"model {model}: there is no such folder")
        return self.models[model]

    def tokenizer(self, model: str) -> Any:
        self.embedder(model)
        return WordTokenizer()


class TreeRunContext(HashRunContext):
    """A run context whose only source is a tree."""

    tree: TreeSource

    def open_source(self, name: str) -> Any:  # noqa: ARG002
        return self.tree


def make_run_context(
    database: Database,
    home: Path,
    tree: TreeSource,
    embedder: HashEmbedder,
    *,
    name: str = "tree",
    run_id: str = "run",
    collection: Mapping[str, Any] | None = None,
    models: Mapping[str, HashEmbedder] | None = None,
    **source: Any,
) -> TreeRunContext:
    """A run context over a tree: source and collection have one name, chunks have MAX_TOKENS words.

    `collection` overrides its settings; `models` are the models, by default `embedder` only. A sync
    builds and promotes what changed settings ask for, unless `collection` says `build: manual`.
    """
    stated = {
        "name": name,
        "build": "automatic",
        "embedding_model": "hash",
        "chunking": {"max_tokens": MAX_TOKENS, "overlap_tokens": 0},
    }
    made = CollectionSettings.model_validate(stated | dict(collection or {}))
    settings = FilesSettings(name=name, collection=name, kind="files", uri="/nowhere", **source)
    configuration = Configuration(collections=(made,), sources=(settings,), home=home)
    run_context = TreeRunContext(configuration, database, run_id)
    run_context.tree = tree
    run_context.models = models or {"hash": embedder}
    return run_context


@dataclass(frozen=True)
class Reports:
    """What the stages of one sync reported."""

    documents: DocumentsReport
    embeddings: EmbeddingsReport
    entries: EntriesReport
    index: IndexReport


def sync(run_context: RunContext) -> Reports:
    """All stages of one run; the locks are released also after an error."""
    (source,) = run_context.configuration.sources
    try:
        refuse_moved_source(run_context, source.name)
        documents = sync_documents(run_context, source.name)
        build_chunks(run_context, source.name)
        embeddings = embed_chunks(run_context, source.name)
        entries = apply_entries(run_context, source.name)
        index = publish_index(run_context, source.collection)
    finally:
        run_context.close()
    return Reports(documents, embeddings, entries, index)


class Crash(BaseException):
    """The process ends here; nothing after this statement happened."""


@contextmanager
def crash_at(database: Database, statement: int) -> Iterator[None]:
    """End the process at the n-th statement from now: the transaction is lost."""
    left = itertools.count(statement, -1)

    def count_down(*_arguments: object) -> None:
        if next(left) <= 0:
            raise Crash

    event.listen(database.engine, "before_cursor_execute", count_down)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", count_down)
