"""A retriever for LangChain that searches a running service. It needs langchain-core.

For asynchronous calls, LangChain runs the synchronous code in a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field

from ragline.client.hit_metadata import describe_hit
from ragline.client.service_client import ServiceClient


class RaglineRetriever(BaseRetriever):
    """Returns the hits of a search as documents, best first.

    `describe_hit` makes the metadata of each document. `options` are further fields of the request
    `POST /v1/search`, such as `{"rerank": True}`.
    """

    client: ServiceClient
    collection: str
    top_k: int = 10
    principals: Sequence[str] = ()
    options: dict[str, Any] = Field(default_factory=dict)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002  LangChain passes it
    ) -> list[Document]:
        answer = self.client.search(
            self.collection, query, top_k=self.top_k, principals=self.principals, **self.options
        )
        return [
            Document(
                page_content=hit.text or "", metadata=describe_hit(hit, answer), id=hit.receipt.id
            )
            for hit in answer.hits
        ]
