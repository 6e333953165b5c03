"""The settings of the kind web, which load without the crawler."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from ragline.configuration import load_configuration
from ragline.sources.web.settings import WebSettings

REPOSITORY = Path(__file__).parent.parent.parent
HEAVY = ("httpx2", "lxml", "protego", "tenacity", "trafilatura", "w3lib")


def read(**settings: object) -> WebSettings:
    return WebSettings.model_validate({"name": "s", "collection": "c", "kind": "web", **settings})


def test_defaults_have_a_low_rate():
    settings = read(start=["https://example.com/"])
    assert settings.requests_per_second == 2
    assert settings.max_pages == 10_000
    assert re.fullmatch(r"ragline/\d[\w.]*", settings.user_agent)
    assert settings.address == "https://example.com/"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "name a page under start or a sitemap"),
        ({"start": ["ftp://example.com/"]}, "is not an http:// or https:// URL"),
        ({"start": ["example.com"]}, "is not an http:// or https:// URL"),
        ({"start": ["https://me:secret@example.com/"]}, "write it under credentials"),
        (
            {"start": ["https://a.example/"], "sitemaps": ["https://b.example/s.xml"]},
            "must be on one host; they are on https://a.example, https://b.example",
        ),
        ({"start": ["https://a.example/", "http://a.example/"]}, "must be on one host"),
        (
            {"start": ["https://a.example/"], "credentials": {"password": "WIKI"}},
            "unknown credential 'password'; allowed: authorization",
        ),
        ({"start": ["https://a.example/"], "requests_per_second": 0}, "greater than 0"),
        ({"start": ["https://a.example/"], "user_agent": "a\nb"}, "pattern"),
    ],
)
def test_error_names_the_setting(settings, said):
    with pytest.raises(ValidationError, match=said):
        read(**settings)


def test_explicit_default_port_is_the_same_host():
    assert read(start=["https://a.example:443/", "https://A.example/b"])


def test_reading_a_configuration_imports_no_crawler():
    program = (
        "import sys, ragline.configuration; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_documented_example_loads(tmp_path):
    page = (REPOSITORY / "docs" / "sources.md").read_text(encoding="utf-8")
    section = page.partition("\n## web\n")[2].partition("\n## ")[0]
    (shown,) = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    path = tmp_path / "ragline.yaml"
    path.write_text(shown, encoding="utf-8")
    (source,) = load_configuration(path).sources
    assert isinstance(source, WebSettings)
    own = WebSettings.model_fields.keys() - {"name", "collection", "kind"}
    named = {name for name in own if f"`{name}`" in section or f"    {name}:" in shown}
    assert named >= {"start", "sitemaps", "include", "exclude", "max_pages", "attempts"}
