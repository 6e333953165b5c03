"""Parsing real files in child processes: every format, broken files, and hostile readers."""

from __future__ import annotations

import io
import itertools
import json
import os
import signal
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import which

import pytest
from broken_files import make_broken_files, make_laughing_yaml
from docx import Document
from openpyxl import Workbook
from pptx import Presentation

from ragline.errors import (
    BrokenDocumentError,
    DocumentError,
    EncryptedDocumentError,
    ParserCrashedError,
    ParserMemoryError,
    ParserTimeoutError,
    ParserUnavailableError,
    UnsupportedFormatError,
)
from ragline.lifecycle.ledger import choose_failure_state
from ragline.parsing.parsed_document import ParsedDocument
from ragline.parsing.parser_child import ParserChild, ParserLimits
from ragline.parsing.parser_pool import ParserPool
from ragline.parsing.parser_protocol import decode_result
from ragline.sources.protocol import FetchedDocument

EXAMPLES = Path(__file__).parents[2] / "examples"
BROKEN = Path(__file__).parents[1] / "data" / "broken"
HOSTILE = {
    ".forever": "misbehaving_readers:read_forever",
    ".greedy": "misbehaving_readers:read_greedily",
    ".dead": "misbehaving_readers:read_and_die",
}
# Files whose readers notice that the second half is missing.
ENDED_FILES = {"a.docx", "a.pptx", "a.xlsx", "a.xml"}
GOOD = FetchedDocument("good.md", b"# Good\n\nA healthy document.\n", "good.md")

Result = ParsedDocument | DocumentError


def parse(files: dict[str, bytes], **options: object) -> dict[str, Result]:
    documents = [FetchedDocument(name, content, name) for name, content in files.items()]
    with ParserPool(**options) as pool:
        return {
            document.document_id: result for document, result in pool.parse_documents(documents)
        }


def parse_one(name: str, content: bytes) -> ParsedDocument:
    result = parse({name: content})[name]
    assert isinstance(result, ParsedDocument), result
    return result


def read_folder(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def texts_of(parsed: ParsedDocument) -> list[str]:
    return [parsed.text[element.start : element.end] for element in parsed.elements]


def test_markdown_keeps_its_own_text_headings_and_offsets():
    source = "# Guide\n\nIntro with **bold**.\n\n## Setup\n\n- first\n- second\n"
    parsed = parse_one("guide.md", source.encode())
    assert parsed.text == source
    assert parsed.title == "Guide"
    item = next(e for e in parsed.elements if "first" in source[e.start : e.end])
    assert item.heading_path == ("Guide", "Setup")


def test_word_document_has_title_headings_and_tables():
    document = Document()
    document.core_properties.title = "House rules"
    document.add_heading("Heating", 1)
    document.add_paragraph("Radiators are off from May to September.")
    table = document.add_table(rows=2, cols=2)
    for cell, value in zip(table._cells, ("Room", "Degrees", "Hall", "18"), strict=True):
        cell.text = value
    file = io.BytesIO()
    document.save(file)
    parsed = parse_one("rules.docx", file.getvalue())
    assert parsed.title == "House rules"
    assert "Room | Degrees\nHall | 18" in texts_of(parsed)
    assert parsed.elements[-1].heading_path == ("Heating",)


def test_slides_are_pages():
    deck = Presentation()
    for title in ("First", "Second"):
        slide = deck.slides.add_slide(deck.slide_layouts[5])
        slide.shapes.title.text = f"{title} slide about tides"
    file = io.BytesIO()
    deck.save(file)
    parsed = parse_one("deck.pptx", file.getvalue())
    assert [element.page for element in parsed.elements] == [1, 2]


def test_sheet_names_are_headings_and_rows_are_lines():
    book = Workbook()
    book.active.title = "Stock"
    for row in (("Item", "Count"), ("Lamp", 4)):
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    parsed = parse_one("stock.xlsx", file.getvalue())
    assert "Item | Count\nLamp | 4" in texts_of(parsed)
    assert parsed.elements[-1].heading_path == ("Stock",)


def test_mail_is_titled_by_its_subject():
    mail = b"From: a@example.org\nTo: b@example.org\nSubject: Lunch\n\nSee you at noon.\n"
    parsed = parse_one("lunch.eml", mail)
    assert parsed.title == "Lunch"
    assert "See you at noon." in parsed.text


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b'{"office": {"city": "Lisbon"}}', "city: Lisbon"),
        ("a.yaml", b"office:\n  city: Lisbon\n", "city: Lisbon"),
        ("a.xml", b"<office><city>Lisbon</city></office>", "Lisbon"),
        ("a.csv", b"city;desks\nLisbon;42\n", "Lisbon | 42"),
        ("a.tsv", b"city\tdesks\nLisbon\t42\n", "Lisbon | 42"),
        ("a.html", b"<h1>Offices</h1><p>One is in Lisbon.</p>", "One is in Lisbon."),
        ("a.txt", "Lisbon is où we are".encode("utf-16"), "Lisbon is où we are"),
        ("a.rst", b"Offices\n=======\n\nOne is in Lisbon.\n", "One is in Lisbon."),
    ],
)
def test_text_of_each_plain_format_is_read(name, content, said):
    assert said in parse_one(name, content).text


def test_org_is_read_by_pandoc():
    assert "One is in Lisbon." in parse_one("a.org", b"* Offices\nOne is in Lisbon.\n").text


def test_type_is_decided_by_content_and_name_together():
    page = b"<!doctype html><html><body><h1>Page</h1><p>Not a PDF at all.</p></body></html>"
    assert parse_one("misnamed.pdf", page).file_type == "html"
    result = parse({"noise.xyz": bytes(range(256)) * 20})["noise.xyz"]
    assert isinstance(result, UnsupportedFormatError)


def test_hostile_reader_only_fails_its_own_document(monkeypatch):
    # The parser processes import the readers of the tests from there.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    files = {
        "a.forever": b"x", "b.greedy": b"x", "c.dead": b"x",
        "good.md": GOOD.content, "later.md": GOOD.content,
    }  # fmt: skip
    started = time.monotonic()
    results = parse(
        files, time_limit_s=4, memory_limit_bytes=400 << 20, custom_readers=HOSTILE, workers=2
    )
    assert isinstance(results["a.forever"], ParserTimeoutError)
    assert isinstance(results["b.greedy"], ParserMemoryError)
    assert isinstance(results["c.dead"], ParserCrashedError)
    assert isinstance(results["good.md"], ParsedDocument)
    assert isinstance(results["later.md"], ParsedDocument)
    assert time.monotonic() - started < 120


def test_bombs_are_refused_or_read_within_the_limits():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", b"<w>" + b" " * (600 << 20))
    laughs = b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><l>&b;</l>'
    deep = b"[" * 100_000 + b"]" * 100_000
    files = {"bomb.docx": packed.getvalue(), "laughs.xml": laughs, "deep.json": deep}
    results = parse(files | {"good.md": GOOD.content}, workers=2)
    assert isinstance(results["good.md"], ParsedDocument)
    assert isinstance(results["bomb.docx"], DocumentError)
    assert isinstance(results["deep.json"], DocumentError)
    laughed = results["laughs.xml"]
    assert isinstance(laughed, DocumentError) or "haha" not in laughed.text


@pytest.fixture
def outside_documents(outside_data: Path) -> Path:
    return outside_data / "sample_docs" / "files"


@pytest.fixture(
    params=["examples", pytest.param("outside_documents", marks=pytest.mark.outside_data)]
)
def sample_documents(request: pytest.FixtureRequest) -> dict[str, bytes]:
    """Real documents in office formats, without the one that has a password."""
    name = request.param
    folder = EXAMPLES / "handbook" if name == "examples" else request.getfixturevalue(name)
    files = read_folder(folder)
    files.pop("office/protected.pdf", None)
    return files


def test_every_sample_document_is_read(sample_documents):
    files = sample_documents
    if which("soffice") is None:
        files = {
            name: content
            for name, content in files.items()
            if name[-4:] not in (".doc", ".odp", ".ods")
        }
    results = parse(files)
    unread = {name: str(r) for name, r in results.items() if isinstance(r, DocumentError)}
    # All cells of its only table are empty.
    assert unread.keys() <= {"pptx/table_test.pptx"}, unread
    for name, parsed in results.items():
        if isinstance(parsed, ParsedDocument):
            spans = [(element.start, element.end) for element in parsed.elements]
            assert all(
                a_end <= b_start for (_, a_end), (b_start, _) in itertools.pairwise(spans)
            ), name


@pytest.mark.outside_data
def test_answers_of_sample_questions_are_in_the_parsed_texts(outside_data):
    folder = outside_data / "sample_docs"
    lines = (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    named = {json.loads(line)["file"].removeprefix("files/") for line in lines}
    results = parse({name: (folder / "files" / name).read_bytes() for name in sorted(named)})
    assert all(isinstance(result, ParsedDocument) for result in results.values())
    memo = results["pdf/fake-memo.pdf"]
    assert isinstance(memo, ParsedDocument)
    assert "20,000" in memo.text


def test_sentences_of_the_examples_are_in_the_text_of_their_files():
    said = {
        "office/fake-memo.pdf": "20,000",
        "office/docx-tables.docx": "Header Col 1",
        "contracts/sample-lease8.txt": "LEASE",
        "mail/fake-email.msg": "This is a test email",
        "books/winter-sports.epub": "ski",
        "data/offices.json": "Lisbon",
    }
    results = parse({name: (EXAMPLES / "handbook" / name).read_bytes() for name in said})
    for name, words in said.items():
        result = results[name]
        assert isinstance(result, ParsedDocument), name
        assert words in result.text, name


def check_reasons(results: dict[str, Result]) -> None:
    for name, result in results.items():
        if isinstance(result, DocumentError):
            assert len(str(result)) > 10, name


def test_every_broken_file_has_a_parse_or_a_reason():
    results = parse(read_folder(BROKEN), workers=2)
    check_reasons(results)
    assert isinstance(results["encrypted/60320-protected.xlsx"], EncryptedDocumentError)


def test_deeply_nested_lists_stay_within_the_time_limit():
    results = parse({"bomb.yaml": make_laughing_yaml()}, time_limit_s=3)
    assert isinstance(results["bomb.yaml"], ParserTimeoutError | ParserMemoryError)


def test_every_generated_broken_file_has_a_parse_or_a_reason():
    results = parse(make_broken_files() | {"good.md": GOOD.content}, workers=2)
    check_reasons(results)
    assert isinstance(results["good.md"], ParsedDocument)
    assert isinstance(results["protected/a.pdf"], EncryptedDocumentError)
    for name, result in results.items():
        kind, _, file_name = name.partition("/")
        is_truncated = kind == "first-half" and file_name in ENDED_FILES
        if kind in ("empty", "hollow") or is_truncated:
            assert isinstance(result, DocumentError), name
        if kind == "foreign" and isinstance(result, ParsedDocument):
            assert "root:" not in result.text, name


@pytest.mark.outside_data
def test_every_broken_file_of_the_outside_data_has_a_parse_or_a_reason(outside_data):
    results = parse(read_folder(outside_data / "corrupt_files" / "files"), workers=2)
    assert len(results) == 27
    check_reasons(results)
    assert isinstance(results["encrypted/password.pdf"], EncryptedDocumentError)


@pytest.mark.parametrize("kills", [1, 2])
def test_parser_killed_at_its_start_is_started_again(kills: int):
    with ParserChild(ParserLimits()) as child, kill_starting(child, kills) as killed:
        if kills == 1:
            assert isinstance(child.parse_document(GOOD), ParsedDocument)
        else:
            with pytest.raises(ParserUnavailableError, match="did not start"):
                child.parse_document(GOOD)
    assert len(killed) == kills


@pytest.mark.timeout(60)
def test_parser_that_cannot_start_fails_each_document_with_the_reason(monkeypatch):
    monkeypatch.setattr("ragline.parsing.parser_child.PROCESS_MODULE", "ragline.no_such_module")
    documents = [replace(GOOD, document_id=f"{number}") for number in range(12)]
    with ParserPool(workers=2) as pool:
        results = {
            document.document_id: result for document, result in pool.parse_documents(documents)
        }
        assert len(results) == 12
        for result in results.values():
            assert isinstance(result, ParserUnavailableError)
            assert "no_such_module" in str(result)
            assert choose_failure_state(result, 99) == "failed"
        # The next call tries again.
        monkeypatch.undo()
        ((_, result),) = pool.parse_documents([GOOD])
        assert isinstance(result, ParsedDocument)


@pytest.mark.parametrize("answer", [b"[]", b"{}", b"\xff", b'{"error": 5, "message": []}'])
def test_malformed_result_only_fails_its_document(monkeypatch, answer):
    monkeypatch.setattr(
        "ragline.parsing.parser_child.decode_result", lambda _: decode_result(answer)
    )
    with ParserPool(workers=1) as pool:
        ((_, result),) = pool.parse_documents([GOOD])
        assert isinstance(result, ParserCrashedError | BrokenDocumentError)
        monkeypatch.undo()
        ((_, result),) = pool.parse_documents([GOOD])
        assert isinstance(result, ParsedDocument)


@contextmanager
def kill_starting(child: ParserChild, count: int) -> Iterator[set[int]]:
    """Kill the process of a child at its start, `count` times; yields the killed process ids."""
    killed: set[int] = set()
    is_over = threading.Event()

    def kill() -> None:
        while len(killed) < count and not is_over.is_set():
            if child.pid is not None and child.pid not in killed:
                os.kill(child.pid, signal.SIGKILL)
                killed.add(child.pid)
            time.sleep(0.001)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield killed
    finally:
        is_over.set()
        killer.join()
