"""Every source in the documentation is a valid configuration."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ragline.configuration import load_configuration

PAGE = Path(__file__).parent.parent.parent / "docs" / "sources.md"


def shown_sources() -> list[tuple[str, str]]:
    """The heading and the text of each block of YAML that configures sources."""
    found = []
    for section in re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
        found += [(section.split()[0], block) for block in blocks if "sources:" in block]
    return found


@pytest.mark.parametrize(("kind", "block"), shown_sources())
def test_shown_source_loads(tmp_path, kind, block):
    path = tmp_path / "ragline.yaml"
    path.write_text(block, encoding="utf-8")
    assert {source.kind for source in load_configuration(path).sources} == {kind}
    assert yaml.safe_load(block).keys() == {"sources"}
