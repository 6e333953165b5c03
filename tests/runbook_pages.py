"""The pages of the runbooks, and the commands that they show."""

from __future__ import annotations

import re
from pathlib import Path

RUNBOOKS = Path(__file__).parents[1] / "docs" / "runbooks"
# The commands of these pages depend on each other, and tests run them in their order.
SEQUENCES = {"key-leaked", "refused-candidate", "restore-from-backup"}


def list_commands(page: Path) -> list[str]:
    """The commands of a page's blocks, a line each."""
    text = re.sub(r"^ +", "", page.read_text("utf-8"), flags=re.MULTILINE)
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [
        line.strip()
        for block in blocks
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip()
    ]
