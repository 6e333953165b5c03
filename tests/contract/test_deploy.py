"""The rules, the dashboard and their tests use metrics that the service has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from assets.retrieval_quality import LATENCY, STALE_HITS, ZERO_RESULTS
from ragline.alarms import KINDS
from retrieval_api.observation.metrics import ServiceMetrics
from retrieval_api.records.recorder import Recorder

DEPLOY = Path(__file__).parents[2] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
DASHBOARD = DEPLOY / "grafana" / "dashboard.json"
SUFFIXES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
    "gauge": ("",),
    "info": ("",),
}


def read_rules() -> dict[str, str]:
    """The expression of each alert, by its name."""
    return {rule["alert"]: rule["expr"] for rule in list_rules()}


def list_rules() -> list[dict[str, Any]]:
    """All rules of all groups."""
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def read_panels() -> dict[str, str]:
    """The expressions of each panel, by its title."""
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    return {p["title"]: "\n".join(target["expr"] for target in p["targets"]) for p in panels}


@pytest.fixture(scope="module")
def served() -> set[str]:
    """The names of the service's series."""
    text = generate_latest(ServiceMetrics(Recorder(), lambda: None).registry).decode()
    families = text_string_to_metric_families(text)
    return {family.name + suffix for family in families for suffix in SUFFIXES[family.type]}


def find_metrics(expression: str) -> set[str]:
    return set(re.findall(r"\bragline_\w+", expression))


@pytest.mark.parametrize("name", read_rules())
def test_alert_uses_metrics_of_the_service(name: str, served: set[str]) -> None:
    named = find_metrics(read_rules()[name])
    assert named or name == "RaglineDown"
    assert named - served == set()


@pytest.mark.parametrize("title", read_panels())
def test_panel_uses_metrics_of_the_service(title: str, served: set[str]) -> None:
    named = find_metrics(read_panels()[title])
    assert named
    assert named - served == set()


def test_every_series_is_on_the_dashboard_or_in_an_alert(served: set[str]) -> None:
    shown = set().union(*map(find_metrics, [*read_rules().values(), *read_panels().values()]))
    by_family = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in served}
    assert families - by_family == set()


def test_every_kind_of_alarm_has_an_alert() -> None:
    named = set(re.findall(r'ragline_alarm\{name="(\w+)"\}', "\n".join(read_rules().values())))
    assert named == set(KINDS)


@pytest.mark.parametrize("rule", list_rules(), ids=lambda rule: rule["alert"])
def test_alert_has_a_remedy_and_a_runbook(rule: dict[str, Any]) -> None:
    notes = rule["annotations"]
    assert notes["summary"]
    assert notes["action"]
    assert (DEPLOY.parent / notes["runbook"]).is_file()


@pytest.mark.parametrize("name", KINDS)
def test_alarm_and_its_alert_name_the_same_runbook(name: str) -> None:
    (rule,) = (rule for rule in list_rules() if f'name="{name}"' in rule["expr"])
    assert rule["annotations"]["runbook"] == f"docs/runbooks/{KINDS[name].runbook}.md"


def test_alerts_and_checks_have_the_same_limits() -> None:
    limits = {
        "RaglineZeroResults": ZERO_RESULTS.limit,
        "RaglineStaleHits": STALE_HITS.limit,
        "RaglineSlowSearches": LATENCY.limit / 1e3,
    }
    for name, limit in limits.items():
        (stated,) = re.findall(r"> (0\.\d+)", read_rules()[name])
        assert float(stated) == limit


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=lambda arguments: "-".join(arguments[:2]),
)
def test_promtool_accepts(arguments: tuple[str, ...]) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (package prometheus)")
    done = subprocess.run(
        ["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
