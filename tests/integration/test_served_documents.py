"""Documents are read back from the live index, part by part, by those who may read them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ragline.errors import DocumentNotServedError, UnknownCollectionError
from ragline.search.searcher import Searcher
from ragline.search.served_documents import CHUNKS_AT_ONCE, DocumentRequest

CONFIGURATION = """
collections:
  - name: notes
    chunking: {max_tokens: 32, overlap_tokens: 8}
sources:
  - {name: first, collection: notes, kind: records, uri: ./first.jsonl,
     fields: {id: id, text: text},
     rules: [{match: closed, principals: [group:staff]}]}
  - {name: second, collection: notes, kind: records, uri: ./second.jsonl,
     fields: {id: id, text: text}}
"""
SENTENCES = [f"Sentence number {n} says something about the topic {n * 7}." for n in range(250)]
LONG = " ".join(SENTENCES)
ASKED = DocumentRequest("notes", "long")


@pytest.fixture
def searcher(configure, make_workshop, run_stages, tmp_path):
    first = {"long": LONG, "open": "For all.", "closed": "For staff."}
    for name, texts in (("first", first), ("second", {"open": "Another one for all."})):
        lines = [json.dumps({"id": id_, "text": text, "n": 1}) for id_, text in texts.items()]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    workshop = make_workshop(configure(CONFIGURATION))
    run_stages(workshop)
    return Searcher(workshop.database, workshop.configuration)


def test_parts_of_a_long_document_give_all_of_it(searcher):
    parts = [searcher.read_document(ASKED)]
    while parts[-1].next_chunk is not None:
        parts.append(searcher.read_document(replace(ASKED, first_chunk=parts[-1].next_chunk)))
    assert len(parts) > 1
    assert {part.chunk_count for part in parts} == {parts[-1].first_chunk + _count(parts)}
    said = "\n".join(part.text for part in parts)
    assert all(sentence in said for sentence in SENTENCES)
    assert LONG.startswith(" ".join(parts[0].text.split()))
    assert (parts[0].source, parts[0].metadata) == ("first", {"n": 1})


def _count(parts):
    whole = (len(parts) - 1) * CHUNKS_AT_ONCE
    return parts[0].chunk_count - whole


def test_document_of_several_sources_needs_one_named(searcher):
    request = DocumentRequest("notes", "open")
    with pytest.raises(DocumentNotServedError, match="first, second"):
        searcher.read_document(request)
    assert searcher.read_document(replace(request, source="first")).text == "For all."
    assert searcher.read_document(replace(request, source="second")).text == "Another one for all."


def test_only_its_readers_read_a_document(searcher):
    request = DocumentRequest("notes", "closed")
    for principals in ((), ("group:visitors",)):
        with pytest.raises(DocumentNotServedError, match="no document 'closed'"):
            searcher.read_document(replace(request, principals=principals))
    for principals in (("group:visitors", "group:staff"), None):
        assert searcher.read_document(replace(request, principals=principals)).text == "For staff."


def test_what_is_not_there_is_told_by_name(searcher):
    with pytest.raises(DocumentNotServedError, match="none from 9999 on"):
        searcher.read_document(replace(ASKED, first_chunk=9_999))
    with pytest.raises(UnknownCollectionError):
        searcher.read_document(DocumentRequest("nothing", "long"))
