"""Selects the fastest backend whose vectors agree with those of the model."""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import logging
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from ragline.embedder.atomic_files import write_atomically
from ragline.embedder.backend import Backend, Floats
from ragline.embedder.encoding import encode_row
from ragline.embedder.exported_model import PROBES, ExportedModel, export_model
from ragline.embedder.model_files import ModelFiles
from ragline.embedder.tokenizer import ModelTokenizer
from ragline.errors import ModelUnavailableError

if TYPE_CHECKING:
    from ragline.embedder.openvino_backend import Precision

logger = logging.getLogger(__name__)

BackendName = Literal["auto", "openvino-bf16", "openvino-f32", "pytorch"]

# The lowest allowed cosine between the vectors of a backend and those of the model. Vectors of one
# `EmbeddingSpace` are comparable, even if different backends computed them.
MIN_COSINE = 0.9999


def select_backend(name: str, files: ModelFiles, tokenizer: ModelTokenizer, cache: Path) -> Backend:
    """Return the named backend. For `auto`, return the fastest backend of this machine.

    With a GPU, the fastest backend is PyTorch. Without a GPU, it is OpenVINO: in bfloat16 if the
    processor supports it, otherwise in float32. If the model cannot be exported, or if the vectors
    of OpenVINO differ too much from those of the model, it is PyTorch on the CPU.

    Raises:
        ModelUnavailableError: the named backend cannot run here, or the cosine between its vectors
            and those of the model is less than MIN_COSINE.
        ValueError: there is no backend of that name.
    """
    if name not in get_args(BackendName):
        raise ValueError(f"unknown backend {name!r}; known: {', '.join(get_args(BackendName))}")
    if name == "pytorch" or (name == "auto" and _has_gpu()):
        return _select_pytorch(files, tokenizer)
    exported = export_model(files, cache)
    if name != "auto":
        return _select_openvino(name, files, tokenizer, exported)
    return _fastest_openvino(tokenizer, exported) or _select_pytorch(files, tokenizer)


def min_cosine(backend: Backend, tokenizer: ModelTokenizer, reference: Floats) -> float:
    """Return the lowest cosine between a backend's vectors of PROBES and the reference vectors.

    `reference` is (n, dimension). The result is -1 if a vector is not finite.
    """
    rows = tokenizer.encode_queries(PROBES)
    vectors = np.stack([encode_row(backend, row, tokenizer.pad_id) for row in rows])
    cosine = float((vectors * reference).sum(axis=1).min())
    return cosine if np.isfinite(cosine) else -1.0


def _fastest_openvino(tokenizer: ModelTokenizer, exported: ExportedModel) -> Backend | None:
    from ragline.embedder.openvino_backend import OpenVINOBackend, has_bfloat16

    if exported.graph is None:
        return None
    precisions: tuple[Precision, ...] = ("bf16", "f32") if has_bfloat16() else ("f32",)
    for precision in precisions:
        backend = OpenVINOBackend(exported.graph, precision)
        cosine = _cached_cosine(backend, tokenizer, exported)
        if cosine >= MIN_COSINE:
            return backend
        logger.warning("%s is not used: cosine %.5f to the model", backend.encoder, cosine)
    return None


def _select_openvino(
    name: str, files: ModelFiles, tokenizer: ModelTokenizer, exported: ExportedModel
) -> Backend:
    from ragline.embedder.openvino_backend import OpenVINOBackend, has_bfloat16

    precision: Precision = "bf16" if name == "openvino-bf16" else "f32"
    if exported.graph is None:
        raise ModelUnavailableError(f"{files.model} cannot be exported; use backend pytorch")
    if precision == "bf16" and not has_bfloat16():
        raise ModelUnavailableError("this processor has no bfloat16; use backend openvino-f32")
    backend = OpenVINOBackend(exported.graph, precision)
    cosine = _cached_cosine(backend, tokenizer, exported)
    if cosine < MIN_COSINE:
        raise ModelUnavailableError(
            f"the vectors of {name} differ from those of {files.model} (cosine {cosine:.5f}, at "
            f"least {MIN_COSINE} is required); use backend auto"
        )
    return backend


def _cached_cosine(backend: Backend, tokenizer: ModelTokenizer, exported: ExportedModel) -> float:
    """Return `min_cosine`, which is measured once for each processor and version of OpenVINO."""
    import openvino

    key = f"{openvino.get_version()} {_describe_processor()}"
    path = exported.folder / f"{backend.encoder}.json"
    cosines = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if key not in cosines:
        cosines[key] = min_cosine(backend, tokenizer, exported.reference)
        try:
            write_atomically(path, json.dumps(cosines, indent=1).encode())
        except OSError as error:
            # If the cache is read-only, the cosine is measured at each load.
            logger.debug("could not write the cosine to %s: %s", path, error)
    return float(cosines[key])


def _select_pytorch(files: ModelFiles, tokenizer: ModelTokenizer) -> Backend:
    from ragline.embedder.pytorch_backend import PyTorchBackend, has_gpu

    device = "cuda" if has_gpu() else "cpu"
    exact = PyTorchBackend(files, device)
    reference = exact.embed_probes(PROBES)
    if min_cosine(exact, tokenizer, reference) < MIN_COSINE:
        raise ModelUnavailableError(
            f"embedding model {files.model}: sentence-transformers and tokenizer.json read texts "
            "differently, or the vectors leave out its prompt; name another model"
        )
    if device == "cpu":
        return exact
    half = PyTorchBackend(files, device, "f16")
    return half if min_cosine(half, tokenizer, reference) >= MIN_COSINE else exact


def _has_gpu() -> bool:
    """Whether there is a CUDA device that PyTorch can use.

    The driver is checked first, because most machines have no driver, and torch takes seconds to
    import.
    """
    try:
        driver = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return False
    if count.value == 0:
        return False
    from ragline.embedder.pytorch_backend import has_gpu

    return has_gpu()


def _describe_processor() -> str:
    from openvino import Core

    return f"{platform.machine()} {Core().get_property('CPU', 'FULL_DEVICE_NAME')}"
