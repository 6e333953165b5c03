"""Whether settings that are well-formed can be satisfied here: models, languages, golden sets.

What a file may say at all is `configuration`; what a run does with a setting that cannot be
satisfied is `lifecycle.settings_refusal`. Loads no model and opens no database.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ragline.configuration import (
    ChunkingSettings,
    CollectionSettings,
    Configuration,
    check_local_paths,
)
from ragline.embedder.model_files import ModelFiles, find_model_files, find_model_folder
from ragline.errors import ConfigurationError, GoldenSetError, ModelUnavailableError
from ragline.golden_set import read_golden_set
from ragline.rerankers import LATE_INTERACTION

# What `halfvec` holds, and what an HNSW index over it takes. Source: the manual of pgvector 0.8.
LARGEST_DIMENSION = 16_000
LARGEST_INDEXED_DIMENSION = 4_000
# The text search configurations that Postgres brings along (Estonian since version 18).
POSTGRES_LANGUAGES = (
    "arabic", "armenian", "basque", "catalan", "danish", "dutch", "english", "estonian", "finnish",
    "french", "german", "greek", "hindi", "hungarian", "indonesian", "irish", "italian",
    "lithuanian", "nepali", "norwegian", "portuguese", "romanian", "russian", "serbian", "simple",
    "spanish", "swedish", "tamil", "turkish", "yiddish",
)  # fmt: skip

# A name this near to `late-interaction` is a misspelling of it and not a model's.
NEARLY_EQUAL = 0.75

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Fault:
    """A setting that cannot be satisfied: which, where it is written, why, what is allowed.

    `is_lasting` tells a value that can never be satisfied from one that may be tomorrow, such as a
    model folder on a disk that is away.
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
        """The fault as one line, as a ConfigurationError says it."""
        return str(self.as_error())

    def as_error(self) -> ConfigurationError:
        """The error that a run raises which cannot go on with this fault."""
        if self.source is not None:
            owner = f"source {self.source}: "
        else:
            owner = "" if self.collection is None else f"collection {self.collection}: "
        setting = f"{self.setting}: " if self.setting else ""
        message = f"{owner}{setting}{self.message}"
        return ConfigurationError(message, path=self.path, line=self.line)


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What settings have to fit: tokens that a model reads, numbers in its vectors.

    None where it is not known without loading the model.
    """

    max_tokens: int | None
    dimension: int | None


def find_faults(
    configuration: Configuration, languages: Collection[str] = POSTGRES_LANGUAGES
) -> list[Fault]:
    """Every setting of the file that cannot be satisfied on this machine, in the file's order.

    `languages` are the text search configurations of the database.
    """
    faults = [
        fault
        for settings in configuration.collections
        for fault in find_collection_faults(configuration, settings, languages)
    ]
    faults += [_path_fault(configuration, error) for error in check_local_paths(configuration)]
    faults += _find_missing_credentials(configuration)
    return sorted(faults, key=lambda fault: (fault.line or 0, fault.message))


def find_collection_faults(
    configuration: Configuration,
    settings: CollectionSettings,
    languages: Collection[str],
    shape: ModelShape | None = None,
) -> list[Fault]:
    """What of a collection's settings cannot be satisfied.

    `shape` is that of its loaded model; without it the model's files are looked at.
    """
    found = [judge_language(settings.language, languages)]
    try:
        known = shape or read_shape(settings.embedding_model)
    except ModelUnavailableError as error:
        found.append(_model_fault("embedding_model", error))
    else:
        found.append(judge_chunk_size(settings.chunking, known.max_tokens))
        found += judge_dimension(settings, known.dimension)
    found += [judge_reranker(settings.reranker), judge_golden(settings)]
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
    """The shape of a model from its files alone.

    Raises:
        ModelUnavailableError: it cannot be found, or its files are not those of a model.
    """
    files = find_model_files(model)
    if not files.weight_files():
        raise ModelUnavailableError(f"model {model}: {files.folder} holds no weights")
    return ModelShape(_read_max_tokens(files), files.dimension)


def _read_max_tokens(files: ModelFiles) -> int | None:
    path = files.transformer_folder / "tokenizer.json"
    if not path.is_file():
        return None
    # Imported here: a configuration without a stated chunk size needs no tokenizer.
    from ragline.embedder.tokenizer import ModelTokenizer

    try:
        return ModelTokenizer(files, path.read_text(encoding="utf-8")).max_tokens
    except Exception as error:  # whatever the library raises on a damaged file
        raise ModelUnavailableError(f"{path} is not a tokenizer: {error}") from error


def judge_language(language: str, known: Collection[str]) -> Fault | None:
    """Whether the database has this text search configuration."""
    if language in known:
        return None
    hint = _did_you_mean(language, known)
    return Fault(
        "language",
        f"the database has no text search configuration {language!r}{hint}; allowed: "
        f"{', '.join(sorted(known))}",
        is_lasting=True,
    )


def judge_chunk_size(chunking: ChunkingSettings, limit: int | None) -> Fault | None:
    """Whether the model reads chunks of the stated size; the default is fitted to the model."""
    is_stated = "max_tokens" in chunking.model_fields_set
    if limit is None or not is_stated or chunking.max_tokens <= limit:
        return None
    return Fault(
        "chunking.max_tokens",
        f"{chunking.max_tokens} is more than the {limit} tokens that the embedding model reads; "
        f"allowed: 16 to {limit}",
        is_lasting=True,
    )


def judge_dimension(settings: CollectionSettings, dimension: int | None) -> Iterator[Fault]:
    """Whether Postgres can keep and index vectors of this size."""
    if dimension is None or dimension <= LARGEST_INDEXED_DIMENSION:
        return
    made = f"{settings.embedding_model} makes vectors of {dimension:,} numbers"
    if dimension > LARGEST_DIMENSION:
        message = f"{made}; allowed: at most {LARGEST_DIMENSION:,}"
        yield Fault("embedding_model", message, is_lasting=True)
        return
    yield Fault(
        "embedding_model",
        f"{made}; a vector index holds at most {LARGEST_INDEXED_DIMENSION:,}, so every search "
        "compares all entries",
        severity="warning",
    )


def judge_reranker(reranker: str) -> Fault | None:
    """Whether the files of a cross-encoder can be found."""
    if reranker == LATE_INTERACTION:
        return None
    if difflib.SequenceMatcher(None, reranker, LATE_INTERACTION).ratio() > NEARLY_EQUAL:
        message = f"{reranker!r} is not a reranker; did you mean {LATE_INTERACTION!r}?"
        return Fault("reranker", message)
    try:
        folder = find_model_folder(reranker, organisation="cross-encoder")
    except ModelUnavailableError as error:
        return _model_fault("reranker", error)
    if (folder / "config.json").is_file():
        return None
    missing = ModelUnavailableError(f"model {reranker}: {folder} holds no config.json")
    return _model_fault("reranker", missing)


def judge_golden(settings: CollectionSettings) -> Fault | None:
    """Whether the golden set can be read, and thresholds have one to be measured on."""
    if settings.golden is None:
        if not settings.thresholds:
            return None
        message = "nothing measures them: the collection names no golden set; add golden: FOLDER"
        return Fault("thresholds", message, severity="warning")
    try:
        read_golden_set(settings.golden)
    except GoldenSetError as error:
        return Fault("golden", str(error))
    except (OSError, UnicodeDecodeError) as error:
        return Fault("golden", f"{settings.golden} cannot be read: {error}")
    return None


def _model_fault(setting: str, error: ModelUnavailableError) -> Fault:
    return Fault(setting, f"{type(error).__name__}: {error}")


def _did_you_mean(value: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(value, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _path_fault(configuration: Configuration, error: ConfigurationError) -> Fault:
    source = next(n for n, line in configuration.source_lines.items() if line == error.line)
    message = str(error).rpartition(f"source {source}: uri: ")[2]
    line = configuration.line_of("sources", source, "uri")
    return Fault("uri", message, source=source, path=configuration.path, line=line)


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
