"""A retriever for LangChain over a running service; needs langchain-core.

Asynchronous calls run the same code in a thread, which LangChain sees to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field

from ragline.client.hit_metadata import describe_hit, name_entry
from ragline.client.service_client import ServiceClient


class RaglineRetriever(BaseRetriever):
    """Documents are the hits of a search, best first, each with `describe_hit` as its metadata.

    `options` are more fields of `POST /v1/search`, such as `{"rerank": True}`.
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
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002  LangChain hands it over
    ) -> list[Document]:
        answer = self.client.search(
            self.collection, query, top_k=self.top_k, principals=self.principals, **self.options
        )
        return [
            Document(
                page_content=hit.text or "", metadata=describe_hit(hit, answer), id=name_entry(hit)
            )
            for hit in answer.hits
        ]
