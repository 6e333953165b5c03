"""What is deployed to watch the service speaks of metrics that the service has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from assets.retrieval_quality import LATENCY, STALE_HITS, ZERO_RESULTS
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
    (group,) = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text("utf-8"))["groups"]
    return {rule["alert"]: rule["expr"] for rule in group["rules"]}


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
def test_alert_is_about_metrics_that_are_served(name: str, served: set[str]) -> None:
    named = find_metrics(read_rules()[name])
    assert named or name == "RaglineDown"
    assert named - served == set()


@pytest.mark.parametrize("title", read_panels())
def test_panel_shows_metrics_that_are_served(title: str, served: set[str]) -> None:
    named = find_metrics(read_panels()[title])
    assert named
    assert named - served == set()


def test_every_series_is_on_the_dashboard_or_in_an_alert(served: set[str]) -> None:
    shown = set().union(*map(find_metrics, [*read_rules().values(), *read_panels().values()]))
    by_family = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in served}
    assert families - by_family == set()


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
