"""The last configuration that loaded: what the daemon goes on with while the file has a fault.

A person at a terminal is refused at once; a process that nobody watches must not stop changes and
removals because a file is being edited. What is kept holds names of variables, as the file does,
and no secrets: a file that states one is refused before it is kept.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from ragline.configuration import (
    Configuration,
    find_configuration,
    home_of,
    name_configuration,
    parse_configuration,
    read_configuration,
)
from ragline.errors import ConfigurationError
from ragline.fingerprints import fingerprint

logger = logging.getLogger(__name__)

FOLDER = "last-valid"


def load_last_valid(path: Path | None = None) -> tuple[Configuration, ConfigurationError | None]:
    """The configuration of a file; while it has a fault, the last one that loaded, and the fault.

    The file is chosen as `load_configuration` chooses it.

    Raises:
        ConfigurationError: it has a fault, and none that loaded is kept.
    """
    named = name_configuration(path)
    kept = name_kept_file(named)
    try:
        content = read_configuration(find_configuration(named))
        configuration = parse_configuration(content, named)
    except ConfigurationError as error:
        logger.warning("%s; the last configuration that loaded is used", error)
        return _load_kept(kept, named, error), error
    _keep(kept, content)
    return configuration, None


def name_kept_file(path: Path) -> Path:
    """Where the last content of a configuration file that loaded is kept.

    Several files may have one RAGLINE_HOME.
    """
    return home_of(path) / FOLDER / f"{fingerprint({'path': str(path)})}.yaml"


def _load_kept(kept: Path, path: Path, error: ConfigurationError) -> Configuration:
    try:
        return parse_configuration(read_configuration(kept), path)
    except ConfigurationError as unusable:
        logger.warning("there is no last configuration that can be used: %s", unusable)
        raise error from None


def _keep(kept: Path, content: str) -> None:
    """Keep a content whole, or leave what is there; a disk that is full stops no run."""
    try:
        if kept.is_file() and kept.read_text(encoding="utf-8") == content:
            return
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_name(f".{kept.name}.{os.getpid()}")
        unfinished.write_text(content, encoding="utf-8")
        unfinished.chmod(0o600)
        unfinished.replace(kept)
    except (OSError, UnicodeDecodeError) as error:
        logger.warning("the configuration is not kept in %s: %s", kept, error)
