"""Front matter of Markdown becomes title and metadata, and no text is lost."""

from __future__ import annotations

import time

import pytest

from ragline.parsing.front_matter import MAX_CHARS, find_front_matter, read_metadata
from ragline.parsing.readers.dispatch import ReaderDispatch

BODY = "# Tea\n\nTea is drunk warm.\n"
YAML = """---
title: "How to: make tea"
date: 2024-05-01
updated: 2024-05-01 12:30:00+02:00
tags: [green, black]
draft: false
weight: 3
ratio: 1.5
nothing:
author: {name: Ann, city: "K\u00f6ln"}
description: >
  Leaves and
  water.
---

"""
TOML = """+++
title = "How to: make tea"
date = 2024-05-01
tags = ["green", "black"]
[author]
name = "Ann"
+++
"""


def read(text: str, name: str = "tea.md"):
    return ReaderDispatch().parse_document(text.encode(), name)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_yaml_becomes_title_and_metadata_and_is_not_in_the_text(newline, mark):
    text = mark + (YAML + BODY).replace("\n", newline)
    parsed = read(text)
    assert parsed.text == BODY.replace("\n", newline)
    assert parsed.title == "How to: make tea"
    assert [e.category for e in parsed.elements] == ["title", "text"]
    assert read_metadata(text.encode(), "tea.md") == {
        "date": "2024-05-01",
        "updated": "2024-05-01T12:30:00+02:00",
        "tags": ["green", "black"],
        "draft": False,
        "weight": 3,
        "ratio": 1.5,
        "nothing": None,
        "author": {"name": "Ann", "city": "K\u00f6ln"},
        "description": "Leaves and water.\n",
    }


def test_toml_becomes_title_and_metadata_and_is_not_in_the_text():
    parsed = read(TOML + BODY)
    assert (parsed.text, parsed.title) == (BODY, "How to: make tea")
    assert read_metadata((TOML + BODY).encode(), "tea.mdx") == {
        "date": "2024-05-01", "tags": ["green", "black"], "author": {"name": "Ann"},
    }  # fmt: skip


def test_title_of_the_text_is_used_without_a_title_in_the_front_matter():
    assert read("---\ntags: [a]\n---\n" + BODY).title == "Tea"
    assert read("---\ntags: [a]\n...\n" + BODY).text == BODY


BROKEN = {
    "no mapping": "---\njust a line\n---\n",
    "list": "---\n- a\n- b\n---\n",
    "broken yaml": "---\ntitle: [a\nb: {{ c }}\n---\n",
    "two colons": "---\ntitle: a: b\n---\n",
    "code": "---\na: !!python/object/apply:os.system ['true']\n---\n",
    "bytes": "---\na: !!binary aGVsbG8=\n---\n",
    "aliases": "---\na: &a [x]\nb: *a\n---\n",
    "deep": "---\na: {b: {c: {d: {e: {f: g}}}}}\n---\n",
    "broken toml": "+++\ntitle = unquoted\n+++\n",
    "never closed": "---\ntitle: Tea\n\n",
    "too many fields": "---\n" + "".join(f"a{n}: {n}\n" for n in range(150)) + "---\n",
    "too long": "---\na: " + "word " * MAX_CHARS + "\n---\n",
    "too many lines": "---\n" + "a:\n" * 300 + "---\n",
    "huge number": "---\na: " + "9" * 5000 + "\n---\n",
    "bad date": "---\na: 2024-99-99\n---\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_malformed_front_matter_stays_text(name):
    parsed = read(BROKEN[name] + BODY)
    shown = " ".join(parsed.text[e.start : e.end] for e in parsed.elements)
    words = [word for word in BROKEN[name].split() if word.strip("-+")]
    assert all(word in shown for word in words)
    assert "Tea is drunk warm." in shown
    assert read_metadata((BROKEN[name] + BODY).encode(), "tea.md") == {}


def test_aliases_that_expand_to_gigabytes_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    started = time.monotonic()
    assert find_front_matter("---\n" + "\n".join(lines) + "\n---\n" + BODY) is None
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("text", ["---\n\n" + BODY, "Tea\n---\n\nText.\n", "--- \n---\nText\n"])
def test_horizontal_lines_are_not_front_matter(text):
    assert find_front_matter(text) is None
    assert "Te" in read(text).text


def test_file_with_fields_only_keeps_them_as_text():
    parsed = read("---\ntitle: Tea\nsummary: All about it.\n---\n")
    assert "All about it." in parsed.text
    assert parsed.elements


def test_other_files_have_no_front_matter():
    assert read_metadata((YAML + BODY).encode(), "tea.txt") == {}
    assert read_metadata(b"PK\x03\x04", "tea.md") == {}
    assert "title:" in read(YAML + BODY, "tea.txt").text
