"""The kinds of source, by name: one line each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ragline.sources.connector.settings import ConnectorSettings
from ragline.sources.connector.source import ConnectorSource
from ragline.sources.files import FilesSettings, FilesSource
from ragline.sources.git import GitSettings, GitSource
from ragline.sources.notes import SourceNotes
from ragline.sources.protocol import Source, Surroundings
from ragline.sources.push import PushSettings, PushSource
from ragline.sources.records import RecordsSettings, RecordsSource
from ragline.sources.settings import SourceSettings
from ragline.sources.sql import SqlSettings, SqlSource
from ragline.sources.web.settings import WebSettings
from ragline.sources.web.source import WebSource
from ragline.storage.database import Database

# Documents that one worker reads between two commits. What has to be parsed takes long enough;
# what comes as text is read in one pass over the source, which a small number would multiply.
PARSED_CLAIM = 50
GIVEN_CLAIM = 5_000


class Kind(NamedTuple):
    """How a kind of source is configured, what makes one, and how it is best worked on.

    `is_listed_cheaply` says whether a sync proof may list it once more after each run, and
    `is_probe_complete` whether an unchanged probe proves that nothing has changed.
    """

    settings: type[SourceSettings]
    open: Callable[[Any, Surroundings], Source]
    claim_documents: int = PARSED_CLAIM
    is_listed_cheaply: bool = True
    is_probe_complete: bool = True


def _alone(make: Callable[[Any], Source]) -> Callable[[Any, Surroundings], Source]:
    """A kind that needs nothing but its settings."""
    return lambda settings, _surroundings: make(settings)


KINDS: dict[str, Kind] = {
    "connector": Kind(
        ConnectorSettings, ConnectorSource, is_listed_cheaply=False, is_probe_complete=False
    ),
    "files": Kind(FilesSettings, _alone(FilesSource)),
    "git": Kind(GitSettings, GitSource),
    "push": Kind(PushSettings, lambda settings, around: PushSource(settings, around.database)),
    "records": Kind(RecordsSettings, _alone(RecordsSource), GIVEN_CLAIM),
    "sql": Kind(SqlSettings, _alone(SqlSource), GIVEN_CLAIM, is_probe_complete=False),
    "web": Kind(WebSettings, WebSource, is_listed_cheaply=False, is_probe_complete=False),
}


def open_source(settings: SourceSettings, home: Path, database: Database) -> Source:
    """The source that the settings describe. Nothing is read yet.

    `home` is the configuration's: where sources may keep a folder of their own.
    """
    surroundings = Surroundings(
        home / "sources" / settings.name, SourceNotes(database, settings.name), database
    )
    return KINDS[settings.kind].open(settings, surroundings)
