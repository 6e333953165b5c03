"""Finds and reads the configuration file, and finds the folder where Ragline stores its data.

`validation` checks the content of the file.
"""

from __future__ import annotations

import os
from pathlib import Path

from ragline.configuration.settings import DEFAULT_FILE, Configuration
from ragline.configuration.validation import validate_content
from ragline.errors import ConfigurationError


def load_configuration(path: Path | None = None) -> Configuration:
    """Read the configuration from the file that `choose_path` returns.

    Raises:
        ConfigurationError: the file has errors. The message has one line for each error, with
            file, line, cause and allowed values.
    """
    chosen = find_configuration(path)
    return parse_configuration(read_configuration(chosen), chosen)


def parse_configuration(content: str, path: Path) -> Configuration:
    """Return the configuration in `content`, which is the content of the file `path`.

    Raises:
        ConfigurationError: the content has errors. The message has one line for each error.
    """
    return validate_content(
        content,
        path,
        home=home_of(path),
        database_url=os.environ.get("RAGLINE_DATABASE_URL") or None,
    )


def choose_path(path: Path | None = None) -> Path:
    """Return the path of the configuration file.

    It is `path` if given, otherwise RAGLINE_CONFIG if set, otherwise ./ragline.yaml.
    """
    named = path or (Path(value) if (value := os.environ.get("RAGLINE_CONFIG")) else None)
    return (named or Path(DEFAULT_FILE)).absolute()


def find_configuration(path: Path | None = None) -> Path:
    """Choose a path as `choose_path` does, and check that it is a file.

    Raises:
        ConfigurationError: there is no file at the path.
    """
    chosen = choose_path(path)
    if not chosen.is_file():
        raise ConfigurationError(
            f"{chosen}: there is no such file; name the configuration with --config FILE or "
            f"RAGLINE_CONFIG, or run in the folder that has {DEFAULT_FILE}"
        )
    return chosen


def read_configuration(path: Path) -> str:
    """Return the content of a configuration file.

    Raises:
        ConfigurationError: the file cannot be read or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError("the file is not UTF-8", path=path, line=1) from error
    except OSError as error:
        raise ConfigurationError(
            f"the file cannot be read: {error.strerror}; let this user read it", path=path
        ) from error


def home_of(path: Path) -> Path:
    """Return the folder of Ragline's data for a configuration file.

    It is RAGLINE_HOME. If this variable is not set, it is `.ragline` in the folder of the file.
    """
    stated = os.environ.get("RAGLINE_HOME")
    return Path(stated).expanduser().absolute() if stated else path.parent / ".ragline"
