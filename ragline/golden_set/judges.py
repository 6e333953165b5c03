"""Adds the name of a judge to the card of a golden set. Comments in the card stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import yaml

from ragline.golden_set.card import FILE_NAME, read_card
from ragline.golden_set.line_files import read_text
from ragline.golden_set.writing import write_text

FIELD = "judged_by"


def add_judge(folder: Path, name: str) -> None:
    """Add a name to `judged_by` of the card. If there is no card, write one with today's date.

    The caller holds the lock of the golden set. If the card contains the name, nothing is written.

    Raises:
        GoldenSetError: the card is malformed. Nothing was written.
        FileNotWrittenError: the card could not be written.
    """
    path = folder / FILE_NAME
    card = read_card(folder)
    if card is None:
        today = datetime.now(UTC).date().isoformat()
        write_text(path, f"{_format_field([name])}\njudged_at: {today}\n")
    elif name not in card.judged_by:
        write_text(path, _replace_field(read_text(path), [*card.judged_by, name]))


def _replace_field(text: str, names: Sequence[str]) -> str:
    """Return the text of a card in which `judged_by` contains `names`.

    If the card has no field `judged_by`, the field is added as the first line.
    """
    node = yaml.compose(text, yaml.SafeLoader)
    fields = node.value if isinstance(node, yaml.MappingNode) else []
    is_block = isinstance(node, yaml.MappingNode) and not node.flow_style
    for key, value in fields:
        if key.value == FIELD:
            # The parser reports the end of a list in block style after the comments that follow the
            # list. To keep these comments, the end of the last item is used.
            last = (
                value.value[-1] if isinstance(value, yaml.SequenceNode) and value.value else value
            )
            end = value.end_mark if getattr(value, "flow_style", True) else last.end_mark
            return text[: key.start_mark.index] + _format_field(names) + text[end.index :]
    if not (fields and is_block):
        stated = yaml.safe_load(text) or {}
        return yaml.safe_dump({FIELD: list(names), **stated}, allow_unicode=True, sort_keys=False)
    start = fields[0][0].start_mark.index
    return f"{text[:start]}{_format_field(names)}\n{text[start:]}"


def _format_field(names: Sequence[str]) -> str:
    listed = yaml.safe_dump(
        list(names), default_flow_style=True, allow_unicode=True, width=float("inf")
    )
    return f"{FIELD}: {listed.strip()}"
