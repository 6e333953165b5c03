"""`ragline.yaml`: what is to be indexed from where, checked before anything is done.

Every fault is one line with file, line and what is allowed. What a kind of source may set is
declared in that kind's module.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from ragline.access.tenants import DEFAULT_TENANT
from ragline.configuration_wording import say_fault, say_unknown_key, say_unknown_kind
from ragline.errors import (
    ConfigurationError,
    NoPushSourceError,
    UnknownCollectionError,
    UnknownSourceError,
)
from ragline.sources.registry import KINDS
from ragline.sources.settings import (
    NAME_PATTERN,
    LocatedSettings,
    SourceSettings,
    read_duration,
)
from ragline.unknown_names import describe_unknown

if TYPE_CHECKING:
    from ragline.sources.push.settings import PushSettings

DEFAULT_FILE = "ragline.yaml"
MEASURES = ("ndcg@10", "recall@10", "recall@100", "mrr@10")

TOP_KEYS = ("collections", "sources", "retention")


def _read_age(value: Any) -> timedelta:
    """A duration that may be none at all: `0s` keeps nothing."""
    return timedelta(0) if str(value).strip() in ("0", "0s") else read_duration(value)


Age = Annotated[timedelta, BeforeValidator(_read_age)]
QueryText = Literal["full", "hashed", "none"]
Share = Annotated[float, Field(ge=0, le=1)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ChunkingSettings(_Settings):
    """How documents are cut; counts are tokens of the embedding model.

    Source of the defaults: benchmarks/README.md, "Chunking".
    """

    max_tokens: int = Field(default=200, ge=16, le=8192)
    overlap_tokens: int = Field(default=20, ge=0)

    @model_validator(mode="after")
    def _check_overlap(self) -> ChunkingSettings:
        if self.overlap_tokens > self.max_tokens // 2:
            raise ValueError(
                f"overlap_tokens {self.overlap_tokens} is over half of max_tokens "
                f"{self.max_tokens}; at most {self.max_tokens // 2} is allowed"
            )
        return self


class SearchSettings(_Settings):
    """How a collection is searched. Source of the defaults: benchmarks/README.md, "Search"."""

    vector_weight: Share = 0.5
    candidates: int = Field(default=100, ge=1, le=1000)
    feedback_weight: Share = 0.0
    keyword_bound: int = Field(default=20_000, ge=1)
    rerank_candidates: int = Field(default=20, ge=1, le=200)
    rerank_weight: Share = 0.5


class CollectionSettings(_Settings):
    """One collection: what is embedded how, and how good its search must be."""

    name: str = Field(pattern=NAME_PATTERN)
    tenant: str = Field(default=DEFAULT_TENANT, pattern=NAME_PATTERN)
    embedding_model: str = "sentence-transformers/all-MiniLM-L6-v2"
    chunking: ChunkingSettings = ChunkingSettings()
    language: str = Field(default="english", pattern=r"^[a-z_]+$")
    reranker: str = "late-interaction"
    golden: Path | None = None
    thresholds: dict[str, Share] = Field(default_factory=dict)
    hnsw_from_entries: int = Field(default=20_000, ge=0)
    search: SearchSettings = SearchSettings()
    query_text: QueryText = "full"

    @field_validator("golden")
    @classmethod
    def _resolve_golden(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        return None if path is None else (_folder(info) / path.expanduser()).resolve()

    @field_validator("embedding_model", "reranker")
    @classmethod
    def _resolve_model(cls, model: str, info: ValidationInfo) -> str:
        """A path that begins with a dot is relative to the file; anything else is a name."""
        if model.startswith(("./", "../")):
            return str((_folder(info) / model).resolve())
        return model

    @field_validator("thresholds")
    @classmethod
    def _check_measures(cls, thresholds: dict[str, float]) -> dict[str, float]:
        for name in thresholds:
            if name not in MEASURES:
                raise ValueError(f"unknown measure {name!r}; allowed: {', '.join(MEASURES)}")
        return thresholds


class RetentionSettings(_Settings):
    """How long what nothing needs any more is kept before it is deleted for good.

    `parses` and `embeddings` count from when the last document let go of them, `requests` and
    `history` (clock readings, sync proofs, reports of syncs) from when they were written.
    """

    removed_documents: Age = timedelta(days=30)
    parses: Age = timedelta(days=7)
    embeddings: Age = timedelta(days=30)
    requests: Age = timedelta(days=90)
    audit: Age = timedelta(days=365)
    history: Age = timedelta(days=90)


def _folder(info: ValidationInfo) -> Path:
    return Path((info.context or {}).get("folder", Path.cwd()))


def _read_source(value: Any, info: ValidationInfo) -> SourceSettings:
    """A source by the settings of its kind."""
    if isinstance(value, SourceSettings):
        return value
    return KINDS[value["kind"]].settings.model_validate(value, context=info.context)


class Configuration(_Settings):
    """Everything that a file says, with defaults filled in and paths made absolute."""

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
        """The line of a collection's or source's setting, else of the item itself.

        `area` is `collections` or `sources`; None when the file does not state the item.
        """
        known = self.setting_lines
        return known.get(f"{area}/{name}/{setting}", known.get(f"{area}/{name}/"))

    def collection(self, name: str) -> CollectionSettings:
        """The settings of a collection.

        Raises:
            UnknownCollectionError: neither a collection nor a source names it.
        """
        for settings in self.collections:
            if settings.name == name:
                return settings
        known = (settings.name for settings in self.collections)
        raise UnknownCollectionError(describe_unknown("collection", name, known))

    def source(self, name: str) -> SourceSettings:
        """The settings of a source.

        Raises:
            UnknownSourceError: none has this name.
        """
        for settings in self.sources:
            if settings.name == name:
                return settings
        known = (settings.name for settings in self.sources)
        raise UnknownSourceError(describe_unknown("source", name, known))

    def sources_of(self, collection: str) -> tuple[SourceSettings, ...]:
        """The sources that feed a collection, in the file's order."""
        return tuple(source for source in self.sources if source.collection == collection)

    def push_source_of(self, collection: str) -> PushSettings:
        """The source that keeps what callers push to a collection.

        Raises:
            UnknownCollectionError: there is no such collection.
            NoPushSourceError: it has no such source.
        """
        from ragline.sources.push.settings import PushSettings  # needs the database's libraries

        name = self.collection(collection).name
        for settings in self.sources_of(name):
            if isinstance(settings, PushSettings):
                return settings
        raise NoPushSourceError(
            f"collection {name!r} takes no pushed documents; add to the sources in ragline.yaml: "
            f"{{name: {name}-pushed, collection: {name}, kind: push}}, and restart what runs"
        )


def load_configuration(path: Path | None = None) -> Configuration:
    """Read the configuration: `path`, else RAGLINE_CONFIG, else ragline.yaml right here.

    Raises:
        ConfigurationError: a line for each fault, with file, line and what is allowed.
    """
    chosen = find_configuration(path)
    return parse_configuration(read_configuration(chosen), chosen)


def parse_configuration(content: str, path: Path) -> Configuration:
    """The configuration that the content of the file `path` says.

    Raises:
        ConfigurationError: a line for each fault, with file, line and what is allowed.
    """
    root = _compose(content, path)
    _refuse_repeated_keys(path, root)
    values = yaml.safe_load(content)
    if not isinstance(values, dict):
        raise ConfigurationError(
            f"the file is no mapping; allowed keys: {', '.join(TOP_KEYS)}", path=path, line=1
        )
    _refuse_unknown_top(path, root, values)
    return _validate(path, root, values)


def name_configuration(path: Path | None = None) -> Path:
    """The file that is read: `path`, else RAGLINE_CONFIG, else ragline.yaml right here."""
    named = path or (Path(value) if (value := os.environ.get("RAGLINE_CONFIG")) else None)
    return (named or Path(DEFAULT_FILE)).absolute()


def read_configuration(path: Path) -> str:
    """The content of a configuration file.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError("the file is not UTF-8", path=path, line=1) from error
    except OSError as error:
        raise ConfigurationError(
            f"the file cannot be read: {error.strerror}; let this user read it", path=path
        ) from error


def check_local_paths(configuration: Configuration) -> list[ConfigurationError]:
    """A fault for each source whose local path does not exist, in the file's order.

    Loading does not look: a folder that is away for a night must not keep the service from
    starting. A first sync does.
    """
    return [
        ConfigurationError(
            f"source {source.name}: uri: {source.local_path} does not exist; name a "
            f"{'folder' if source.kind == 'files' else 'file'} that does",
            path=configuration.path,
            line=configuration.source_lines.get(source.name),
        )
        for source in configuration.sources
        if isinstance(source, LocatedSettings)
        and source.local_path is not None
        and not source.local_path.exists()
    ]


def find_configuration(path: Path | None = None) -> Path:
    """The file that `name_configuration` names.

    Raises:
        ConfigurationError: there is no such file.
    """
    chosen = name_configuration(path)
    if not chosen.is_file():
        raise ConfigurationError(
            f"{chosen}: there is no such file; name the configuration with --config FILE or "
            f"RAGLINE_CONFIG, or run where {DEFAULT_FILE} is"
        )
    return chosen


def _compose(content: str, path: Path) -> yaml.Node:
    try:
        root = yaml.compose(content, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigurationError(f"is not YAML: {problem}", path=path, line=line) from error
    if root is None:
        raise ConfigurationError(
            f"the file is empty; allowed keys: {', '.join(TOP_KEYS)}", path=path, line=1
        )
    return root


def _refuse_repeated_keys(path: Path, node: yaml.Node) -> None:
    """YAML lets the last of two equal keys win silently."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            if key.value in seen:
                raise ConfigurationError(
                    f"{key.value} is written twice (first on line {seen[key.value]}); "
                    "allowed: once",
                    path=path,
                    line=key.start_mark.line + 1,
                )
            seen[key.value] = key.start_mark.line + 1
            _refuse_repeated_keys(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated_keys(path, item)


def _refuse_unknown_top(path: Path, root: yaml.Node, values: dict[str, Any]) -> None:
    for key in values:
        if key not in TOP_KEYS:
            _fail(path, [(_line_of(root, (key,)), say_unknown_key(str(key), TOP_KEYS))])
    for key in ("collections", "sources"):
        if not isinstance(values.get(key) or [], list):
            _fail(path, [(_line_of(root, (key,)), f"{key} must be a list, each item with a dash")])
    if not isinstance(values.get("retention") or {}, dict):
        _fail(path, [(_line_of(root, ("retention",)), "retention must be a mapping of durations")])


def _validate(path: Path, root: yaml.Node, values: dict[str, Any]) -> Configuration:
    stated = values.get("collections") or []
    sources = values.get("sources") or []
    shapeless = [*_shapeless(root, "collections", stated), *_shapeless(root, "sources", sources)]
    if shapeless:
        _fail(path, shapeless)
    names = {str(item.get("name")) for item in stated}
    implied = list(dict.fromkeys(_collection_names(sources)))
    everything = {
        "collections": [*stated, *({"name": name} for name in implied if name not in names)],
        "sources": sources,
        "retention": values.get("retention") or {},
        "path": path,
        "home": home_of(path),
        "database_url": os.environ.get("RAGLINE_DATABASE_URL") or None,
        "source_lines": {
            str(item.get("name")): _line_of(root, ("sources", index))
            for index, item in enumerate(sources)
        },
        "setting_lines": dict(_setting_lines(root)),
    }
    try:
        configuration = Configuration.model_validate(everything, context={"folder": path.parent})
    except ValidationError as error:
        _fail(path, [_describe(root, fault, sources) for fault in _flatten(error)])
    repeated = [*_repeated(root, "collections", stated), *_repeated(root, "sources", sources)]
    repeated += _repeated_pushes(root, sources)
    if repeated:
        _fail(path, repeated)
    return configuration


def _shapeless(root: yaml.Node, area: str, items: list[Any]) -> Iterator[tuple[int, str]]:
    """Items that are no mapping, and sources of no known kind: nothing more is known of them."""
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            yield _line_of(root, (area, index)), f"{area}[{index}] must be a mapping with a name"
        elif area == "sources" and str(item.get("kind")) not in KINDS:
            said = f"kind is missing; allowed: {', '.join(KINDS)}"
            if "kind" in item:
                said = say_unknown_kind(item["kind"], tuple(KINDS))
            yield _line_of(root, (area, index, "kind")), f"sources[{index}].kind: {said}"


def _setting_lines(root: yaml.Node) -> Iterator[tuple[str, int]]:
    """Where each setting of each collection and source is written.

    A collection that only sources name is where the last of them names it.
    """
    for area in ("sources", "collections"):
        for item in getattr(_child(root, area), "value", []):
            name = getattr(_child(item, "name"), "value", None)
            yield f"{area}/{name}/", item.start_mark.line + 1
            for key, value in item.value:
                line = key.start_mark.line + 1
                yield f"{area}/{name}/{key.value}", line
                for inner, _ in value.value if isinstance(value, yaml.MappingNode) else ():
                    yield f"{area}/{name}/{key.value}.{inner.value}", inner.start_mark.line + 1
                if key.value == "collection":
                    yield f"collections/{value.value}/", line


def _child(node: yaml.Node, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _collection_names(sources: list[dict[str, Any]]) -> Iterator[str]:
    for source in sources:
        if isinstance(source.get("collection"), str):
            yield source["collection"]


def home_of(path: Path) -> Path:
    """The folder of what Ragline keeps for a configuration file: RAGLINE_HOME, else beside it."""
    stated = os.environ.get("RAGLINE_HOME")
    return Path(stated).expanduser().absolute() if stated else path.parent / ".ragline"


def _repeated(root: yaml.Node, area: str, items: list[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    """Names that are taken. A dash and an underscore are one sign in the names of Dagster."""
    seen: dict[str, str] = {}
    for index, item in enumerate(items):
        name = str(item["name"])
        plain = name.replace("-", "_")
        if plain in seen:
            other = "" if seen[plain] == name else f" (as {seen[plain]!r}: - and _ count as equal)"
            line = _line_of(root, (area, index, "name"))
            yield line, f"{area}: the name {name!r} is taken{other}; allowed: a name of its own"
        seen[plain] = name


def _repeated_pushes(root: yaml.Node, sources: list[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    """Push sources beside another one: a request names the collection and not the source."""
    seen: dict[str, str] = {}
    for index, item in enumerate(sources):
        if item["kind"] == "push":
            collection = item["collection"]
            if collection in seen:
                fault = (
                    f"sources: {seen[collection]!r} takes what is pushed to the collection "
                    f"{collection!r} already; allowed: one source of the kind push for each"
                )
                yield _line_of(root, ("sources", index, "kind")), fault
            seen.setdefault(collection, item["name"])


def _flatten(error: ValidationError) -> Iterator[ErrorDetails]:
    """Faults with whole paths: those of a source come wrapped in one fault of the list's item."""
    for fault in error.errors(include_url=False):
        inner = (fault.get("ctx") or {}).get("error")
        if isinstance(inner, ValidationError):
            for nested in _flatten(inner):
                yield {**nested, "loc": (*fault["loc"], *nested["loc"])}
        else:
            yield fault


def _describe(
    root: yaml.Node, fault: ErrorDetails, sources: list[dict[str, Any]]
) -> tuple[int, str]:
    """The line of a fault, and what is wrong, where in the file's own words, what is allowed."""
    line = _line_of(root, fault["loc"])
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"])
    place = place.lstrip(".")
    if fault["type"] == "extra_forbidden":
        above, key = fault["loc"][:-1], str(fault["loc"][-1])
        allowed = _allowed_keys(above, sources)
        return line, f"{place.removesuffix('.' + key)}: {say_unknown_key(key, allowed)}"
    if fault["type"] == "missing":
        return line, f"{place} is missing; it must be given"
    return line, f"{place}: {say_fault(fault)}"


def _allowed_keys(above: tuple[int | str, ...], sources: list[dict[str, Any]]) -> tuple[str, ...]:
    """The keys of the settings that stand at a place of the file."""
    area, *deeper = above
    if area == "retention":
        return tuple(RetentionSettings.model_fields)
    index, *rest = deeper
    model: type[BaseModel] = CollectionSettings
    if area == "sources":
        model = KINDS[sources[int(index)]["kind"]].settings
    for part in rest:
        nested = model.model_fields[str(part)].annotation
        assert isinstance(nested, type)
        assert issubclass(nested, BaseModel)
        model = nested
    return tuple(model.model_fields)


def _fail(path: Path, faults: list[tuple[int, str]]) -> NoReturn:
    """Raise all faults as one error, a line each."""
    (line, first), *others = sorted(set(faults))
    more = "".join(f"\n{path}:{number}: {fault}" for number, fault in others)
    raise ConfigurationError(first + more, path=path, line=line)


def _line_of(root: yaml.Node, place: tuple[int | str, ...]) -> int:
    """The line of the deepest part of `place` that the file has; lines start at 1."""
    node, line = root, root.start_mark.line
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                break
            key, node = found[0]
            line = key.start_mark.line
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                break
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return line + 1
