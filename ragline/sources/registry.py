"""The table of the kinds of source, and the function that opens a source.

The modules of a kind are imported when a source of that kind is configured or opened. The import of
all kinds takes half a second and would delay the report of a configuration error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ragline.sources.protocol import Source, SourceContext
from ragline.sources.settings import SourceSettings

if TYPE_CHECKING:
    from ragline.storage.database import Database

# The number of documents that a worker claims at a time. Documents that are parsed take long, so
# their claims are small. For documents that are texts, the source is read once for each claim, so
# their claims are large.
PARSED_CLAIM_DOCUMENTS = 50
TEXT_CLAIM_DOCUMENTS = 5_000

# A function that calls the class of a source with the arguments that the class needs.
SourceFactory = Callable[[Callable[..., Source], Any, SourceContext], Source]


def _pass_settings(source: Callable[..., Source], settings: Any, _context: SourceContext) -> Source:
    return source(settings)


def _pass_context(source: Callable[..., Source], settings: Any, context: SourceContext) -> Source:
    return source(settings, context)


def _pass_database(source: Callable[..., Source], settings: Any, context: SourceContext) -> Source:
    return source(settings, context.database)


@dataclass(frozen=True)
class Kind:
    """A kind of source: its classes, and how Ragline uses it.

    `settings_path` and `source_path` each name a class, as `module:class` in `ragline.sources`.
    `factory` calls the class of the source. `claim_documents` is the number of documents that a
    worker claims at a time.

    If `is_listed_cheaply` is true, the sync proof after each run lists the source again. If
    `is_probe_complete` is true, an unchanged probe proves that the source is unchanged. Otherwise
    runs also start without a changed probe. Each kind must state both values, because with a wrong
    value a removed document could stay in the index.
    """

    settings_path: str
    source_path: str
    factory: SourceFactory = _pass_settings
    _: KW_ONLY
    is_listed_cheaply: bool
    is_probe_complete: bool
    claim_documents: int = PARSED_CLAIM_DOCUMENTS

    @property
    def settings(self) -> type[SourceSettings]:
        """The class of the kind's settings."""
        return cast("type[SourceSettings]", _load_class(self.settings_path))

    def open(self, settings: Any, context: SourceContext) -> Source:
        """Make the source that the settings describe. No document is read yet."""
        return self.factory(_load_class(self.source_path), settings, context)


def _load_class(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(f"ragline.sources.{module}"), name)


KINDS: dict[str, Kind] = {
    "connector": Kind(
        "connector.settings:ConnectorSettings", "connector.source:ConnectorSource", _pass_context,
        is_listed_cheaply=False, is_probe_complete=False,
    ),
    "files": Kind(
        "files.settings:FilesSettings", "files.source:FilesSource",
        is_listed_cheaply=True, is_probe_complete=True,
    ),
    "git": Kind(
        "git.settings:GitSettings", "git.source:GitSource", _pass_context,
        is_listed_cheaply=True, is_probe_complete=True,
    ),
    "push": Kind(
        "push.settings:PushSettings", "push.source:PushSource", _pass_database,
        is_listed_cheaply=True, is_probe_complete=True,
    ),
    "records": Kind(
        "records.settings:RecordsSettings", "records.source:RecordsSource",
        is_listed_cheaply=True, is_probe_complete=True, claim_documents=TEXT_CLAIM_DOCUMENTS,
    ),
    "sql": Kind(
        "sql.settings:SqlSettings", "sql.source:SqlSource",
        is_listed_cheaply=True, is_probe_complete=False, claim_documents=TEXT_CLAIM_DOCUMENTS,
    ),
    "web": Kind(
        "web.settings:WebSettings", "web.source:WebSource", _pass_context,
        is_listed_cheaply=False, is_probe_complete=False,
    ),
}  # fmt: skip


def open_source(settings: SourceSettings, home: Path, database: Database) -> Source:
    """Make the source that the settings describe. No document is read yet.

    `home` is the folder of Ragline's data. Each source has its own folder in it.
    """
    from ragline.sources.state import SourceState  # imports SQLAlchemy

    state = SourceState(database, settings.name)
    context = SourceContext(home / "sources" / settings.name, state, database)
    return KINDS[settings.kind].open(settings, context)
