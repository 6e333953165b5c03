"""Links run ids to the Dagster UI."""

from __future__ import annotations

import os
import re

from retrieval_api.page.links import is_safe_link

# `ragline dev` sets this variable for the service that it starts (docs/page.md).
VARIABLE = "RAGLINE_DAGSTER_URL"
_RUN_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def find_run_link(run_id: str | None) -> str | None:
    """Return the URL of a run in Dagster.

    Returns None if the address of Dagster is not set, or if the id is not an id of Dagster.
    """
    base = os.environ.get(VARIABLE, "").strip().rstrip("/")
    if not is_safe_link(base) or run_id is None or not _RUN_ID.fullmatch(run_id):
        return None
    return f"{base}/runs/{run_id}"
