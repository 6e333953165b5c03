"""Exports a model from PyTorch as a graph that OpenVINO reads, and stores the graph in a cache.

An export takes seconds and imports torch. A cached export is read at once and without torch. The
cache also stores PyTorch's vectors of a few probe texts. The vectors of each backend are compared
with them. `openvino_backend` runs the graph.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ragline.embedder.backend import Floats
from ragline.embedder.model_files import ModelFiles
from ragline.storage.disk_errors import writing_to

logger = logging.getLogger(__name__)

# Increase this number when the graph or the probes change.
_EXPORT_VERSION = 1
_SUMMARY = "export.json"
_GRAPH = "model.xml"
_REFERENCE = "reference.npy"

_SENTENCE = "The boundary layer on a flat plate separates when the pressure rises downstream. "
# Texts for which the vectors of backends with lower precision differ most. They are short and long
# texts, prose and noise, in several scripts.
PROBES = (
    "?",
    "wing",
    "what is the effect of heat on a thin shell",
    "def embed(texts: list[str]) -> None:\n    return 1 / 0  # ZeroDivisionError",
    "Быстрая коричневая лиса перепрыгивает через ленивую собаку",
    "東京都は日本の首都です。人口は約1400万人。",
    "\U0001f600 \U0001f680 \U0001f4a9 <<>> ~~~ %%% 0x7f",
    "1 2 3 5 8 13 21 34 55 89 144 233 377 610 987",
    _SENTENCE,
    _SENTENCE * 4,
    _SENTENCE * 9,
    _SENTENCE * 60,
)


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """The export of a model, in a folder of the cache.

    `graph` is the path of the graph, or None if the model cannot be exported. `reference` contains
    PyTorch's vectors of PROBES: (n, dimension) float32.
    """

    folder: Path
    graph: Path | None
    reference: Floats


def export_model(files: ModelFiles, cache: Path) -> ExportedModel:
    """Return the export of a model from the cache. If it is missing, export the model first.

    One process exports while other processes wait. A process that is killed leaves an unfinished
    folder that no process reads.

    Raises:
        ModelUnavailableError: sentence-transformers cannot load the model.
        DiskFullError: there is no space for the graph.
    """
    folder = cache / f"{files.model_hash[:16]}-v{_EXPORT_VERSION}"
    if not folder.is_dir():
        # This import is here because only the first load of a model needs the lock.
        from filelock import FileLock

        with writing_to(cache):
            cache.mkdir(parents=True, exist_ok=True)
        with writing_to(folder), FileLock(f"{folder}.lock"):
            if not folder.is_dir():
                _export_to(files, folder)
    return _read_export(folder)


def _read_export(folder: Path) -> ExportedModel:
    summary = json.loads((folder / _SUMMARY).read_text(encoding="utf-8"))
    graph = folder / _GRAPH if summary["is_exported"] else None
    return ExportedModel(folder, graph, np.load(folder / _REFERENCE))


def _export_to(files: ModelFiles, folder: Path) -> None:
    prefix = f".{folder.name}-"
    for unfinished_folder in folder.parent.glob(f"{prefix}*"):
        shutil.rmtree(unfinished_folder, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    try:
        _write_export(files, unfinished)
        unfinished.chmod(0o755)  # mkdtemp sets 0700, with which other users could not read it
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write_export(files: ModelFiles, folder: Path) -> None:
    # This import is here because torch takes seconds to import, and a cached model needs no torch.
    from ragline.embedder.pytorch_backend import (
        EmbeddingModule,
        load_sentence_transformer,
        reference_vectors,
    )

    logger.info("preparing embedding model %s; this happens once", files.model)
    # OpenVINO can optimize eager attention, but not PyTorch's own fused operator.
    model = load_sentence_transformer(files, "cpu", attention="eager")
    np.save(folder / _REFERENCE, reference_vectors(model, PROBES))
    reason = ""
    try:
        _write_graph(EmbeddingModule(model).eval(), folder)
    except Exception as error:  # noqa: BLE001 - tracing runs the model's own code
        reason = f"{type(error).__name__}: {error}"
        logger.warning("%s runs in PyTorch, because it cannot be exported: %s", files.model, reason)
    summary = {"model": files.model, "is_exported": not reason, "reason": reason}
    (folder / _SUMMARY).write_text(json.dumps(summary), encoding="utf-8")


def _write_graph(module: Any, folder: Path) -> None:
    import openvino
    import torch

    onnx_path = folder / "model.onnx"
    ids = torch.ones((2, 8), dtype=torch.int64)
    batch = {0: "rows", 1: "width"}
    names = ["input_ids", "attention_mask"]
    axes = {**dict.fromkeys(names, batch), "tokens": batch, "sentence": {0: "rows"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the warnings of the tracer are for its developers
        torch.onnx.export(
            module,
            (ids, ids.clone()),
            str(onnx_path),
            input_names=names,
            output_names=["sentence", "tokens"],
            dynamic_axes=axes,
            opset_version=18,
            dynamo=False,
        )
    # OpenVINO's own format loads ten times faster than ONNX. The weights stay in float32.
    graph = openvino.Core().read_model(onnx_path)
    openvino.save_model(graph, folder / _GRAPH, compress_to_fp16=False)
    onnx_path.unlink()
