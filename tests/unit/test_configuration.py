"""Reading ragline.yaml: defaults, and one clear line for each fault."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from ragline.configuration import CollectionSettings, load_configuration
from ragline.configuration.checks import check_local_paths
from ragline.errors import (
    ConfigurationError,
    NoPushSourceError,
    UnknownCollectionError,
    UnknownSourceError,
)
from ragline.sources.registry import KINDS

GOOD = """\
collections:
  - name: handbook
sources:
  - name: handbook-files
    collection: handbook
    kind: files
    uri: ./handbook
  - name: articles
    collection: articles
    kind: records
    uri: ./corpus.jsonl
    visible_within: 1h30m
"""
ALLOWED_KINDS = f"allowed: {', '.join(KINDS)}"


def write(folder: Path, content: str) -> Path:
    path = folder / "ragline.yaml"
    path.write_text(content, encoding="utf-8")
    return path


def fault_of(folder: Path, content: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(write(folder, content))
    return caught.value


def test_defaults_are_filled_in_and_paths_are_relative_to_the_file(tmp_path):
    configuration = load_configuration(write(tmp_path, GOOD))
    source = configuration.source("handbook-files")
    assert source.uri == str(tmp_path / "handbook")
    assert source.visible_within == timedelta(minutes=10)
    assert configuration.home == tmp_path / ".ragline"
    assert configuration.source("articles").visible_within == timedelta(minutes=90)


def test_collection_that_only_a_source_names_has_the_defaults(tmp_path):
    configuration = load_configuration(write(tmp_path, GOOD))
    assert configuration.collection("articles").chunking == (
        configuration.collection("handbook").chunking
    )
    assert [source.name for source in configuration.sources_of("articles")] == ["articles"]


def test_file_is_found_by_argument_then_environment_then_working_directory(tmp_path, monkeypatch):
    for name in ("argument", "environment", "here"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, f"collections:\n  - name: {name}\n")
    monkeypatch.chdir(tmp_path / "here")
    assert load_configuration().collections[0].name == "here"
    monkeypatch.setenv("RAGLINE_CONFIG", str(tmp_path / "environment" / "ragline.yaml"))
    assert load_configuration().collections[0].name == "environment"
    assert load_configuration(tmp_path / "argument" / "ragline.yaml").collections[0].name == (
        "argument"
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("collections:", "colections:", 1, "did you mean 'collections'"),
        ("    uri: ./handbook", "    uri: ./handbook\n    includ: []", 8, "did you mean 'include'"),
        (
            "name: handbook\n",
            "name: handbook\n    model: a/b\n",
            3,
            "did you mean 'embedding_model'?",
        ),
        ("kind: files", "kind: folder", 6, ALLOWED_KINDS),
        ("1h30m", "soon", 12, "write 30s, 10m, 2h, 7d or 1h30m"),
        ("1h30m", "0s", 12, "longer than 0s"),
        ("name: articles", "name: handbook-files", 8, "'handbook-files' is used twice"),
        ("name: articles", "name: handbook_files", 8, "- and _ count as equal"),
        ("name: handbook\n", "name: Hand Book\n", 2, "lower-case letters"),
        ("    uri: ./corpus.jsonl\n", "", 8, "uri is missing"),
        ("    kind: files\n", "", 4, f"kind is missing; {ALLOWED_KINDS}"),
        (
            "  - name: handbook\n",
            "  - name: handbook\n    chunking: {max_tokens: 40, overlap_tokens: 30}\n",
            3,
            "over half of max_tokens",
        ),
        (
            "  - name: handbook\n",
            "  - name: handbook\n    thresholds: {ndgc@10: 0.5}\n",
            3,
            "allowed: ndcg@10",
        ),
        ("    kind: files\n", "    kind: files\n    kind: files\n", 7, "written twice"),
    ],
)
def test_fault_names_its_line_and_what_is_allowed(tmp_path, old, new, line, said):
    assert old in GOOD
    error = fault_of(tmp_path, GOOD.replace(old, new, 1))
    assert error.line == line
    assert said in str(error)
    assert str(error).startswith(f"{tmp_path / 'ragline.yaml'}:{line}: ")
    assert "\n" not in str(error)


def test_second_push_source_of_a_collection_is_refused_with_its_line(tmp_path):
    pushes = "sources:\n" + "".join(
        f"  - name: {name}\n    collection: {collection}\n    kind: push\n"
        for name, collection in (("inbox", "a"), ("other", "b"), ("second", "a"))
    )
    error = fault_of(tmp_path, pushes)
    assert error.line == 10
    said = "'inbox' already accepts the documents that are pushed to the collection 'a'"
    assert said in str(error)
    assert "\n" not in str(error)


def test_push_source_of_a_collection_is_found_or_what_to_add(tmp_path):
    push = "  - name: inbox\n    collection: articles\n    kind: push\n"
    configuration = load_configuration(write(tmp_path, GOOD + push))
    source = configuration.push_source_of("articles")
    assert (source.name, source.max_removal_ratio, source.is_local) == ("inbox", 1.0, True)
    assert source.address == "PUT /v1/collections/articles/documents/…"
    with pytest.raises(NoPushSourceError, match="collection: handbook, kind: push"):
        configuration.push_source_of("handbook")
    with pytest.raises(UnknownCollectionError):
        configuration.push_source_of("nothing")


def test_each_fault_is_one_line(tmp_path):
    broken = GOOD.replace("1h30m", "soon").replace("./handbook", "./handbook\n    colour: red")
    lines = str(fault_of(tmp_path, broken)).splitlines()
    assert len(lines) == 2
    assert all(line.startswith(str(tmp_path)) for line in lines)


@pytest.mark.parametrize("content", ["", "just text", "a: [b", "\t- x"])
def test_file_without_a_mapping_is_refused_with_its_name(tmp_path, content):
    assert "ragline.yaml" in str(fault_of(tmp_path, content))


def test_missing_file_says_how_to_name_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="--config FILE"):
        load_configuration()


def test_unknown_names_are_refused_with_the_known_ones(tmp_path):
    configuration = load_configuration(write(tmp_path, GOOD))
    with pytest.raises(UnknownSourceError, match="handbook-files, articles"):
        configuration.source("nothing")
    with pytest.raises(UnknownCollectionError, match="handbook, articles"):
        configuration.collection("nothing")


def test_local_paths_that_do_not_exist_are_faults_with_lines(tmp_path):
    configuration = load_configuration(write(tmp_path, GOOD))
    (tmp_path / "handbook").mkdir()
    (fault,) = check_local_paths(configuration)
    assert fault.line == 8
    assert "corpus.jsonl does not exist" in str(fault)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "uri: ./handbook",
            "uri: ./handbook\n    include: .md",
            "include: must be a list; write [",
        ),
        ("name: handbook\n", "name: handbook\n    golden: [a]\n", "golden: must be a path"),
        (
            "name: handbook\n",
            "name: handbook\n    hnsw_from_entries: few\n",
            "hnsw_from_entries: must be a whole number (is 'few')",
        ),
        (
            "name: handbook\n",
            "name: handbook\n    hnsw_from_entries: -1\n",
            "at least 0 is allowed (is -1)",
        ),
        (
            "name: handbook\n",
            "name: handbook\n    search: {vector_weight: half}\n",
            "search.vector_weight: must be a number (is 'half')",
        ),
        (
            "name: handbook\n",
            "name: handbook\n    search: {vector_weight: 2}\n",
            "at most 1.0 is allowed (is 2)",
        ),
        (
            "name: handbook\n",
            "name: handbook\n    search: 5\n",
            "search: must be a mapping of keys",
        ),
        (
            "name: handbook\n",
            "name: handbook\n    language:\n",
            "language: has no value; must be text",
        ),
        (
            "name: handbook\n",
            "name: handbook\n    language: English\n",
            "allowed: lower-case letters and _, as in english (is 'English')",
        ),
        (
            "name: handbook\n",
            "name: handbook\n    query_text: hased\n",
            "allowed: full, hashed, none (did you mean 'hashed'?)",
        ),
        ("kind: files", "kind: file", "unknown kind 'file' (did you mean 'files'?)"),
        ("kind: files", "kind: [files]", "unknown kind ['files']"),
        ("name: handbook\n", "name: [handbook]\n", "collections[0].name: must be text"),
    ],
)
def test_fault_has_a_plain_message(tmp_path, old, new, said):
    assert old in GOOD
    assert said in str(fault_of(tmp_path, GOOD.replace(old, new, 1)))


VALUES = (None, [], {}, [1], {"a": 1}, 1.5, -1, True, "", "x y", [[]], {"a": {"b": []}})


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_message_of_a_library_is_shown_for_a_value(tmp_path, kind):
    """Each wrong value gives a ConfigurationError with a plain message."""
    source = {"name": "s", "collection": "c", "kind": kind}
    stated = [("collections", name) for name in CollectionSettings.model_fields]
    stated += [("sources", name) for name in KINDS[kind].settings.model_fields]
    for area, name in stated:
        for value in VALUES:
            items = {"collections": {"name": "c"}, "sources": dict(source)}
            items[area][name] = value
            content = {"collections": [items["collections"]], "sources": [items["sources"]]}
            said = say_whether_loaded(write(tmp_path, yaml.safe_dump(content)))
            for foreign in ("Input should", "valid tuple", "pydantic", "unable to parse"):
                assert foreign not in said, (name, value)


def say_whether_loaded(path: Path) -> str:
    try:
        load_configuration(path)
    except ConfigurationError as error:
        return str(error)
    return "loaded"
