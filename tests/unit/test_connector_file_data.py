"""Descriptions of files from a connector: ids, versions, metadata, principals."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from unstructured_ingest.data_types.file_data import (
    FileData,
    FileDataSourceMetadata,
    SourceIdentifiers,
)

from ragline.errors import PermissionsUnavailableError
from ragline.sources.connector.file_data import (
    describe_file,
    name_files,
    read_metadata,
    read_principals,
)


def make_file(
    connector: str = "confluence",
    identifier: str = "id-1",
    fullpath: str = "/space/page.html",
    rel_path: str | None = None,
    **metadata: Any,
) -> FileData:
    return FileData(
        identifier=identifier,
        connector_type=connector,
        source_identifiers=SourceIdentifiers(
            filename=fullpath.rpartition("/")[2], fullpath=fullpath, rel_path=rel_path
        ),
        metadata=FileDataSourceMetadata(**metadata),
    )


def version_of(file_data: FileData, *, use_permissions: bool = True) -> str:
    return describe_file("a", file_data, use_permissions=use_permissions).version


def roles(**buckets: Any) -> list[dict[str, Any]]:
    no_one: dict[str, list[str]] = {"users": [], "groups": []}
    return [{"read": buckets}, {"update": no_one}, {"delete": no_one}]


def test_id_is_the_relative_path_else_the_full_path_else_the_identifier():
    files = [
        make_file(fullpath="/root/a.txt", rel_path="a.txt"),
        make_file(fullpath="/root/b.txt"),
        make_file(fullpath="", identifier="id-3"),
    ]
    assert [name for name, _ in name_files(files)] == ["a.txt", "root/b.txt", "id-3"]


def test_files_with_one_path_have_different_ids_in_any_order():
    files = [make_file(identifier=identifier) for identifier in ("1", "2")]
    expected = {"space/page.html (1)": "1", "space/page.html (2)": "2"}
    for order in (files, files[::-1]):
        assert {name: file.identifier for name, file in name_files(order)} == expected


def test_postgres_can_store_the_id():
    ((name, _),) = name_files([make_file(fullpath="a\0b")])
    assert name == "a\ufffdb"


@pytest.mark.parametrize(
    "change",
    [
        {"version": "2"},
        {"date_modified": "1700000001"},
        {"filesize_bytes": 8},
        {"permissions_data": roles(users=["u", "v"])},
        {"permissions_data": roles(groups=["u"])},
        {"permissions_data": None},
    ],
)
def test_version_changes_with_content_and_principals(change):
    stated = {
        "version": "1",
        "date_modified": "1700000000",
        "filesize_bytes": 7,
        "permissions_data": roles(users=["u"]),
    }
    assert version_of(make_file(**stated)) != version_of(make_file(**{**stated, **change}))


def test_version_ignores_the_order_of_principals_and_the_time_of_the_listing():
    first = make_file(
        version="1", date_processed="1", permissions_data=roles(users=["a", "b"], groups=[])
    )
    second = make_file(
        version="1", date_processed="2", permissions_data=roles(groups=[], users=["b", "a"])
    )
    assert version_of(first) == version_of(second)


def test_version_ignores_principals_that_are_not_used():
    files = [make_file(version="1", permissions_data=roles(users=[user])) for user in "ab"]
    assert len({version_of(file, use_permissions=False) for file in files}) == 1


def test_locator_is_the_version_of_a_file_without_a_version():
    first, second = (make_file(record_locator={"id": key}) for key in (1, 2))
    assert version_of(first) != version_of(second)


@pytest.mark.parametrize("stated", ["1700000000", "1700000000.0", "2023-11-14T22:13:20Z"])
def test_time_of_change_is_read(stated):
    listed = describe_file("a", make_file(date_modified=stated), use_permissions=True)
    assert listed.changed_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_metadata_has_simple_values_without_a_password():
    file = make_file(
        url="https://user:hunter2@wiki.example/page",
        record_locator={"page_id": "7", "space": {"key": "x"}, "is_draft": False, "none": None},
    )
    assert read_metadata(file) == {
        "connector": "confluence",
        "filename": "page.html",
        "url": "https://wiki.example/page",
        "page_id": "7",
        "is_draft": False,
    }


def test_principals_have_a_prefix_for_their_kind():
    stated = roles(users=["u2", "u1"], groups=["g"], access_classes=["ALL_LICENSED_USERS"])
    assert read_principals(make_file(permissions_data=stated)) == (
        "access-class:ALL_LICENSED_USERS",
        "group:g",
        "user:u1",
        "user:u2",
    )


def test_empty_principals_permit_no_access():
    assert read_principals(make_file(permissions_data=roles(users=[], groups=[]))) == ()


def test_writers_are_not_principals():
    stated = [{"read": {"users": []}}, {"update": {"users": ["u"]}}, {"delete": {"users": ["u"]}}]
    assert read_principals(make_file(permissions_data=stated)) == ()


@pytest.mark.parametrize("connector", ["s3", "notion", "slack"])
def test_connector_without_permissions_leaves_principals_to_the_settings(connector):
    assert read_principals(make_file(connector)) is None


def test_file_mode_names_no_principals():
    assert read_principals(make_file("local", permissions_data=[{"mode": 33188}])) is None


@pytest.mark.parametrize("connector", ["confluence", "google_drive", "onedrive", "sharepoint"])
def test_failed_request_for_permissions_raises(connector):
    with pytest.raises(PermissionsUnavailableError, match="did not return"):
        read_principals(make_file(connector))


@pytest.mark.parametrize(
    "stated",
    [
        [],
        [{}],
        [{"mode": 1}, {"read": {"users": []}, "other": 1}, {"read": {}}],
        [{"update": {"users": ["u"]}}],
        [{"read": None}],
        [{"read": ["u"]}],
        [{"read": {"users": "u"}}],
        [{"read": {"users": [None]}}],
        [{"read": {"users": [""]}}],
        [{"read": {"robots": ["r"]}}],
        [{"user": "u", "role": "reader"}],
    ],
)
def test_malformed_permissions_raise(stated):
    for connector in ("google_drive", "something-new"):
        with pytest.raises(PermissionsUnavailableError, match="unknown form"):
            read_principals(make_file(connector, permissions_data=stated))


def test_permissions_of_an_unreliable_connector_are_not_used():
    stated = roles(users=["u"])
    with pytest.raises(PermissionsUnavailableError, match="use_permissions: false"):
        read_principals(make_file("box", permissions_data=stated))
