"""Settings that are valid but cannot be satisfied on this machine: models, languages, golden sets.

`settings` defines what a file may contain. `lifecycle.settings_refusal` decides what a run does
when a setting cannot be satisfied. This module loads no model and opens no database.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ragline.configuration.collection_settings import ChunkingSettings, CollectionSettings
from ragline.configuration.settings import Configuration
from ragline.embedder.model_files import ModelFiles, find_model_files, find_model_folder
from ragline.errors import ConfigurationError, GoldenSetError, ModelUnavailableError
from ragline.golden_set import GoldenSet, read_golden_set
from ragline.golden_set.card import read_card
from ragline.rerankers import NAMED_RERANKERS
from ragline.sources.settings import LocatedSettings, SourceSettings

# The largest dimension of a `halfvec`, and of a `halfvec` in an HNSW index.
# Source: the manual of pgvector 0.8.
MAX_DIMENSION = 16_000
MAX_INDEXED_DIMENSION = 4_000
# The text search configurations built into Postgres (Estonian since version 18).
POSTGRES_LANGUAGES = (
    "arabic", "armenian", "basque", "catalan", "danish", "dutch", "english", "estonian", "finnish",
    "french", "german", "greek", "hindi", "hungarian", "indonesian", "irish", "italian",
    "lithuanian", "nepali", "norwegian", "portuguese", "romanian", "russian", "serbian", "simple",
    "spanish", "swedish", "tamil", "turkish", "yiddish",
)  # fmt: skip

# A name that is at least this similar to the name of a built-in reranker counts as a misspelling.
MIN_SIMILARITY = 0.75

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Fault:
    """A setting that cannot be satisfied: its name and its line, the reason, and what is allowed.

    `is_lasting` says that its value can never be satisfied. Otherwise it can be satisfied later. An
    example is a model folder on a disk that is not mounted now.
    """

    setting: str
    message: str
    severity: Severity = "error"
    collection: str | None = None
    source: str | None = None
    path: Path | None = None
    line: int | None = None
    is_lasting: bool = False

    @property
    def text(self) -> str:
        """The message of the fault's ConfigurationError, in one line."""
        return str(self.as_error())

    def as_error(self) -> ConfigurationError:
        """Return the error to raise if a run cannot continue because of this fault."""
        if self.source is not None:
            owner = f"source {self.source}: "
        else:
            owner = "" if self.collection is None else f"collection {self.collection}: "
        setting = f"{self.setting}: " if self.setting else ""
        message = f"{owner}{setting}{self.message}"
        return ConfigurationError(message, path=self.path, line=self.line)


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The limits of an embedding model: the maximum number of tokens of a text, and the dimension.

    A limit is None if its value is known only after the model is loaded.
    """

    max_tokens: int | None
    dimension: int | None


def find_faults(
    configuration: Configuration, languages: Collection[str] = POSTGRES_LANGUAGES
) -> list[Fault]:
    """Find all settings that cannot be satisfied on this machine, in the order of the file.

    `languages` are the text search configurations of the database.
    """
    faults = [
        fault
        for settings in configuration.collections
        for fault in find_collection_faults(configuration, settings, languages)
    ]
    faults += _find_path_faults(configuration)
    faults += _find_missing_credentials(configuration)
    return sorted(faults, key=lambda fault: (fault.line or 0, fault.message))


def find_collection_faults(
    configuration: Configuration,
    settings: CollectionSettings,
    languages: Collection[str],
    shape: ModelShape | None = None,
) -> list[Fault]:
    """Find the settings of a collection that cannot be satisfied.

    `shape` is the shape of the loaded embedding model. If it is None, the shape is read from the
    files of the model.
    """
    found = [check_language(settings.language, languages)]
    try:
        known = shape or read_shape(settings.embedding_model)
    except ModelUnavailableError as error:
        found.append(_model_fault("embedding_model", error))
    else:
        found.append(check_chunk_size(settings.chunking, known.max_tokens))
        found += check_dimension(settings, known.dimension)
    found += [check_reranker(settings.reranker), check_golden(settings, configuration.sources)]
    return _locate(configuration, settings, found)


def find_modelless_faults(
    configuration: Configuration, settings: CollectionSettings, languages: Collection[str]
) -> list[Fault]:
    """Find the settings of a collection that cannot be satisfied, and look up no model."""
    found = [
        check_language(settings.language, languages),
        _check_reranker_name(settings.reranker),
        check_golden(settings, configuration.sources),
    ]
    return _locate(configuration, settings, found)


def _locate(
    configuration: Configuration, settings: CollectionSettings, found: Iterable[Fault | None]
) -> list[Fault]:
    """Return the faults with their collection and their line in the file."""
    return [
        replace(
            fault,
            collection=settings.name,
            path=configuration.path,
            line=configuration.line_of("collections", settings.name, fault.setting),
        )
        for fault in found
        if fault is not None
    ]


def read_shape(model: str) -> ModelShape:
    """Read the shape of a model from its files.

    Raises:
        ModelUnavailableError: the model was not found, or its files are incomplete or damaged.
    """
    files = find_model_files(model)
    if not files.weight_files():
        raise ModelUnavailableError(f"model {model}: {files.folder} has no weights")
    return ModelShape(_read_max_tokens(files), files.dimension)


def _read_max_tokens(files: ModelFiles) -> int | None:
    path = files.transformer_folder / "tokenizer.json"
    if not path.is_file():
        return None
    # Only a model with this file needs the package `tokenizers`.
    from ragline.embedder.tokenizer import ModelTokenizer

    try:
        return ModelTokenizer(files, path.read_text(encoding="utf-8")).max_tokens
    except Exception as error:  # whatever the library raises on a damaged file
        raise ModelUnavailableError(f"{path} is not a tokenizer: {error}") from error


def check_language(language: str, known: Collection[str]) -> Fault | None:
    """Return a fault if `language` is not in `known`, the text search configurations."""
    if language in known:
        return None
    hint = _did_you_mean(language, known)
    return Fault(
        "language",
        f"the database has no text search configuration {language!r}{hint}; allowed: "
        f"{', '.join(sorted(known))}",
        is_lasting=True,
    )


def check_chunk_size(chunking: ChunkingSettings, limit: int | None) -> Fault | None:
    """Return a fault if the configured chunk size exceeds the limit of the model.

    The default chunk size is never a fault, because Ragline lowers it to the limit of the model.
    """
    is_stated = "max_tokens" in chunking.model_fields_set
    if limit is None or not is_stated or chunking.max_tokens <= limit:
        return None
    return Fault(
        "chunking.max_tokens",
        f"{chunking.max_tokens} is more than the {limit} tokens that the embedding model reads; "
        f"allowed: 16 to {limit}",
        is_lasting=True,
    )


def check_dimension(settings: CollectionSettings, dimension: int | None) -> Iterator[Fault]:
    """Yield a fault if Postgres cannot store or index vectors of this dimension."""
    if dimension is None or dimension <= MAX_INDEXED_DIMENSION:
        return
    made = f"{settings.embedding_model} makes vectors of {dimension:,} numbers"
    if dimension > MAX_DIMENSION:
        message = f"{made}; allowed: at most {MAX_DIMENSION:,}"
        yield Fault("embedding_model", message, is_lasting=True)
        return
    yield Fault(
        "embedding_model",
        f"{made}; a vector index accepts at most {MAX_INDEXED_DIMENSION:,}, so each search "
        "compares all entries",
        severity="warning",
    )


def check_reranker(reranker: str) -> Fault | None:
    """Return a fault if the reranker is not built in and is not a cross-encoder on this machine."""
    misspelled = _check_reranker_name(reranker)
    if reranker in NAMED_RERANKERS or misspelled is not None:
        return misspelled
    try:
        folder = find_model_folder(reranker, organisation="cross-encoder")
    except ModelUnavailableError as error:
        return _model_fault("reranker", error)
    if (folder / "config.json").is_file():
        return None
    missing = ModelUnavailableError(f"model {reranker}: {folder} has no config.json")
    return _model_fault("reranker", missing)


def _check_reranker_name(reranker: str) -> Fault | None:
    """Return a fault if the name is a misspelled name of a built-in reranker."""
    if reranker in NAMED_RERANKERS:
        return None
    close = difflib.get_close_matches(reranker, NAMED_RERANKERS, n=1, cutoff=MIN_SIMILARITY)
    if not close:
        return None
    return Fault("reranker", f"{reranker!r} is not a reranker; did you mean {close[0]!r}?")


def check_golden(settings: CollectionSettings, sources: Iterable[SourceSettings]) -> Fault | None:
    """Return a fault if the golden set cannot be read, or if thresholds have no golden set.

    `sources` are all sources. If a judgement names a source that the collection does not have, the
    fault is a warning.
    """
    if settings.golden is None:
        if not settings.thresholds:
            return None
        message = (
            "the collection has no golden set, so its thresholds are not checked; add golden: "
            "FOLDER"
        )
        return Fault("thresholds", message, severity="warning")
    try:
        golden = read_golden_set(settings.golden)
    except GoldenSetError as error:
        return Fault("golden", str(error))
    except OSError as error:
        return Fault("golden", f"{settings.golden} cannot be read: {error}")
    try:
        read_card(settings.golden)
    except GoldenSetError as error:
        # An evaluation does not need the card, so this is only a warning.
        return Fault("golden", str(error), severity="warning")
    own = [source.name for source in sources if source.collection == settings.name]
    return _find_other_sources(golden, settings.name, own)


def _find_other_sources(
    golden: GoldenSet, collection: str, sources: Collection[str]
) -> Fault | None:
    judged = {one.source for one in golden.records if one.source is not None}
    others = sorted(judged.difference(sources))
    if not others:
        return None
    count = sum(one.source in others for one in golden.records)
    hint = _did_you_mean(others[0], sources)
    return Fault(
        "golden",
        f"{count:,} judgements are about documents of {', '.join(map(repr, others))}, which the "
        f"collection {collection} does not have as a source{hint}",
        severity="warning",
    )


def _model_fault(setting: str, error: ModelUnavailableError) -> Fault:
    return Fault(setting, f"{type(error).__name__}: {error}")


def _did_you_mean(value: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(value, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def check_local_paths(configuration: Configuration) -> list[ConfigurationError]:
    """Return an error for each source whose local path does not exist, in the order of the file.

    `load_configuration` does not check paths, so that the service can start while a disk is not
    mounted. The first sync of a source checks its path.
    """
    return [
        ConfigurationError(
            f"source {source.name}: uri: {message}",
            path=configuration.path,
            line=configuration.source_lines.get(source.name),
        )
        for source, message in _find_missing_paths(configuration)
    ]


def _find_path_faults(configuration: Configuration) -> Iterator[Fault]:
    for source, message in _find_missing_paths(configuration):
        line = configuration.line_of("sources", source.name, "uri")
        yield Fault("uri", message, source=source.name, path=configuration.path, line=line)


def _find_missing_paths(configuration: Configuration) -> Iterator[tuple[LocatedSettings, str]]:
    for source in configuration.sources:
        if isinstance(source, LocatedSettings):
            path = source.local_path
            if path is not None and not path.exists():
                item = "folder" if source.kind == "files" else "file"
                yield source, f"{path} does not exist; name an existing {item}"


def _find_missing_credentials(configuration: Configuration) -> Iterator[Fault]:
    for source in configuration.sources:
        for key, variable in source.credentials.items():
            if variable in os.environ:
                continue
            yield Fault(
                f"credentials.{key}",
                f"the environment variable {variable} is not set here; set it for every process "
                "that syncs",
                severity="warning",
                source=source.name,
                path=configuration.path,
                line=configuration.line_of("sources", source.name, f"credentials.{key}"),
            )
