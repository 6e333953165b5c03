"""The tree of documents that a scenario changes.

This module handles files and marks. It does not use the systems; `judging` compares their entries
with the tree. One seed determines every random choice, so the same documents and the same seed
give the same changes.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from benchmarks.churn.marks import (
    MarkMaker,
    find_marks,
    list_passages,
    mark_passages,
    revise_passage,
)

SHELVES = 4
# The age of the documents at the start. One month is usual in an ordinary tree.
AGE_S = 30 * 86_400
MIN_PASSAGES = 3


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one document, with the marks that appeared and vanished at its path.

    `new_text` is a passage that a search should now find in the document. `old_text` is a passage
    that a search should no longer find in the document. `made_at_s` is the time of the change, a
    value of `time.monotonic()`.
    """

    kind: str
    path: str
    made_at_s: float
    appeared: frozenset[str] = frozenset()
    vanished: frozenset[str] = frozenset()
    new_text: str = ""
    old_text: str = ""


def read_documents(folder: Path, every: int) -> dict[str, str]:
    """Read every n-th text below a folder. Returns the texts by their paths below the folder.

    Short files, binary files, hidden files and hidden folders are skipped.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            text = _read_text(path)
            if text is not None:
                found[name.as_posix()] = text
    return dict(list(found.items())[::every])


def _read_text(path: Path) -> str | None:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
    marked = mark_passages(text, MarkMaker(0))
    return text if "\0" not in text and len(list_passages(marked)) >= MIN_PASSAGES else None


class SourceTree:
    """A folder with marked documents in subfolders. Further documents are in reserve.

    `documents` is the content of the folder without disturbances, because a disturbance is not a
    change of the source. A method that changes documents returns its changes. A share of the
    documents is always at least one document.
    """

    def __init__(self, root: Path, documents: Mapping[str, str], seed: int) -> None:
        self.root = root
        self.documents: dict[str, str] = {}
        self.principals: dict[str, Sequence[str]] = {}
        self._maker = MarkMaker(seed)
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._hidden: list[tuple[Path, Path]] = []
        marked = [
            (f"shelf-{index % SHELVES}/{path}", mark_passages(text, self._maker))
            for index, (path, text) in enumerate(documents.items())
        ]
        self._random.shuffle(marked)
        in_reserve = len(marked) // 5
        self._reserve = marked[:in_reserve]
        for path, text in marked[in_reserve:]:
            self._write(path, text)
            changed_at = time.time() - AGE_S
            os.utime(root / path, (changed_at, changed_at))

    def marks(self) -> dict[str, frozenset[str]]:
        """Return the marks of each document, by the document's path."""
        return {path: find_marks(text) for path, text in self.documents.items()}

    def edit(self, share: float) -> list[Change]:
        """Revise one passage in each of some documents."""
        return [self._revise(path) for path in self._choose(share)]

    def delete(self, share: float) -> list[Change]:
        """Remove some documents."""
        return [self._remove(path) for path in self._choose(share)]

    def add(self, share: float) -> list[Change]:
        """Add documents from the reserve. If the reserve is empty, nothing is added."""
        count = min(self._count(share), len(self._reserve))
        return [self._add("add", *self._reserve.pop()) for _ in range(count)]

    def rename(self, share: float) -> list[Change]:
        """Give some documents a new name in another folder. Each move counts as two changes."""
        return [change for path in self._choose(share) for change in self._move(path)]

    def touch(self, share: float) -> list[Change]:
        """Set a new modification time for some documents. Their content does not change."""
        for path in self._choose(share):
            (self.root / path).touch()
        return []

    def shorten(self) -> list[Change]:
        """Delete the second half of the passages of one document."""
        (path,) = self._choose(0)
        before = self.documents[path]
        passages = list_passages(before)
        cut = before.index(passages[len(passages) // 2])
        return [self._replace("shorten", path, before[:cut].rstrip() + "\n")]

    def duplicate(self) -> list[Change]:
        """Add a document with the same text as another document."""
        (path,) = self._choose(0)
        self._duplicated = path
        return [self._add("duplicate", f"copies/{PurePosixPath(path).name}", self.documents[path])]

    def delete_duplicated(self) -> list[Change]:
        """Remove the document that was duplicated, not its duplicate."""
        return [self._remove(self._duplicated)]

    def restrict(self, principal: str) -> list[Change]:
        """Choose one document that only a principal may read from now on."""
        (path,) = self._choose(0)
        self.principals[path] = [principal]
        passage = list_passages(self.documents[path])[0]
        return [Change("restrict", path, time.monotonic(), new_text=passage)]

    def change_many(self, share: float) -> list[Change]:
        """Edit some documents, rename as many others, and delete as many others.

        Also add as many documents from the reserve.
        """
        chosen = self._choose(share)
        edited, renamed, deleted = chosen[::3], chosen[1::3], chosen[2::3]
        return [
            *[self._revise(path) for path in edited],
            *[change for path in renamed for change in self._move(path)],
            *[self._remove(path) for path in deleted],
            *self.add(share / 3),
        ]

    def take_away(self) -> None:
        """Make the whole folder unavailable."""
        self._hide(self.root)

    def hide_most(self, share: float) -> None:
        """Hide a share of the documents, as in an incomplete listing."""
        paths = sorted(self.documents)
        for path in self._random.sample(paths, round(share * len(paths))):
            self._hide(self.root / path)

    def lock_shelf(self) -> None:
        """Make one folder unreadable."""
        (self.root / "shelf-1").chmod(0)

    def restore(self) -> None:
        """End every disturbance."""
        while self._hidden:
            path, hidden = self._hidden.pop()
            hidden.rename(path)
        (self.root / "shelf-1").chmod(0o755)

    def _count(self, share: float) -> int:
        return max(1, round(share * len(self.documents)))

    def _choose(self, share: float) -> list[str]:
        """Choose some documents that have no duplicate and no principals."""
        ordinary = [path for path in sorted(self.documents) if not self._is_special(path)]
        return self._random.sample(ordinary, self._count(share))

    def _is_special(self, path: str) -> bool:
        is_duplicated = path == getattr(self, "_duplicated", None)
        return is_duplicated or path.startswith("copies/") or path in self.principals

    def _revise(self, path: str) -> Change:
        passage = self._random.choice(list_passages(self.documents[path]))
        revised = revise_passage(passage, self._maker)
        return self._replace("edit", path, self.documents[path].replace(passage, revised))

    def _move(self, path: str) -> list[Change]:
        text = self.documents[path]
        name = PurePosixPath(path)
        return [
            self._add("rename", f"moved/{name.stem}-renamed{name.suffix}", text, moved_from=path),
            self._remove(path, "rename"),
        ]

    def _add(self, kind: str, path: str, text: str, moved_from: str = "") -> Change:
        if moved_from:
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / moved_from).rename(self.root / path)
            self.documents[path] = text
        else:
            self._write(path, text)
        passage = list_passages(text)[0]
        return Change(kind, path, time.monotonic(), find_marks(text), new_text=passage)

    def _remove(self, path: str, kind: str = "delete") -> Change:
        (self.root / path).unlink(missing_ok=kind == "rename")
        text = self.documents.pop(path)
        passage = list_passages(text)[0]
        now = time.monotonic()
        return Change(kind, path, now, vanished=find_marks(text), old_text=passage)

    def _replace(self, kind: str, path: str, text: str) -> Change:
        before = self.documents[path]
        self._write(path, text)
        old, new = find_marks(before), find_marks(text)
        return Change(
            kind,
            path,
            time.monotonic(),
            appeared=new - old,
            vanished=old - new,
            new_text=_first_with(text, new - old),
            old_text=_first_with(before, old - new),
        )

    def _write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8", newline="")
        self.documents[path] = text

    def _hide(self, path: Path) -> None:
        """Move a file or folder out of the tree, to a folder in the same file system."""
        aside = self.root.parent / f"{self.root.name}-aside"
        aside.mkdir(exist_ok=True)
        hidden = aside / str(len(self._hidden))
        path.rename(hidden)
        self._hidden.append((path, hidden))


def _first_with(text: str, marks: frozenset[str]) -> str:
    return next((passage for passage in list_passages(text) if marks & find_marks(passage)), "")
