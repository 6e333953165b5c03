"""Asking a running service from Python; needs the extra `clients` and nothing of the library.

`langchain` and `llamaindex` beside it are retrievers for those frameworks. The service itself is
`retrieval_api`.
"""

from __future__ import annotations

from ragline.client.service_client import ServiceClient
from ragline.errors import ServiceProblemError

__all__ = ["ServiceClient", "ServiceProblemError"]
