"""The facts about the model of a generation, and the licence of its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ragline.embedder.model_files import find_stored_folder
from ragline.index_card.card import UNKNOWN, CardModel
from ragline.parsing.front_matter import find_front_matter

# The file in which a model of the Hugging Face hub states its licence.
MODEL_CARD = "README.md"
LICENCE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING")
MAX_LICENCE_CHARS = 100


def describe_model(space: Mapping[str, Any]) -> CardModel:
    """Describe a model from the description of its embedding space, which the database stores.

    The licence is read from the files of the model on this machine. Nothing is downloaded.
    """
    licence, origin = find_licence(find_stored_folder(space["model"]))
    return CardModel(
        name=space["model"],
        dimension=space["dimension"],
        max_tokens=space["max_tokens"],
        query_prefix=space["query_prefix"],
        document_prefix=space["document_prefix"],
        files_hash=space["model_hash"],
        licence=licence,
        licence_origin=origin,
    )


def find_licence(folder: Path | None) -> tuple[str, str]:
    """Return the licence of the model in a folder, and where it was found.

    The licence is the one that README.md of the model states. If this file states none, it is the
    first line of a licence file. Otherwise it is `unknown`, and the second value says why.
    """
    if folder is None:
        return UNKNOWN, "the files of the model are not on the machine that made this index card"
    card = folder / MODEL_CARD
    stated = _read_model_card(card) if card.is_file() else None
    if stated is not None:
        return stated, f"stated in {MODEL_CARD} of the model"
    for name in LICENCE_FILES:
        if (folder / name).is_file() and (line := _read_first_line(folder / name)):
            return line, f"first line of {name} of the model"
    return UNKNOWN, "neither README.md nor a licence file of the model states it"


def _read_model_card(path: Path) -> str | None:
    """Return the licence in the front matter of a model card, or None if it states none."""
    front = find_front_matter(path.read_text("utf-8", errors="replace"))
    if front is None:
        return None
    # With `license: other`, the field `license_name` contains the name of the licence.
    value = front.metadata.get("license_name") or front.metadata.get("license")
    values = value if isinstance(value, list) else [value]
    return ", ".join(str(one) for one in values if one)[:MAX_LICENCE_CHARS] or None


def _read_first_line(path: Path) -> str | None:
    lines = path.read_text("utf-8", errors="replace").splitlines()
    first = next((line.strip() for line in lines if line.strip()), None)
    return None if first is None else first[:MAX_LICENCE_CHARS]
