"""Each alarm and alert has a runbook with all parts. `tests/acceptance` runs the commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ragline.alarms import KINDS

REPOSITORY = Path(__file__).parents[2]
RUNBOOKS = REPOSITORY / "docs" / "runbooks"
PAGES = sorted(path for path in RUNBOOKS.glob("*.md") if path.stem != "README")
PARTS = ["## What it means", "## How to see it", "## What to do", "## How to confirm the recovery"]
# Incidents without an alarm or an alert of their own.
INCIDENTS = {
    "disk-full", "key-leaked", "postgres-killed", "refused-candidate", "restore-from-backup",
    "rollback",
}  # fmt: skip


def list_alerts() -> dict[str, str]:
    """The runbook of each alert."""
    groups = yaml.safe_load((REPOSITORY / "deploy/prometheus/alerts.yml").read_text("utf-8"))
    return {
        rule["alert"]: rule["annotations"]["runbook"]
        for group in groups["groups"]
        for rule in group["rules"]
    }


def test_pages_are_those_of_the_alarms_the_alerts_and_the_incidents() -> None:
    alarms = {kind.runbook for kind in KINDS.values()}
    alerts = {Path(path).stem for path in list_alerts().values()}
    assert {path.stem for path in PAGES} == alarms | alerts | INCIDENTS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_has_its_parts_and_names_its_alarm_and_alerts(page: Path) -> None:
    text = page.read_text("utf-8")
    positions = [text.find(part) for part in PARTS]
    assert -1 not in positions
    assert positions == sorted(positions)
    for name, kind in KINDS.items():
        assert (kind.runbook == page.stem) == (f"`{name}`" in text), name
    for name, runbook in list_alerts().items():
        if Path(runbook).stem == page.stem:
            assert f"`{name}`" in text


def test_overview_lists_every_page() -> None:
    text = (RUNBOOKS / "README.md").read_text("utf-8")
    listed = re.findall(r"^\| \[([\w-]+)\]\(\1\.md\) \| (.*) \|$", text, re.MULTILINE)
    titles = {page.stem: page.read_text("utf-8").partition("\n")[0][2:] for page in PAGES}
    assert dict(listed) == titles


def test_names_in_messages_lead_to_a_page() -> None:
    named = {
        name
        for path in (REPOSITORY / "ragline").rglob("*.py")
        for name in re.findall(r"docs/runbooks/([a-z0-9-]+)\.md", path.read_text("utf-8"))
    }
    assert named
    assert named <= {path.stem for path in PAGES}
