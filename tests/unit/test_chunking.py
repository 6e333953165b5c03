"""Chunks are slices of the document within the model's limit, split at natural boundaries."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragline.chunking import Chunk, chunk_document, chunker_fingerprint
from ragline.chunking.boundaries import sentence_starts
from ragline.embedder.model_files import DEFAULT_MODEL
from ragline.embedder.tokenizer import ModelTokenizer, TokenCounter, load_tokenizer
from ragline.parsing.parsed_document import Category, Element, ParsedDocument


@dataclass(frozen=True)
class Budget:
    max_tokens: int = 40
    overlap_tokens: int = 0


@dataclass(frozen=True)
class WordCounter:
    """A token is a word or a punctuation mark, so that tokens are easy to count by hand."""

    max_tokens: int = 1000
    fingerprint: str = "words"

    def offsets(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [len(self.offsets(text)) for text in texts]


class ByteCounter(WordCounter):
    """Several tokens may have the offset of one character, as in byte-level tokenizers."""

    def offsets(self, text: str) -> list[tuple[int, int]]:
        return [(i, i + 1) for i, mark in enumerate(text) for _ in mark.encode()]


class UnevenCounter(WordCounter):
    """A slice has more tokens by itself than within its text, as at the ends of word pieces."""

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [len(self.offsets(text)) * 5 // 4 + 3 if text else 0 for text in texts]


WORDS = WordCounter()
COUNTERS = (WORDS, ByteCounter(), UnevenCounter())


def build_document(
    blocks: Iterable[tuple[Category, str, int]], *, title: str | None = None, per_page: int = 3
) -> ParsedDocument:
    """Blocks of (category, text, level); the level of a "title" is its depth from 1."""
    text = ""
    elements: list[Element] = []
    path: tuple[str, ...] = ()
    for number, (category, block, level) in enumerate(blocks):
        start = len(text)
        if category == "title":
            path = path[: level - 1]
        page = number // per_page + 1
        elements.append(Element(category, start, start + len(block), path, page))
        if category == "title":
            path = (*path, " ".join(block.split()))
        text += block + "\n\n"
    return ParsedDocument(text, tuple(elements), "md", title=title)


def sentences(count: int, words: int = 7, name: str = "word") -> str:
    return " ".join(
        f"{name.capitalize()}{number} " + " ".join([name] * (words - 2)) + "."
        for number in range(count)
    )


def paragraphs(text: str) -> ParsedDocument:
    return build_document([("text", text, 0)])


def chunk(document: ParsedDocument, counter: TokenCounter = WORDS, **budget: int) -> list[Chunk]:
    return chunk_document(document, Budget(**budget), counter)


def texts(chunks: Iterable[Chunk]) -> list[str]:
    return [made.text for made in chunks]


@pytest.fixture(scope="module")
def model_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> ModelTokenizer:
    return load_tokenizer(DEFAULT_MODEL, tmp_path_factory.mktemp("models"))


any_text = st.text(max_size=400) | st.text(alphabet="ab .!?\n。漢字", max_size=400)
any_block = st.tuples(
    st.sampled_from(["title", "text", "list_item", "table", "code"]),
    any_text,
    st.integers(1, 4),
)
any_document = st.builds(
    build_document, st.lists(any_block, max_size=12), title=st.none() | any_text
)
any_budget = st.builds(Budget, st.integers(24, 200), st.sampled_from([0, 10, 30]))
any_counter = st.sampled_from(COUNTERS)

plain_word = st.sampled_from(["alpha", "beta", "gamma", "delta."])
plain_words = st.lists(plain_word, min_size=1, max_size=60)
plain_block = st.tuples(
    st.sampled_from(["title", "text", "text", "list_item"]),
    plain_words.map(" ".join),
    st.integers(1, 3),
).map(
    lambda block: (
        block[0],
        " ".join(block[1].split()[:6]) if block[0] == "title" else block[1],
        block[2],
    )
)
plain_document = st.builds(build_document, st.lists(plain_block, max_size=15))


class TestEveryChunk:
    @given(any_document, any_budget, any_counter)
    def test_is_a_slice_of_the_document(
        self, document: ParsedDocument, budget: Budget, counter: TokenCounter
    ):
        for made in chunk_document(document, budget, counter):
            assert made.text == document.text[made.char_start : made.char_end]
            assert made.embedded_text.endswith(made.text)

    @given(any_document, any_budget, any_counter)
    def test_is_counted_and_within_the_budget(
        self, document: ParsedDocument, budget: Budget, counter: TokenCounter
    ):
        for made in chunk_document(document, budget, counter):
            assert [made.token_count] == counter.count_tokens([made.embedded_text])
            assert made.token_count <= budget.max_tokens

    @given(any_document, any_budget, any_counter)
    def test_is_not_empty_and_follows_the_previous_one(
        self, document: ParsedDocument, budget: Budget, counter: TokenCounter
    ):
        chunks = chunk_document(document, budget, counter)
        assert [made.ordinal for made in chunks] == list(range(len(chunks)))
        assert all(made.text.strip() for made in chunks)
        for before, after in pairwise(chunks):
            assert before.char_start < after.char_start
            assert before.char_end < after.char_end

    @given(any_document, any_budget, any_counter)
    def test_all_text_that_a_model_can_read_is_in_a_chunk(
        self, document: ParsedDocument, budget: Budget, counter: TokenCounter
    ):
        covered = set[int]()
        for made in chunk_document(document, budget, counter):
            covered.update(range(made.char_start, made.char_end))
        for element in document.elements:
            for start, end in counter.offsets(document.text[element.start : element.end]):
                span = range(element.start + start, element.start + end)
                missing = [i for i in span if i not in covered and not document.text[i].isspace()]
                assert not missing

    @given(any_document, any_budget, any_counter)
    def test_is_the_same_in_a_second_run(
        self, document: ParsedDocument, budget: Budget, counter: TokenCounter
    ):
        again = replace(document)
        assert chunk_document(document, budget, counter) == chunk_document(again, budget, counter)

    @given(plain_document, st.builds(Budget, st.integers(30, 120), st.sampled_from([0, 15])))
    def test_ends_with_a_heading_only_at_the_end_of_the_document_or_its_room(
        self, document: ParsedDocument, budget: Budget
    ):
        ends = {element.end: index for index, element in enumerate(document.elements)}
        for made in chunk_document(document, budget, WORDS)[:-1]:
            index = ends.get(made.char_end)
            if index is None or document.elements[index].category != "title":
                continue
            # Nested headings without text, more than half a chunk of them.
            assert document.elements[index + 1].category == "title"


class TestWithTheRealTokenizer:
    @given(document=any_document, max_tokens=st.integers(24, 400), overlap=st.integers(0, 40))
    @settings(max_examples=60)
    def test_no_chunk_is_longer_than_the_model_reads(
        self,
        model_tokenizer: ModelTokenizer,
        document: ParsedDocument,
        max_tokens: int,
        overlap: int,
    ):
        chunks = chunk_document(document, Budget(max_tokens, overlap), model_tokenizer)
        counts = model_tokenizer.count_tokens([made.embedded_text for made in chunks])
        assert counts == [made.token_count for made in chunks]
        assert all(count <= min(max_tokens, 254) for count in counts)

    @pytest.mark.parametrize(
        "text",
        [
            "漢" * 20_000,
            "한국어" * 7_000,
            "👩‍👩‍👧‍👦" * 3_000,
            "é" * 20_000,
            "supercalifragilistic" * 1_000,
            "x1-" * 10_000,
            "한국어 문장입니다。" * 2_000,
            " \t" * 20_000 + "end",
        ],
        ids=["han", "hangul", "families", "accents", "one-word", "marks", "sentences", "blanks"],
    )
    def test_scripts_without_spaces_fit_too(self, model_tokenizer: ModelTokenizer, text: str):
        chunks = chunk_document(paragraphs(text), Budget(10_000), model_tokenizer)
        assert chunks
        for made in chunks:
            assert len(model_tokenizer.encode_documents([made.embedded_text])[0]) <= 256
        assert sum(len(made.text) for made in chunks) >= len("".join(text.split()))

    def test_long_title_and_headings_leave_room_for_text(self, model_tokenizer: ModelTokenizer):
        blocks: list[tuple[Category, str, int]] = [
            ("title", f"Heading {level} " + "very long " * 20, level) for level in (1, 2, 3, 4)
        ]
        document = build_document([*blocks, ("text", sentences(40), 0)], title="Title " * 300)
        chunks = chunk_document(document, Budget(100), model_tokenizer)
        assert all(made.token_count <= 100 for made in chunks)
        assert any("Word39" in made.text for made in chunks)
        headers = [made.embedded_text.removesuffix(made.text) for made in chunks]
        assert max(model_tokenizer.count_tokens(headers)) <= 25


class TestPathologicalDocuments:
    def test_a_word_of_a_hundred_kilobytes_is_split_quickly(self, model_tokenizer: ModelTokenizer):
        started = time.process_time()
        chunks = chunk_document(paragraphs("q" * 100_000), Budget(200), model_tokenizer)
        assert time.process_time() - started < 3
        assert "".join(texts(chunks)) == "q" * 100_000
        assert max(len(made.text) for made in chunks) <= 200 * 16

    def test_a_hundred_thousand_short_lines_are_chunked_quickly(
        self, model_tokenizer: ModelTokenizer
    ):
        table = "\n".join(map(str, range(100_000)))
        started = time.process_time()
        chunks = chunk_document(build_document([("table", table, 0)]), Budget(200), model_tokenizer)
        assert time.process_time() - started < 20
        assert "\n".join(texts(chunks)) == table

    def test_text_between_elements_may_be_of_any_length(self):
        text = "Heading\n" + "<!-- a comment -->\n" * 400 + "Words of the section."
        heading, body = Element("title", 0, 7), Element("text", text.index("Words"), len(text))
        chunks = chunk(ParsedDocument(text, (heading, body), "html"))
        assert texts(chunks) == ["Heading", "Words of the section."]

    def test_no_text_gives_no_chunks(self):
        assert chunk(ParsedDocument("", (), "txt", title="Empty")) == []
        assert chunk(ParsedDocument(" \n\t ", (Element("text", 0, 4),), "txt")) == []

    def test_a_budget_of_a_few_tokens_still_covers_everything(self):
        document = build_document([("title", "One two three", 1), ("text", sentences(3), 0)])
        chunks = chunk(document, max_tokens=4)
        assert all(made.token_count <= 4 for made in chunks)
        assert "".join("".join(texts(chunks)).split()) == "".join(document.text.split())


class TestWhereTextIsSplit:
    def test_whole_paragraphs_share_a_chunk_while_they_fit(self):
        document = build_document([("text", sentences(2), 0)] * 4)
        assert [made.token_count for made in chunk(document, max_tokens=34)] == [28, 28]

    def test_a_long_paragraph_is_split_after_sentences(self):
        chunks = chunk(paragraphs(sentences(30)), max_tokens=50)
        assert len(chunks) > 3
        assert all(made.text.endswith(".") for made in chunks)
        assert all(made.text.startswith("Word") for made in chunks)

    def test_a_split_paragraph_leaves_no_tiny_chunk(self):
        counts = [made.token_count for made in chunk(paragraphs(sentences(14)), max_tokens=96)]
        assert len(counts) == 2
        assert min(counts) >= 40

    def test_a_long_sentence_is_split_after_clauses_then_words(self):
        clauses = ", ".join(["one two three four five six seven"] * 12)
        assert all(made.text[-1] in ",n" for made in chunk(paragraphs(clauses), max_tokens=30))
        words = " ".join(f"word{number}" for number in range(100))
        for made in chunk(paragraphs(words), max_tokens=30):
            assert re.fullmatch(r"word\d+( word\d+)*", made.text)

    def test_a_table_is_split_between_rows(self):
        rows = [f"cell {number} | 3.5 | name" for number in range(60)]
        document = build_document([("table", "\n".join(rows), 0)])
        found = [line for made in chunk(document, max_tokens=50) for line in made.text.split("\n")]
        assert found == rows

    def test_code_is_split_between_blocks(self):
        blocks = [f"def f{number}(x):\n    y = x + {number}\n    return y" for number in range(20)]
        document = build_document([("code", "\n\n".join(blocks), 0)])
        chunks = chunk(document, max_tokens=70)
        assert len(chunks) > 3
        assert all(made.text.startswith("def") for made in chunks)

    def test_a_long_block_of_code_is_split_between_lines_and_keeps_its_indent(self):
        lines = ["def f():"] + [f"    x{number} = g({number})" for number in range(40)]
        document = build_document([("code", "\n".join(lines), 0)])
        found = [line for made in chunk(document, max_tokens=50) for line in made.text.split("\n")]
        assert found == lines

    def test_a_list_is_split_between_items(self):
        items: list[tuple[Category, str, int]] = [
            ("list_item", f"Item {number} has a few words", 0) for number in range(30)
        ]
        chunks = chunk(build_document(items), max_tokens=50)
        assert all(made.text.startswith("Item") for made in chunks)
        assert all(made.text.endswith("words") for made in chunks)

    def test_a_list_shares_a_chunk_with_the_line_before_it(self):
        blocks: list[tuple[Category, str, int]] = [
            ("text", sentences(3), 0),
            ("text", "The colours are these:", 0),
            ("list_item", sentences(2), 0),
            ("list_item", sentences(2), 0),
        ]
        chunks = chunk(build_document(blocks), max_tokens=45)
        assert not any(made.text.endswith(":") for made in chunks)

    @pytest.mark.parametrize(
        ("text", "count"),
        [
            ("He met Dr. Smith of the U.S. Navy. They spoke, e.g. about J. Doe.", 2),
            ("これは文です。それも文です！本当？はい。", 4),
            ("यह एक वाक्य है। यह दूसरा है।", 2),
            ("«Зачем?» Он ушёл… Она нет.", 3),
            ('She said "Stop." Then she left.', 2),
            ("Version 3.11 costs 2.50 today.", 1),
        ],
    )
    def test_sentences_of_many_scripts_are_found(self, text: str, count: int):
        assert len(sentence_starts(text, 0, len(text))) == count

    def test_a_joined_emoji_is_not_split(self, model_tokenizer: ModelTokenizer):
        family = "👩\u200d👩\u200d👧"
        chunks = chunk_document(paragraphs(family * 2000), Budget(60), model_tokenizer)
        assert all(made.text.startswith("👩\u200d👩") for made in chunks)


class TestSections:
    def sections(self, size: int, count: int = 4) -> ParsedDocument:
        blocks: list[tuple[Category, str, int]] = []
        for number in range(count):
            blocks += [("title", f"Part {number}", 1), ("text", sentences(size, name="text"), 0)]
        return build_document(blocks)

    def test_large_sections_do_not_share_a_chunk(self):
        chunks = chunk(self.sections(8), max_tokens=120)
        assert [made.heading_path for made in chunks] == [(f"Part {n}",) for n in range(4)]

    def test_small_sections_are_merged(self):
        chunks = chunk(self.sections(1), max_tokens=120)
        assert len(chunks) == 1
        assert chunks[0].heading_path == ()

    def test_heading_stays_with_the_text_that_follows(self):
        blocks: list[tuple[Category, str, int]] = [
            ("text", sentences(4), 0),
            ("title", "A heading", 1),
            ("title", "Another below", 2),
            ("text", sentences(30), 0),
        ]
        chunks = chunk(build_document(blocks), max_tokens=40)
        with_heading = [made for made in chunks if "A heading" in made.text]
        assert len(with_heading) == 1
        assert "Another below\n\nWord0" in with_heading[0].text

    def test_heading_path_applies_to_the_whole_chunk(self):
        blocks: list[tuple[Category, str, int]] = [
            ("title", "Guide", 1),
            ("title", "Install", 2),
            ("text", "Run it.", 0),
            ("title", "Remove", 2),
            ("text", "Delete it.", 0),
        ]
        (made,) = chunk(build_document(blocks), max_tokens=40)
        assert made.heading_path == ("Guide",)

    def test_headings_inside_a_chunk_are_part_of_the_path(self):
        blocks: list[tuple[Category, str, int]] = [
            ("title", "A", 1),
            ("text", "One.", 0),
            ("title", "B", 1),
            ("text", "Two.", 0),
            ("title", "A", 1),
            ("text", "Three.", 0),
        ]
        (made,) = chunk(build_document(blocks), max_tokens=100)
        assert made.heading_path == ()

    def test_page_is_that_of_the_first_element(self):
        document = build_document([("text", sentences(5), 0)] * 6, per_page=2)
        chunks = chunk(document, max_tokens=45)
        assert [made.page for made in chunks] == [1, 1, 2, 2, 3, 3]

    def test_document_without_pages_has_no_page_number(self):
        text = sentences(2)
        document = ParsedDocument(text, (Element("text", 0, len(text)),), "txt")
        assert chunk(document)[0].page is None

    def test_a_distant_change_does_not_change_a_chunk(self):
        blocks: list[tuple[Category, str, int]] = [
            ("text", sentences(2 + number % 4, name=f"w{number}"), 0) for number in range(60)
        ]
        before = set(texts(chunk(build_document(blocks), max_tokens=60)))
        blocks[3] = ("text", sentences(7, name="changed"), 0)
        after = set(texts(chunk(build_document(blocks), max_tokens=60)))
        assert len(after - before) <= 6


class TestHeaders:
    def header(self, made: Chunk) -> str:
        return made.embedded_text.removesuffix(made.text)

    def document(self, title: str | None) -> ParsedDocument:
        blocks: list[tuple[Category, str, int]] = [
            ("title", "Guide", 1),
            ("title", "Install", 2),
            ("text", sentences(20), 0),
        ]
        return build_document(blocks, title=title)

    def test_title_and_headings_come_before_the_text(self):
        chunks = chunk(self.document("The manual"))
        assert self.header(chunks[0]) == "The manual\n"
        assert {self.header(made) for made in chunks[1:]} == {"The manual › Guide › Install\n"}

    def test_a_title_that_is_the_first_heading_is_not_repeated(self):
        chunks = chunk(self.document("GUIDE "))
        assert self.header(chunks[0]) == ""
        assert self.header(chunks[1]) == "Guide › Install\n"

    def test_title_is_not_repeated_before_a_text_that_begins_with_it(self):
        document = replace(paragraphs("On wings. " + sentences(20)), title="On wings")
        first, second, *_ = chunk(document)
        assert self.header(first) == ""
        assert self.header(second) == "On wings\n"

    def test_text_without_title_and_headings_has_no_header(self):
        (made,) = chunk(paragraphs("Some words."))
        assert made.embedded_text == made.text

    def test_a_long_header_keeps_title_and_nearest_heading(self):
        blocks: list[tuple[Category, str, int]] = [
            ("title", "Part", 1),
            ("title", "A chapter with many words", 2),
            ("title", "Section", 3),
            ("text", sentences(20), 0),
        ]
        chunks = chunk(build_document(blocks, title="Book"), max_tokens=24)
        assert self.header(chunks[-1]) == "Book › Section\n"

    def test_a_title_without_spaces_is_shortened_too(self, model_tokenizer: ModelTokenizer):
        document = replace(paragraphs("Words."), title="q" * 100_000)
        (made,) = chunk_document(document, Budget(200), model_tokenizer)
        assert len(self.header(made)) <= 301

    def test_a_header_never_spans_lines(self):
        document = replace(paragraphs("Words."), title="Two\n  lines")
        assert chunk(document)[0].embedded_text == "Two lines\nWords."


class TestOverlap:
    def test_it_repeats_whole_sentences_up_to_its_budget(self):
        chunks = chunk(paragraphs(sentences(30)), max_tokens=60, overlap_tokens=18)
        for before, after in pairwise(chunks):
            shared = before.text[after.char_start - before.char_start :]
            assert re.fullmatch(r"Word\d+ [^.]*\. Word\d+ [^.]*\.", shared)
            assert WORDS.count_tokens([shared])[0] <= 18

    def test_it_contains_no_part_of_a_sentence(self):
        chunks = chunk(paragraphs(sentences(30)), max_tokens=60, overlap_tokens=5)
        assert all(before.char_end < after.char_start for before, after in pairwise(chunks))

    def test_it_does_not_cross_sections(self):
        blocks: list[tuple[Category, str, int]] = []
        for number in range(3):
            blocks += [("title", f"Part {number}", 1), ("text", sentences(7), 0)]
        chunks = chunk(build_document(blocks), max_tokens=70, overlap_tokens=30)
        assert [made.text[:6] for made in chunks] == ["Part 0", "Part 1", "Part 2"]

    def test_it_does_not_cross_from_a_section_into_its_first_subsection(self):
        blocks: list[tuple[Category, str, int]] = [
            ("title", "Part", 1),
            ("text", sentences(8), 0),
            ("title", "Detail", 2),
            ("text", sentences(8), 0),
        ]
        chunks = chunk(build_document(blocks), max_tokens=70, overlap_tokens=30)
        assert [made.text[:6] for made in chunks] == ["Part\n\n", "Detail"]

    @given(plain_document, st.integers(30, 90), st.integers(1, 60))
    def test_no_chunk_is_inside_another(
        self, document: ParsedDocument, max_tokens: int, overlap_tokens: int
    ):
        chunks = chunk(document, max_tokens=max_tokens, overlap_tokens=overlap_tokens)
        for before, after in pairwise(chunks):
            assert before.char_start < after.char_start
            assert before.char_end < after.char_end


class TestFingerprint:
    def test_it_changes_with_everything_that_changes_chunks(self):
        made = {
            chunker_fingerprint(Budget(100, 0), WORDS),
            chunker_fingerprint(Budget(101, 0), WORDS),
            chunker_fingerprint(Budget(100, 10), WORDS),
            chunker_fingerprint(Budget(100, 0), replace(WORDS, fingerprint="other")),
        }
        assert len(made) == 4

    def test_it_is_equal_when_the_model_limits_both(self):
        small = WordCounter(max_tokens=50)
        assert chunker_fingerprint(Budget(100), small) == chunker_fingerprint(Budget(200), small)
