"""Says whether the environment configures OpenLineage, without an import of its client.

The rules are those of the client: environment variables, and a file `openlineage.yml`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

PREFIX = "OPENLINEAGE__TRANSPORT__"
FILE = "openlineage.yml"


def is_configured(environment: Mapping[str, str], folders: Iterable[Path]) -> bool:
    """Return whether OpenLineage is configured, so that Ragline sends events.

    `folders` are those in which the client looks for its file. Without a configuration, the client
    would write events to the terminal.
    """
    if environment.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    if environment.get("OPENLINEAGE_URL"):
        return True
    if any(name.startswith(PREFIX) for name in environment):
        return True
    stated = environment.get("OPENLINEAGE_CONFIG")
    paths = [Path(stated)] if stated else []
    return any(path.is_file() for path in [*paths, *(folder / FILE for folder in folders)])


def list_folders() -> list[Path]:
    """Return the folders in which the client looks for its file.

    They are the working folder and `~/.openlineage`.
    """
    return [Path.cwd(), Path("~/.openlineage").expanduser()]
