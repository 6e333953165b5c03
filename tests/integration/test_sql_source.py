"""Rows of a query as documents, on real Postgres and on SQLite."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Engine

from ragline.errors import (
    BrokenDocumentError,
    DocumentTooLargeError,
    EmptyDocumentError,
    SourceUnavailableError,
)
from ragline.sources.protocol import FailedFetch, FetchedDocument
from ragline.sources.sql.connection import read_query
from ragline.sources.sql.settings import SqlSettings
from ragline.sources.sql.source import SqlSource
from ragline.storage.database import read_url

QUERY = "select id, title, body as text, changed_at, acl, note from pages"
TABLE = """
create table pages (
    id {key} primary key, title text, body text, changed_at {time}, acl {acl}, note text
)
"""
TYPES = {
    "postgresql": {"key": "bigint", "time": "timestamptz", "acl": "text[]"},
    "sqlite": {"key": "integer", "time": "text", "acl": "text"},
}


class Pages:
    """A table that its owner writes, and the URL by which it is read."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.run(TABLE.format(**TYPES[engine.dialect.name]))

    def run(self, statement: str, **parameters: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(sqlalchemy.text(statement), parameters)

    def insert(self, key: object, body: str | None, day: int | None = 1, **others: object) -> None:
        values = {"title": None, "acl": None, "note": None, **others}
        changed_at = None if day is None else f"2024-05-{day:02} 12:00:00+00:00"
        self.run(
            "insert into pages values (:id, :title, :body, :changed_at, :acl, :note)",
            id=key,
            body=body,
            changed_at=changed_at,
            **values,
        )


@pytest.fixture(params=["postgresql", "sqlite"])
def pages(request, tmp_path, database_url, monkeypatch) -> Iterator[Pages]:
    url = read_url(database_url)
    if request.param == "sqlite":
        url = sqlalchemy.make_url(f"sqlite:///{tmp_path / 'pages.db'}")
    monkeypatch.setenv("PAGES_URL", url.render_as_string(hide_password=False))
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    pages = Pages(engine)
    pages.insert(1, "alpha")
    pages.insert(2, "beta", day=2)
    yield pages
    engine.dispose()


def open_rows(**settings: Any) -> SqlSource:
    """Opens a source as a new process does."""
    stated = {"url_variable": "PAGES_URL", "query": QUERY, **settings}
    return SqlSource(SqlSettings(name="s", collection="c", kind="sql", **stated))


DATED = {"changed_at": "changed_at"}
BOTH_WAYS = pytest.mark.parametrize("fields", [DATED, {}], ids=["dated", "hashed"])


def versions(source: SqlSource) -> dict[str, str]:
    return {listed.document_id: listed.version for listed in source.list_documents()}


def fetch(source: SqlSource, *ids: str) -> dict[str, FetchedDocument | FailedFetch]:
    return {answer.document_id: answer for answer in source.fetch_documents(ids)}


@BOTH_WAYS
def test_rows_are_listed_in_order_and_read(pages, fields):
    pages.insert(10, "ten", note="kept", title="T")
    source = open_rows(fields=fields)
    assert list(versions(source)) == ["1", "2", "10"]
    found = fetch(source, "10", "1", "11")
    assert isinstance(found["10"], FetchedDocument)
    assert (found["10"].text, found["10"].title) == ("ten", "T")
    assert found["10"].metadata["note"] == "kept"
    assert isinstance(found["1"], FetchedDocument)
    assert isinstance(found["11"], FailedFetch)


@BOTH_WAYS
def test_insert_update_and_removal_are_detected(pages, fields):
    source = open_rows(fields=fields)
    before, probe = versions(source), source.probe()
    assert versions(open_rows(fields=fields)) == before
    assert open_rows(fields=fields).probe() == probe
    pages.insert(3, "new", day=3)
    assert source.probe() != probe
    pages.run("delete from pages where id = 2")
    pages.run("update pages set body = 'gamma', changed_at = '2024-05-04' where id = 1")
    after = versions(source)
    assert after.keys() == {"1", "3"}
    assert after["1"] != before["1"]


@pytest.mark.usefixtures("pages")
def test_time_of_change_comes_from_the_row():
    (first, *_) = open_rows(fields=DATED).list_documents()
    assert first.changed_at == datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("pages", ["postgresql"], indirect=True)
@BOTH_WAYS
def test_row_committed_late_with_an_early_time_is_detected(pages, fields):
    """The writer that started first commits last, after a listing."""
    with pages.engine.connect() as slow:
        insert = "insert into pages values (7, null, 'late', '2024-05-01', null, null)"
        slow.exec_driver_sql(insert)
        slow.exec_driver_sql(
            "update pages set body = 'late too', changed_at = '2024-04-01' where id = 1"
        )
        pages.insert(8, "quick", day=9)
        source = open_rows(fields=fields)
        before, probe = versions(source), source.probe()
        assert "7" not in before
        slow.commit()
    after = versions(source)
    assert source.probe() != probe
    assert "7" in after
    assert after["1"] != before["1"]


@pytest.mark.parametrize("pages", ["postgresql"], indirect=True)
def test_version_is_the_same_in_every_time_zone(pages):
    before = versions(open_rows(fields=DATED))
    pages.run(f"alter database {pages.engine.url.database} set timezone = 'Asia/Tokyo'")
    assert versions(open_rows(fields=DATED)) == before


def test_version_of_a_row_without_a_time_is_its_hash(pages):
    pages.insert(3, "undated", day=None)
    source = open_rows(fields=DATED)
    before = versions(source)
    assert versions(source) == before
    assert list(before) == ["1", "2", "3"]
    pages.run("update pages set body = 'other' where id = 3")
    after = versions(source)
    assert [name for name in after if after[name] != before[name]] == ["3"]
    pages.run("update pages set changed_at = '2024-05-09' where id = 3")
    assert versions(source)["3"] not in (before["3"], after["3"])


@pytest.mark.usefixtures("pages")
def test_another_query_changes_all_versions():
    query = QUERY.replace("body as text", "title as text")
    assert versions(open_rows(fields=DATED)) != versions(open_rows(query=query, fields=DATED))


def test_nulls_of_a_row_only_fail_the_row(pages):
    pages.insert(3, None)
    pages.insert(4, "  ", note=None)
    found = fetch(open_rows(), "1", "3", "4")
    assert isinstance(found["1"], FetchedDocument)
    assert isinstance(found["3"], FailedFetch)
    assert isinstance(found["3"].error, EmptyDocumentError)
    assert isinstance(found["4"], FetchedDocument)
    assert found["4"].metadata["note"] is None


@pytest.mark.parametrize(
    ("id_", "said"), [("null", "null or empty"), ("7", "several rows have the id '7'")]
)
@BOTH_WAYS
@pytest.mark.usefixtures("pages")
def test_listing_without_unique_ids_is_incomplete(fields, id_, said):
    query = QUERY.replace("select id", f"select {id_} as id")
    source = open_rows(query=query, fields=fields)
    with pytest.raises(SourceUnavailableError, match=said):
        versions(source)
    with pytest.raises(SourceUnavailableError, match=said):
        fetch(source, "7")


@BOTH_WAYS
def test_row_without_a_unique_id_does_not_fail_other_rows(pages, fields):
    for key in range(3, 6):
        pages.insert(key, f"text {key}")
    ids = "case id when 3 then null when 4 then '5' else cast(id as text) end"
    source = open_rows(query=QUERY.replace("select id", f"select {ids} as id"), fields=fields)
    assert sorted(versions(source)) == ["(no id)", "1", "2", "5"]
    for opened in (source, open_rows(query=source._settings.query, fields=fields)):
        found = fetch(opened, "1", "2", "5", "(no id)")
        assert isinstance(found["1"], FetchedDocument)
        assert "several rows" in str(found["5"].error)
        assert "null or empty" in str(found["(no id)"].error)


BAD_VALUES = {
    "infinity": "'infinity'::timestamptz",
    "infinite date": "'-infinity'::date",
    "far year": "'24989-01-01'::timestamp",
    "before Christ": "'0044-03-15 BC'::date",
    "time 24:00": "'24:00'::time",
    "interval": "'3000000 years'::interval",
    "list of times": "array['infinity'::timestamptz]",
    "range of dates": "daterange('2020-01-01', '24989-01-01')",
    "huge number in JSON": "('[' || repeat('9', 5000) || ']')::jsonb",
}
ORDERED = list(BAD_VALUES.values())[:6]
GOOD_VALUES = {
    "huge number": "repeat('9', 5000)::numeric",
    "no number": "'NaN'::numeric",
    "infinite number": "'infinity'::numeric",
    "infinite float": "'-infinity'::float8",
    "interval": "'3 days'::interval",
    "deep JSON": "(repeat('[', 100) || repeat(']', 100))::json",
}


@pytest.mark.parametrize("pages", ["postgresql"], indirect=True)
@pytest.mark.parametrize("value", BAD_VALUES.values(), ids=BAD_VALUES)
@BOTH_WAYS
def test_value_that_the_driver_cannot_decode_only_fails_its_row(pages, fields, value):
    pages.insert(3, "gamma")
    for column in ("note", "title", "changed_at", "acl", "text"):
        kept = [name for name in ("title", "changed_at", "acl", "note") if name != column]
        body = "body as text, " if column != "text" else ""
        query = (
            f"select id, {body}{', '.join(kept)}, case when id = 3 then {value} end as {column} "
            "from pages"
        )
        if column == "text":
            query = query.replace("as text", "as odd").replace(", case", ", body as text, case")
        source = open_rows(query=query, fields={**fields, "principals": "acl"})
        assert sorted(versions(source)) == ["1", "2", "3"], column
        for opened in (source, open_rows(query=query, fields={**fields, "principals": "acl"})):
            found = fetch(opened, "1", "2", "3")
            assert isinstance(found["1"], FetchedDocument), column
            assert isinstance(found["3"], FailedFetch), column
            assert isinstance(found["3"].error, BrokenDocumentError)
            assert "cannot be read" in str(found["3"].error)
        if value in ORDERED:
            assert open_rows(query=query, fields=fields).probe()


@pytest.mark.parametrize("pages", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("pages")
def test_id_that_the_driver_cannot_decode_only_fails_its_row():
    values = "('2020-01-01'::date, 'a'), ('infinity', 'b'), ('0044-03-15 BC', 'c')"
    query = f"select at as id, text from (values {values}) as t (at, text)"
    source = open_rows(query=query)
    # A date is not a valid id. Cast to text it is valid, also as infinity.
    with pytest.raises(SourceUnavailableError, match="cannot be read"):
        versions(source)
    assert sorted(versions(open_rows(query=query.replace("at as id", "at::text as id")))) == [
        "0044-03-15 BC", "2020-01-01", "infinity",
    ]  # fmt: skip


@pytest.mark.parametrize("pages", ["postgresql"], indirect=True)
@pytest.mark.parametrize("value", GOOD_VALUES.values(), ids=GOOD_VALUES)
def test_unusual_readable_value_is_read(pages, value):
    pages.insert(3, "gamma")
    query = f"select id, title, body as text, {value} as odd from pages"
    found = fetch(open_rows(query=query), "1", "2", "3")
    assert all(isinstance(one, FetchedDocument) for one in found.values()), found


FAILING_EXPRESSIONS = {
    "postgresql": ["cast(note as timestamptz)", "1 / length(note)", "note::json"],
    "sqlite": ["json_extract(note, '$.a')"],
}


@BOTH_WAYS
def test_expression_that_fails_on_a_row_only_fails_that_row(pages, fields):
    for key in range(3, 600):
        pages.insert(key, f"text {key}", note=None if key != 377 else "")
    for expression in FAILING_EXPRESSIONS[pages.engine.dialect.name]:
        query = f"select id, title, body as text, changed_at, {expression} as odd from pages"
        source = open_rows(query=query, fields=fields)
        assert len(versions(source)) == 599, expression
        for opened in (source, open_rows(query=query, fields=fields)):
            found = fetch(opened, *map(str, range(370, 380)))
            failed = found.pop("377")
            assert isinstance(failed, FailedFetch), expression
            assert isinstance(failed.error, BrokenDocumentError)
            assert all(isinstance(one, FetchedDocument) for one in found.values())
        assert open_rows(query=query, fields=fields).probe()


@pytest.mark.parametrize("pages", ["postgresql"], indirect=True)
def test_expression_that_fails_on_every_row_fails_the_query(pages):
    for key in range(3, 300):
        pages.insert(key, "text", note="")
    query = "select id, title, body as text, 1 / length(note) as odd from pages where id > 2"
    with pytest.raises(SourceUnavailableError, match="division by zero"):
        versions(open_rows(query=query))


@pytest.mark.parametrize("pages", ["sqlite"], indirect=True)
@pytest.mark.parametrize("column", ["id", "title", "body", "changed_at", "note"])
@BOTH_WAYS
def test_text_of_sqlite_that_is_not_utf8_only_fails_its_row(pages, fields, column):
    pages.run("create table loose (id text, title text, body text, changed_at, acl, note)")
    pages.run(
        "insert into loose select cast(id as text), title, body, changed_at, acl, note from pages"
    )
    pages.run("insert into loose values ('3', 't', 'gamma', '2024-05-03', null, 'n')")
    pages.run(f"update loose set {column} = cast(x'636166e9' as text) where id = '3'")
    query = QUERY.replace("pages", "loose")
    source = open_rows(query=query, fields=fields)
    name = "caf\\xe9" if column == "id" else "3"
    assert sorted(versions(source)) == sorted(["1", "2", name])
    for opened in (source, open_rows(query=query, fields=fields)):
        found = fetch(opened, "1", name)
        assert isinstance(found["1"], FetchedDocument)
        assert isinstance(found[name], FailedFetch)
        assert "not UTF-8" in str(found[name].error)
    assert open_rows(query=query, fields=fields).probe()


@pytest.mark.parametrize("pages", ["sqlite"], indirect=True)
def test_id_of_sqlite_of_another_type_only_fails_its_row(pages):
    pages.run("create table loose (id, body text)")
    pages.run(
        "insert into loose values (1, 'a'), ('two', 'b'), (2.5, 'c'), (x'00ff', 'd'), (null, 'e')"
    )
    source = open_rows(query="select id, body as text from loose")
    assert sorted(versions(source)) == ["(no id)", "00ff", "1", "2.5", "two"]
    found = fetch(source, "(no id)", "00ff", "1", "2.5", "two")
    assert {name for name, one in found.items() if isinstance(one, FetchedDocument)} == {"1", "two"}


def test_nul_in_a_text_is_replaced(pages):
    if pages.engine.dialect.name == "sqlite":
        pages.run("insert into pages values (3, null, 'a' || char(0) || 'b', null, null, null)")
        (found,) = fetch(open_rows(), "3").values()
        assert isinstance(found, FetchedDocument)
        assert found.text == "a\ufffdb"


def test_principals_are_a_list_or_separated_by_semicolons(pages):
    acl: object = ["u1", "group:a"] if pages.engine.dialect.name == "postgresql" else "u1; group:a"
    pages.insert(3, "for some", acl=acl)
    found = fetch(open_rows(fields={"principals": "acl"}), "1", "3")
    assert isinstance(found["3"], FetchedDocument)
    assert found["3"].principals == ("u1", "group:a")
    assert isinstance(found["1"], FetchedDocument)
    assert found["1"].principals is None
    assert "acl" not in found["1"].metadata


@pytest.mark.usefixtures("pages")
def test_row_with_malformed_principals_fails():
    source = open_rows(query=QUERY.replace("acl,", "5 as acl,"), fields={"principals": "acl"})
    (found,) = fetch(source, "1").values()
    assert isinstance(found, FailedFetch)
    assert isinstance(found.error, BrokenDocumentError)
    assert "principals" in str(found.error)


def test_row_over_the_limit_is_refused(pages):
    pages.insert(3, "x" * 1000)
    found = fetch(open_rows(max_document_bytes=500), "1", "3")
    assert isinstance(found["3"], FailedFetch)
    assert isinstance(found["3"].error, DocumentTooLargeError)


def test_any_subset_of_many_rows_is_fetched(pages):
    rows = ", ".join(f"({n}, null, 'text {n}', null, null, null)" for n in range(100, 2600))
    pages.run(f"insert into pages values {rows}")
    ids = list(versions(open_rows()))
    assert len(ids) == 2502
    found = fetch(open_rows(), *ids)
    assert all(isinstance(answer, FetchedDocument) for answer in found.values())
    assert len(found) == 2502


@pytest.mark.parametrize(
    ("expression", "ids"),
    [
        ("'a' || id", ["a1", "a2"]),
        ("case id when 1 then 'o''neil;' else 'ü %s :x' end", ["o'neil;", "ü %s :x"]),
    ],
)
@pytest.mark.usefixtures("pages")
def test_ids_of_several_types_become_text(expression, ids):
    query = QUERY.replace("select id", f"select {expression} as id") + " -- all; of them"
    assert sorted(versions(open_rows(query=query))) == sorted(ids)
    found = fetch(open_rows(query=query), *ids)
    assert all(isinstance(answer, FetchedDocument) for answer in found.values())


POSTGRES_IDS = [
    (
        "cast('00000000-0000-0000-0000-00000000000' || id as uuid)",
        "0" * 8 + "-0000-0000-0000-" + "0" * 11 + "1",
    ),
    ("cast(id as numeric)", "1"),
    ("cast(id as smallint)", "1"),
    ("cast('x' || id as varchar(9))", "x1"),
    ("cast(case id when 1 then 'yes' else 'no' end as answer)", "yes"),
]


@pytest.mark.parametrize(("expression", "document_id"), POSTGRES_IDS)
@pytest.mark.parametrize("pages", ["postgresql"], indirect=True)
def test_ids_of_postgres_types_are_found_again(pages, expression, document_id):
    pages.run("create type answer as enum ('no', 'yes')")
    query = QUERY.replace("select id", f"select {expression} as id")
    assert document_id in versions(open_rows(query=query))
    assert isinstance(fetch(open_rows(query=query), document_id)[document_id], FetchedDocument)


@pytest.mark.parametrize("pages", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("pages")
def test_columns_of_all_types_become_metadata():
    query = """
        with answers as (
            select 1 as id, 'body' as text, date '2024-05-01' as day, 1.50::numeric as price,
                   '{"a": [1]}'::jsonb as data, array[1, 2] as list, null::int as nothing,
                   interval '1 day' as span, 'nan'::float as ratio, true as flag
        )
        select * from answers;
    """
    (found,) = fetch(open_rows(query=query), "1").values()
    assert isinstance(found, FetchedDocument)
    assert found.metadata == {
        "day": "2024-05-01",
        "price": 1.5,
        "data": {"a": [1]},
        "list": [1, 2],
        "nothing": None,
        "span": str(timedelta(days=1)),
        "ratio": None,
        "flag": True,
    }


def test_bytes_are_refused_row_by_row(pages):
    blob = "'\\xff'::bytea" if pages.engine.dialect.name == "postgresql" else "x'ff'"
    query = f"select id, body as text, case id when 1 then {blob} end as picture from pages"
    found = fetch(open_rows(query=query), "1", "2")
    assert isinstance(found["1"], FailedFetch)
    assert "'picture' contains bytes" in str(found["1"].error)
    assert isinstance(found["2"], FetchedDocument)


@pytest.mark.parametrize("pages", ["postgresql"], indirect=True)
def test_query_that_writes_is_refused_by_the_database(pages):
    pages.run("create function spoil() returns int language sql as 'delete from pages returning 1'")
    query = "select id, body as text, spoil() from pages"
    with pytest.raises(SourceUnavailableError, match="read-only"):
        versions(open_rows(query=query))
    assert len(versions(open_rows())) == 2


@pytest.mark.parametrize(
    "query",
    [
        "delete from pages",
        "select 1; delete from pages",
        "-- select\nupdate pages set id = 1",
        "",
        "select $$;$$; drop table pages",
    ],
)
def test_only_one_select_statement_is_allowed(query):
    with pytest.raises(ValueError, match="select"):
        open_rows(query=query)


@pytest.mark.parametrize(
    "query",
    ["select ';' as x ;  ", "WITH a as (select 1) select * from a -- ; end", "/* ; */ select 1"],
)
def test_semicolons_in_literals_and_comments_are_allowed(query):
    open_rows(query=query)


ENDINGS = [
    "where title = 'a:b'",
    "where title = 'it''s'",
    "where title <> ''",
    'where "title" = "title"',
    "where note is null or note = '-- ; /* '",
    "where id >= 1",
    "where (id > 0)",
    "where id in (select id from pages)",
    "where title is null or title is not null ; ; ",
    "where id > 0 -- it's the end; or not",
    "where id > 0 /* don't; */",
    "where id > 0; -- done",
    "where id > 0 --",
    "order by id desc",
    "order by id limit 100",
    "order by id limit 100 offset 0;\n\n",
    "where title like '%'",
    "where title <> 'a\\'",
    "union all select 9, 'z', 'z', null, null, 'end'",
]
OWN_ENDINGS = {
    "postgresql": [
        "where title <> $$a;b$$",
        "where title <> $tag$ $$; $tag$",
        "where title <> E'it\\'s; '",
        r"where title <> U&'\0061'",
        "where id > 0 /* outer /* inner */ don't; */",
        "where id = any(array[1, 2])",
        "where id > 1e0",
        "where changed_at < now()::timestamptz",
        "where title <> 'x'::text",
        "order by id fetch first 100 rows only",
    ],
    "sqlite": ["where [title] = [title]", "where `title` = `title`", "where title <> x'00'"],
}


def test_query_with_any_ending_runs_as_written(pages):
    pages.insert(3, "gamma", title="a:b")
    for ending in ENDINGS + OWN_ENDINGS[pages.engine.dialect.name]:
        query = f"{QUERY} {ending}"
        with pages.engine.connect() as connection:
            raw = connection.exec_driver_sql(query.rstrip("; ").replace("%", "%%"))
            expected = sorted(str(row.id) for row in raw)
        assert sorted(versions(open_rows(query=query))) == expected, query


@pytest.mark.parametrize(
    "query",
    ["with a as (select * from pages) select id, body as text from a", f"/* first */ {QUERY}"],
)
@pytest.mark.usefixtures("pages")
def test_query_with_any_beginning_runs_as_written(query):
    assert sorted(versions(open_rows(query=query))) == ["1", "2"]


def test_backslashes_and_number_signs_of_mysql_are_parsed():
    assert read_query("select 'it\\'s; fine' from t;") == "select 'it\\'s; fine' from t"
    assert read_query("select 1 # it's the end;") == "select 1"


@pytest.mark.parametrize("query", ["select 'a", "select 1 /* a", 'select "a', "select $$a"])
def test_unclosed_literal_is_refused(query):
    with pytest.raises(ValueError, match="not closed"):
        read_query(query)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "exactly one"),
        ({"url": "sqlite:///x.db", "url_variable": "X"}, "exactly one"),
        ({"url": "postgresql://me:secret@host/x"}, "contains a password"),
        ({"url": "no url"}, "is not a database URL"),
        ({"url": "sqlite:///x.db", "credentials": {"token": "X"}}, "unknown 'token'"),
    ],
)
def test_settings_have_exactly_one_url_without_a_password(settings, said):
    with pytest.raises(ValueError, match=said):
        SqlSettings(name="s", collection="c", kind="sql", query="select 1", **settings)


def test_file_of_sqlite_is_relative_to_the_configuration(tmp_path):
    stated = {"name": "s", "collection": "c", "kind": "sql", "query": "select 1"}
    settings = SqlSettings.model_validate(
        {**stated, "url": "sqlite:///pages.db"}, context={"folder": tmp_path}
    )
    assert settings.url == f"sqlite:///{tmp_path}/pages.db"
    assert settings.is_local
    assert settings.address == settings.url
    with pytest.raises(SourceUnavailableError):
        SqlSource(settings).probe()
    assert not (tmp_path / "pages.db").exists()


@pytest.mark.parametrize("pages", ["postgresql"], indirect=True)
def test_name_and_password_come_from_the_environment(pages, monkeypatch):
    stated = pages.engine.url
    monkeypatch.setenv("PAGES_USER", stated.username or "postgres")
    monkeypatch.setenv("PAGES_PASSWORD", "any")
    url = stated.set(username=None, password=None, drivername="postgres")
    source = open_rows(
        url=url.render_as_string(),
        url_variable=None,
        credentials={"username": "PAGES_USER", "password": "PAGES_PASSWORD"},
    )
    assert len(versions(source)) == 2


def refused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:hunter2@127.0.0.1:{port}/x",
        "mysql+missing://me:hunter2@127.0.0.1:{port}/x",
        "oracle://me:hunter2@127.0.0.1:{port}/x",
        "sqlite:////nowhere/hunter2/pages.db",
        "hunter2",
    ],
)
def test_unreachable_database_is_unavailable_and_its_password_is_not_shown(monkeypatch, address):
    monkeypatch.setenv("PAGES_URL", address.format(port=refused_port()))
    source = open_rows()
    for attempt in (source.probe, lambda: versions(source), lambda: fetch(source, "1")):
        with pytest.raises(SourceUnavailableError) as caught:
            attempt()
        assert "hunter2" not in str(caught.value)


def test_missing_variable_and_missing_driver_are_named(monkeypatch):
    with pytest.raises(SourceUnavailableError, match="PAGES_URL"):
        open_rows().probe()
    monkeypatch.setenv("PAGES_URL", "oracle://me@host/x")
    with pytest.raises(SourceUnavailableError, match="install the package"):
        open_rows().probe()


@pytest.mark.usefixtures("pages")
def test_missing_table_or_column_is_named():
    with pytest.raises(SourceUnavailableError, match="nowhere"):
        open_rows(query="select id, body as text from nowhere").probe()
    with pytest.raises(SourceUnavailableError, match="gone"):
        versions(open_rows(fields={"changed_at": "gone"}))
