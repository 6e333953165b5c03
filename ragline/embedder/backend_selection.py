"""Which encoder a machine gets: the fastest that keeps the model's own vectors."""

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

# The promise of `EmbeddingSpace`: vectors of different encoders may be mixed.
MIN_COSINE = 0.9999


def select_backend(name: str, files: ModelFiles, tokenizer: ModelTokenizer, cache: Path) -> Backend:
    """The named encoder, or for `auto` the fastest of this machine.

    GPU: PyTorch. Else OpenVINO in bfloat16 where the processor has it, else in float32. Else,
    for a model that cannot be exported, PyTorch on the CPU.

    Raises:
        ModelUnavailableError: a named encoder cannot run here, or strays from the model's own
            vectors by more than the space allows.
        ValueError: there is no encoder of that name.
    """
    if name not in get_args(BackendName):
        raise ValueError(f"no backend {name!r}; there are {', '.join(get_args(BackendName))}")
    if name == "pytorch" or (name == "auto" and _has_gpu()):
        return _select_pytorch(files, tokenizer)
    exported = export_model(files, cache)
    if name != "auto":
        return _named_openvino(name, files, tokenizer, exported)
    return _fastest_openvino(tokenizer, exported) or _select_pytorch(files, tokenizer)


def min_cosine(backend: Backend, tokenizer: ModelTokenizer, reference: Floats) -> float:
    """The least cosine between what the encoder and the reference make of the probes."""
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
        cosine = _remembered_cosine(backend, tokenizer, exported)
        if cosine >= MIN_COSINE:
            return backend
        logger.warning("%s is not used: cosine %.5f to the model", backend.encoder, cosine)
    return None


def _named_openvino(
    name: str, files: ModelFiles, tokenizer: ModelTokenizer, exported: ExportedModel
) -> Backend:
    from ragline.embedder.openvino_backend import OpenVINOBackend, has_bfloat16

    precision: Precision = "bf16" if name == "openvino-bf16" else "f32"
    if exported.graph is None:
        raise ModelUnavailableError(f"{files.model} cannot be exported; use backend pytorch")
    if precision == "bf16" and not has_bfloat16():
        raise ModelUnavailableError("this processor has no bfloat16; use backend openvino-f32")
    backend = OpenVINOBackend(exported.graph, precision)
    cosine = _remembered_cosine(backend, tokenizer, exported)
    if cosine < MIN_COSINE:
        raise ModelUnavailableError(
            f"{name} strays from {files.model}'s own vectors (cosine {cosine:.5f}, "
            f"{MIN_COSINE} is asked); use backend auto"
        )
    return backend


def _remembered_cosine(
    backend: Backend, tokenizer: ModelTokenizer, exported: ExportedModel
) -> float:
    """`min_cosine`, measured once for each processor and version of OpenVINO."""
    import openvino

    place = f"{openvino.get_version()} {_processor()}"
    path = exported.folder / f"{backend.encoder}.json"
    remembered = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if place not in remembered:
        remembered[place] = min_cosine(backend, tokenizer, exported.reference)
        try:
            write_atomically(path, json.dumps(remembered, indent=1).encode())
        except OSError as error:
            # A cache made read-only on purpose serves as well; it only costs the measurement.
            logger.debug("could not note the encoder's accuracy in %s: %s", path, error)
    return float(remembered[place])


def _select_pytorch(files: ModelFiles, tokenizer: ModelTokenizer) -> Backend:
    from ragline.embedder.pytorch_backend import PyTorchBackend, has_gpu

    device = "cuda" if has_gpu() else "cpu"
    exact = PyTorchBackend(files, device)
    reference = exact.embed_probes(PROBES)
    if min_cosine(exact, tokenizer, reference) < MIN_COSINE:
        raise ModelUnavailableError(
            f"embedding model {files.model} is read differently by sentence-transformers and by "
            "its tokenizer.json, or leaves its prompt out of its vectors; name another model"
        )
    if device == "cpu":
        return exact
    half = PyTorchBackend(files, device, "f16")
    return half if min_cosine(half, tokenizer, reference) >= MIN_COSINE else exact


def _has_gpu() -> bool:
    """Whether a CUDA driver with a device is here and PyTorch can use it.

    The driver is asked first: most machines have none, and importing torch costs seconds.
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


def _processor() -> str:
    from openvino import Core

    return f"{platform.machine()} {Core().get_property('CPU', 'FULL_DEVICE_NAME')}"
