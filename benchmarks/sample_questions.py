"""Counts the questions for which the first five hits contain the file that answers the question.

Usage: python benchmarks/sample_questions.py [FOLDER]

FOLDER contains office files in `files/` and the questions in `questions.jsonl`. A question has a
text, a file and, if the file is a PDF, a page number that starts at 0. The default is sample_docs
in the folder RAGLINE_TEST_DATA.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from retrieval_quality import run

REPOSITORY = Path(__file__).parent.parent
TEST_DATA = Path(os.environ.get("RAGLINE_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
CONFIGURATION = "sources: [{{name: samples, collection: bench, kind: files, uri: '{files}'}}]\n"


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else TEST_DATA / "sample_docs"
    lines = (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line) for line in lines if line.strip()]
    with tempfile.TemporaryDirectory(prefix="ragline-bench-") as name:
        home = Path(name)
        configuration = CONFIGURATION.format(files=(folder / "files").resolve())
        (home / "ragline.yaml").write_text(configuration, encoding="utf-8")
        counts = run(home, "sync")["sources"]["samples"]  # type: ignore[index]
        print({name: counts[name] for name in ("listed", "failed", "quarantined", "unsupported")})
        found = [ask(home, question) for question in questions]
    print(f"file in the top five: {sum(file for file, _ in found)} of {len(found)}")
    paged = [
        page for (_, page), question in zip(found, questions, strict=True) if "page" in question
    ]
    print(f"page in the top five: {sum(paged)} of {len(paged)}")


def ask(home: Path, question: dict[str, object]) -> tuple[bool, bool]:
    """Search, and return whether the first five hits contain the file.

    The second value says whether the first five hits contain the page of the file.
    """
    answer = run(home, "search", "bench", str(question["text"]), "--top-k", "5")
    hits: list[dict[str, object]] = answer["hits"]  # type: ignore[assignment]
    wanted = str(question["file"]).removeprefix("files/")
    in_file = [hit for hit in hits if hit["document_id"] == wanted]
    page = question.get("page")
    on_page = [hit for hit in in_file if isinstance(page, int) and hit["page"] == page + 1]
    if not in_file:
        print(f"missed: {question['text']} ({wanted})")
    return bool(in_file), bool(on_page)


if __name__ == "__main__":
    main()
