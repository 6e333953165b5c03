"""The definitions that Dagster loads: assets, checks, sensors and jobs, without heavy imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from assets.asset_keys import index_key, source_key
from dagster_project.definitions import build_definitions
from ragline.configuration import load_configuration

REPOSITORY = Path(__file__).parent.parent.parent
CONFIGURATION = REPOSITORY / "examples" / "ragline.yaml"
HEAVY = ("torch", "openvino", "great_expectations", "unstructured", "matplotlib", "transformers")


@pytest.fixture(scope="module")
def repository():
    return build_definitions(load_configuration(CONFIGURATION)).get_repository_def()


def test_assets_follow_source_and_stage(repository):
    keys = {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()}
    stages = {"documents", "chunks", "embeddings", "entries"}
    for source in ("handbook-files", "glossary", "pep-files"):
        assert {f"{source.replace('-', '_')}_{stage}" for stage in stages} <= keys
    assert {"handbook_search_index", "peps_search_index", "peps_retrieval_evaluation"} <= keys
    assert {"handbook_candidate", "peps_candidate"} <= keys
    assert {"retrieval_quality", "retention_report"} <= keys
    assert len(keys) == 3 * 4 + 5 + 2


def test_sources_of_a_collection_lead_to_its_index(repository):
    graph = repository.asset_graph
    index = index_key("handbook")
    parents = {key.to_user_string() for key in graph.get(index).parent_keys}
    assert parents == {"handbook_files_entries", "glossary_entries"}


def test_each_box_of_the_graph_has_its_own_name(repository):
    keys = repository.asset_graph.get_all_asset_keys()
    # The box shows the last component of the key.
    assert len({key.path[-1] for key in keys}) == len(keys)


def test_every_asset_has_a_description_and_an_owner(repository):
    graph = repository.asset_graph
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners == ["team:data-platform"], key
        assert node.code_version, key
        assert node.group_name in ("handbook", "peps", "service"), key


def test_clocks_are_checks_and_not_freshness_policies(repository):
    graph = repository.asset_graph
    for key in graph.get_all_asset_keys():
        assert graph.get(key).freshness_policy is None
        names = {check.name for check in graph.asset_check_keys if check.asset_key == key}
        is_last = key.path[-1].endswith("_entries")
        assert ("changes_are_visible_in_time" in names) == is_last
        assert ("source_is_synced" in names) == is_last


def test_checks_block_the_index_if_a_search_would_be_wrong(repository):
    checks = {
        (key.asset_key.to_user_string(), key.name): repository.asset_graph.get_check_spec(key)
        for key in repository.asset_graph.asset_check_keys
    }
    assert checks["glossary_entries", "no_zero_vectors"].blocking
    assert checks["glossary_entries", "no_entries_of_gone_documents"].blocking
    assert checks["glossary_chunks", "chunks_fit_the_model"].blocking
    assert not checks["glossary_documents", "text_is_free_of_mojibake"].blocking
    assert not checks["glossary_entries", "sync_proof"].blocking
    assert ("peps_retrieval_evaluation", "reaches_thresholds") in checks
    gate = {name for asset, name in checks if asset == "peps_candidate"}
    assert {"sync_proof", "ndcg_at_10", "slices", "latency"} <= gate
    assert {name for asset, name in checks if asset == "handbook_candidate"} == {
        "sync_proof", "index_recall",
    }  # fmt: skip
    assert all(spec.description for spec in checks.values())


def test_readme_states_the_number_of_checks_of_the_examples(repository):
    """`make demo` runs all checks except those of the service and of candidates."""
    graph = repository.asset_graph
    run = [
        key
        for key in graph.asset_check_keys
        if graph.get(key.asset_key).group_name != "service"
        and not key.asset_key.path[-1].endswith("_candidate")
    ]
    count = len(run)
    assert f"checks: {count} passed, 0 failed" in (REPOSITORY / "README.md").read_text("utf-8")


def test_every_source_has_a_sensor_and_a_job(repository):
    sensors = {sensor.name for sensor in repository.sensor_defs}
    assert {"handbook_files_changes", "glossary_changes", "failed_runs", "clocks"} <= sensors
    jobs = {job.name for job in repository.get_all_jobs()}
    assert {"sync_handbook_files", "sync_everything", "measure_retrieval_quality"} <= jobs
    assert {"prove_everything", "collect_expired"} <= jobs


def test_sync_does_not_run_the_full_proof(repository):
    keys = repository.get_job("sync_glossary").asset_layer.asset_graph.asset_check_keys
    names = {key.name for key in keys if key.asset_key == source_key("glossary", "entries")}
    assert "sync_proof" in names
    assert "full_sync_proof" not in names


def test_loading_opens_no_database_and_imports_no_heavy_library():
    script = (
        "import json, sys\n"
        "from dagster_project.definitions import defs\n"
        "loaded = defs() if callable(defs) else defs\n"
        "print(json.dumps({'modules': sorted(sys.modules)}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"RAGLINE_CONFIG": str(CONFIGURATION), "PATH": "/usr/bin:/bin"},
    )
    loaded = json.loads(done.stdout)
    assert not [name for name in HEAVY if name in loaded["modules"]]
