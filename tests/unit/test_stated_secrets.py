"""A secret in the configuration is refused and not shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ragline.configuration import load_configuration
from ragline.errors import ConfigurationError

SECRET = "hunter2"


@pytest.mark.parametrize(
    "source",
    [
        {"kind": "files", "uri": "s3://b", "credentials": {"secret": SECRET}},
        {"kind": "files", "uri": "s3://b", "storage": {"secret": SECRET}},
        {"kind": "git", "uri": f"https://me:{SECRET}@host/x"},
        {"kind": "git", "uri": "https://host/x", "credentials": {"token": SECRET.upper()}},
        {"kind": "sql", "url": f"postgresql://me:{SECRET}@host/x", "query": "select 1"},
        {"kind": "sql", "url": f"me:{SECRET}@host/x", "query": "select 1"},
        {"kind": "sql", "url_variable": f"postgresql://me:{SECRET}@host", "query": "select 1"},
    ],
)
def test_fault_does_not_show_the_secret(tmp_path: Path, source):
    path = tmp_path / "ragline.yaml"
    path.write_text(json.dumps({"sources": [{"name": "s", "collection": "c", **source}]}))
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    assert SECRET not in str(caught.value).lower()
