"""A Python client of a running service. It needs the extra `clients`.

`langchain` and `llamaindex` are retrievers for those frameworks. The service is `retrieval_api`.
"""

from __future__ import annotations

from ragline.client.service_client import ServiceClient
from ragline.errors import ServiceProblemError

__all__ = ["ServiceClient", "ServiceProblemError"]
