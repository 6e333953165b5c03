"""The kinds of source, by name: one line each.

The module of a kind is imported when a source of that kind is configured or opened: together they
cost half a second that a fault of the configuration must not wait for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ragline.sources.protocol import Source, SourceContext
from ragline.sources.settings import SourceSettings

if TYPE_CHECKING:
    from ragline.storage.database import Database

# Documents that one worker reads between two commits. What has to be parsed takes long enough;
# what comes as text is read in one pass over the source, which a small number would multiply.
PARSED_CLAIM = 50
GIVEN_CLAIM = 5_000

# Calls the class of a source with what that needs beside its settings.
Maker = Callable[[Callable[..., Source], Any, SourceContext], Source]


def _make_alone(make: Callable[..., Source], settings: Any, _surroundings: SourceContext) -> Source:
    return make(settings)


def _make_surrounded(make: Callable[..., Source], settings: Any, context: SourceContext) -> Source:
    return make(settings, context)


def _make_with_database(
    make: Callable[..., Source], settings: Any, context: SourceContext
) -> Source:
    return make(settings, context.database)


@dataclass(frozen=True)
class Kind:
    """How a kind of source is configured, what makes one, and how it is best worked on.

    `settings_path` and `source_path` name a class each, as `module:class` below
    `ragline.sources`. `make` calls the source's class with what it needs.

    `is_listed_cheaply` says whether a sync proof may list it once more after each run, and
    `is_probe_complete` whether an unchanged probe proves that nothing has changed.
    """

    settings_path: str
    source_path: str
    make: Maker = _make_alone
    claim_documents: int = PARSED_CLAIM
    is_listed_cheaply: bool = True
    is_probe_complete: bool = True

    @property
    def settings(self) -> type[SourceSettings]:
        """The class of the settings."""
        return cast("type[SourceSettings]", _load_class(self.settings_path))

    def open(self, settings: Any, context: SourceContext) -> Source:
        """The source that the settings describe. Nothing is read yet."""
        return self.make(_load_class(self.source_path), settings, context)


def _load_class(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(f"ragline.sources.{module}"), name)


KINDS: dict[str, Kind] = {
    "connector": Kind(
        "connector.settings:ConnectorSettings", "connector.source:ConnectorSource",
        _make_surrounded, is_listed_cheaply=False, is_probe_complete=False,
    ),
    "files": Kind("files.settings:FilesSettings", "files.source:FilesSource"),
    "git": Kind("git.settings:GitSettings", "git.source:GitSource", _make_surrounded),
    "push": Kind("push.settings:PushSettings", "push.source:PushSource", _make_with_database),
    "records": Kind(
        "records.settings:RecordsSettings", "records.source:RecordsSource",
        claim_documents=GIVEN_CLAIM,
    ),
    "sql": Kind(
        "sql.settings:SqlSettings", "sql.source:SqlSource",
        claim_documents=GIVEN_CLAIM, is_probe_complete=False,
    ),
    "web": Kind(
        "web.settings:WebSettings", "web.source:WebSource", _make_surrounded,
        is_listed_cheaply=False, is_probe_complete=False,
    ),
}  # fmt: skip


def open_source(settings: SourceSettings, home: Path, database: Database) -> Source:
    """The source that the settings describe. Nothing is read yet.

    `home` is the configuration's: where sources may keep a folder of their own.
    """
    from ragline.sources.state import SourceState  # needs the database's libraries

    context = SourceContext(
        home / "sources" / settings.name, SourceState(database, settings.name), database
    )
    return KINDS[settings.kind].open(settings, context)
