"""The settings of a configuration file: collections, their sources, and retention.

The settings of a collection are in `collection_settings`. The settings of each kind of source are
in the package of the kind in `ragline.sources`. `loading` reads a file.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationInfo

from ragline.configuration.collection_settings import CollectionSettings
from ragline.configuration.strict_settings import StrictSettings
from ragline.errors import NoPushSourceError, UnknownCollectionError, UnknownSourceError
from ragline.sources.push.settings import PushSettings
from ragline.sources.registry import KINDS
from ragline.sources.settings import SourceSettings, read_duration
from ragline.unknown_names import describe_unknown

DEFAULT_FILE = "ragline.yaml"


def _read_age(value: Any) -> timedelta:
    """Convert a duration from the file. It can be zero (`0s`)."""
    return timedelta(0) if str(value).strip() in ("0", "0s") else read_duration(value)


Age = Annotated[timedelta, BeforeValidator(_read_age)]


class RetentionSettings(StrictSettings):
    """How long unused data is stored before it is permanently deleted.

    For `parses` and `embeddings`, the time begins when nothing uses the row any more. For
    `requests`, `audit` and `history`, the time begins when the row is written.
    """

    removed_documents: Age = Field(
        default=timedelta(days=30),
        description="How long the ledger row of a removed document is stored. After `ragline "
        "remove` of a whole source, the data of its last listing is stored for the same time, such "
        "as the ETags of web pages.",
    )
    parses: Age = Field(
        default=timedelta(days=7),
        description="How long parsed text and its chunks are stored when no document has this "
        "content any more.",
    )
    embeddings: Age = Field(
        default=timedelta(days=30),
        description="How long an embedding is stored after the last chunk with this text was "
        "deleted.",
    )
    requests: Age = Field(
        default=timedelta(days=90),
        description="How long the records of searches are stored, with their hits, their feedback, "
        "the shadow reads and the daily figures.",
    )
    audit: Age = Field(
        default=timedelta(days=365),
        description="How long the audit log is stored. For each request it contains the time, the "
        "key, the path and the status, but not the text of a query.",
    )
    history: Age = Field(
        default=timedelta(days=90),
        description="How long clock readings, sync proofs, reports of syncs and watches of "
        "promotions are stored. The last sync proof of each source is always stored.",
    )


def _read_source(value: Any, info: ValidationInfo) -> SourceSettings:
    """Validate a source with the settings class of its kind."""
    if isinstance(value, SourceSettings):
        return value
    return KINDS[value["kind"]].settings.model_validate(value, context=info.context)


class Configuration(StrictSettings):
    """All settings of a file, with defaults filled in and paths made absolute."""

    collections: tuple[CollectionSettings, ...] = ()
    sources: tuple[
        Annotated[SerializeAsAny[SourceSettings], BeforeValidator(_read_source)], ...
    ] = ()
    retention: RetentionSettings = RetentionSettings()
    path: Path = Path(DEFAULT_FILE)
    home: Path = Path(".ragline")
    database_url: str | None = None
    source_lines: dict[str, int] = Field(default_factory=dict, repr=False)
    setting_lines: dict[str, int] = Field(default_factory=dict, repr=False)

    def line_of(self, area: str, name: str, setting: str = "") -> int | None:
        """Return the line of a setting of the collection or source `name`.

        `area` is `collections` or `sources`. If the file does not state the setting, the result is
        the line of the collection or source. If the file does not contain the collection or source,
        the result is None.
        """
        known = self.setting_lines
        return known.get(f"{area}/{name}/{setting}", known.get(f"{area}/{name}/"))

    def collection(self, name: str) -> CollectionSettings:
        """Return the settings of a collection.

        Raises:
            UnknownCollectionError: neither a collection nor a source has this name.
        """
        for settings in self.collections:
            if settings.name == name:
                return settings
        known = (settings.name for settings in self.collections)
        raise UnknownCollectionError(describe_unknown("collection", name, known))

    def replace_collection(self, changed: CollectionSettings) -> Configuration:
        """Return a copy in which `changed` replaces the settings of the collection of this name."""
        collections = tuple(
            changed if settings.name == changed.name else settings for settings in self.collections
        )
        return self.model_copy(update={"collections": collections})

    def golden_folder(self, name: str) -> Path:
        """Return the folder of a collection's golden set.

        If the settings of the collection name no folder, it is `golden/<collection>` next to the
        configuration file. Commands edit this folder. Evaluations do not use it until the settings
        of the collection name it.

        Raises:
            UnknownCollectionError: neither a collection nor a source has this name.
        """
        return self.collection(name).golden or self.path.absolute().parent / "golden" / name

    def source(self, name: str) -> SourceSettings:
        """Return the settings of a source.

        Raises:
            UnknownSourceError: no source has this name.
        """
        for settings in self.sources:
            if settings.name == name:
                return settings
        known = (settings.name for settings in self.sources)
        raise UnknownSourceError(describe_unknown("source", name, known))

    def sources_of(self, collection: str) -> tuple[SourceSettings, ...]:
        """Return the sources of a collection, in the order of the file."""
        return tuple(source for source in self.sources if source.collection == collection)

    def push_source_of(self, collection: str) -> PushSettings:
        """Return the source that stores the documents that callers push to a collection.

        Raises:
            UnknownCollectionError: there is no collection with this name.
            NoPushSourceError: the collection has no source of the kind push.
        """
        name = self.collection(collection).name
        for settings in self.sources_of(name):
            if isinstance(settings, PushSettings):
                return settings
        raise NoPushSourceError(
            f"collection {name!r} accepts no pushed documents; add to the sources in ragline.yaml: "
            f"{{name: {name}-pushed, collection: {name}, kind: push}}, and restart all processes "
            "of Ragline"
        )
