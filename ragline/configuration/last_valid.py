"""The last valid configuration, which background processes use while the file has an error.

A command fails at once if the file has an error. A background process continues with the last
valid content, so that changes and removals reach the index while a person edits the file. The
stored content contains no secrets: like the file, it contains only names of environment variables.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from ragline.configuration.loading import (
    choose_path,
    find_configuration,
    home_of,
    parse_configuration,
    read_configuration,
)
from ragline.configuration.settings import Configuration
from ragline.errors import ConfigurationError
from ragline.fingerprints import fingerprint

logger = logging.getLogger(__name__)

FOLDER = "last-valid"


def load_last_valid(path: Path | None = None) -> tuple[Configuration, ConfigurationError | None]:
    """Load the configuration. If its file has an error, return the last valid one and the error.

    The file is the one that `load_configuration` reads.

    Raises:
        ConfigurationError: the file has an error, and no valid content is stored.
    """
    chosen = choose_path(path)
    stored = last_valid_path(chosen)
    try:
        content = read_configuration(find_configuration(chosen))
        configuration = parse_configuration(content, chosen)
    except ConfigurationError as error:
        logger.warning("%s; the last valid configuration is used", error)
        return _load_stored(stored, chosen, error), error
    _store(stored, content)
    return configuration, None


def last_valid_path(path: Path) -> Path:
    """Return the path at which the last valid content of a configuration file is stored.

    Each configuration file has its own path, because several files can share a RAGLINE_HOME.
    """
    return home_of(path) / FOLDER / f"{fingerprint({'path': str(path)})}.yaml"


def _load_stored(stored: Path, path: Path, error: ConfigurationError) -> Configuration:
    try:
        return parse_configuration(read_configuration(stored), path)
    except ConfigurationError as unusable:
        logger.warning("no valid configuration is stored: %s", unusable)
        raise error from None


def _store(stored: Path, content: str) -> None:
    """Replace the stored content in one step.

    An error, such as a full disk, is logged and does not stop the process.
    """
    try:
        if stored.is_file() and stored.read_text(encoding="utf-8") == content:
            return
        stored.parent.mkdir(parents=True, exist_ok=True)
        unfinished = stored.with_name(f".{stored.name}.{os.getpid()}")
        unfinished.write_text(content, encoding="utf-8")
        unfinished.chmod(0o600)
        unfinished.replace(stored)
    except (OSError, UnicodeDecodeError) as error:
        logger.warning("the configuration could not be stored in %s: %s", stored, error)
