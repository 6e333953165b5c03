"""A retriever for LlamaIndex that searches a running service. It needs llama-index-core."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from ragline.client.hit_metadata import describe_hit
from ragline.client.service_client import ServiceClient


class RaglineRetriever(BaseRetriever):
    """Returns the hits of a search as nodes, best first.

    `describe_hit` makes the metadata of each node.
    """

    def __init__(
        self,
        client: ServiceClient,
        collection: str,
        *,
        top_k: int = 10,
        principals: Sequence[str] = (),
        **options: Any,
    ) -> None:
        """Create a retriever for one collection.

        `options` are further fields of the request `POST /v1/search`, such as `rerank=True`.
        """
        super().__init__()
        self._client = client
        self._collection = collection
        self._options = {"top_k": top_k, "principals": principals, **options}

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        answer = self._client.search(self._collection, query_bundle.query_str, **self._options)
        return [
            NodeWithScore(
                node=TextNode(
                    id_=hit.receipt.id, text=hit.text, metadata=describe_hit(hit, answer)
                ),
                score=hit.score,
            )
            for hit in answer.hits
        ]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)
