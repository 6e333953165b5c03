"""The kinds of source, by name: one line each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ragline.sources.files import FilesSettings, FilesSource
from ragline.sources.protocol import Source
from ragline.sources.records import RecordsSettings, RecordsSource
from ragline.sources.settings import SourceSettings


class Kind(NamedTuple):
    """How a kind of source is configured, and what makes one."""

    settings: type[SourceSettings]
    open: Callable[[Any], Source]


KINDS: dict[str, Kind] = {
    "files": Kind(FilesSettings, FilesSource),
    "records": Kind(RecordsSettings, RecordsSource),
}


def open_source(settings: SourceSettings) -> Source:
    """The source that the settings describe. Nothing is read yet."""
    return KINDS[settings.kind].open(settings)
