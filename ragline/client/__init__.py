"""A Python client of a running service. It needs the extra `clients`.

`langchain` and `llamaindex` contain retrievers for these frameworks. The code of the service is in
`retrieval_api`.
"""

from __future__ import annotations

from ragline.client.service_client import ServiceClient
from ragline.errors import ServiceProblemError

__all__ = ["ServiceClient", "ServiceProblemError"]
