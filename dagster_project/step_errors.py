"""Describes the error of a failed step in one line, with the error's name in docs/errors.md.

Dagster stores an error as text with the name of its class. So this module compares names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dagster_project.dagster_internals import SerializableErrorInfo
from dagster_project.pooled_storage import STORAGE_ERRORS
from ragline import errors
from ragline.errors import DatabaseUnavailableError, RaglineError

# Dagster's text has the module before the class name. docs/errors.md has only the class name.
MODULE_PREFIX = re.compile(r"^(?:ragline|assets|dagster_project)(?:\.\w+)*\.(?=[A-Z])")
STORAGE_ERROR_NAMES = frozenset(kind.__name__ for kind in STORAGE_ERRORS)
RAGLINE_ERROR_NAMES = frozenset(
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, RaglineError)
)


def describe_step_error(error: SerializableErrorInfo | None) -> str:
    """Return one line about an error: the first line of Ragline's error in its chain of causes.

    If the chain contains several errors of Ragline, the first one counts. If it contains none, the
    result is the first line of the original cause.
    """
    chain = list(_list_causes(error))
    if not chain:
        return "no reason given"
    for one in chain:
        if one.cls_name in RAGLINE_ERROR_NAMES:
            return MODULE_PREFIX.sub("", _read_first_line(one))
    line = _read_first_line(chain[-1])
    if any(one.cls_name in STORAGE_ERROR_NAMES for one in chain):
        return f"{DatabaseUnavailableError.__name__}: Postgres does not answer: {line}"
    return MODULE_PREFIX.sub("", line)


def _list_causes(error: SerializableErrorInfo | None) -> Iterator[SerializableErrorInfo]:
    while error is not None:
        yield error
        error = error.cause


def _read_first_line(error: SerializableErrorInfo) -> str:
    # Great Expectations appends its traceback to its message.
    return error.message.strip().splitlines()[0].partition("Traceback: ")[0].strip()
