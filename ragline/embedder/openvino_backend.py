"""Encoding on a CPU with OpenVINO, in bfloat16 where the processor has it, else float32.

Needs an `ExportedModel`; torch is never loaded here.
"""

from __future__ import annotations

import queue
import threading
from pathlib import Path
from typing import Any, Literal

import numpy as np
import openvino

from ragline.embedder.backend import Floats, Ids
from ragline.errors import ModelUnavailableError

Precision = Literal["bf16", "f32"]
_Output = Literal["sentence", "tokens"]

# Source: benchmarks/embedding_rate.py. 512 to 2048 are within noise of each other; above that
# the activations fall out of a core's cache.
_BATCH_TOKENS = 1024
# The first inference of a process is one thread's alone: OpenVINO's Python layer then makes
# static objects, and two threads that meet there wait for each other for ever, one for the
# object and one for the interpreter's lock. Source: OpenVINO 2026.4, four starts side by side
# on two cores, threads switched each microsecond: 14 of 48 hung, none of 48 with this.
_first_inference = threading.Lock()


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 natively (AVX512-BF16 or AMX)."""
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVINOBackend:
    """A graph compiled for this processor, each form of it when it is first needed.

    Compiled for least time a batch uses all cores; compiled for rate a batch uses one stream,
    and several run side by side (4 to 8 % more texts a second). Both give the same bits.
    """

    def __init__(self, graph: Path, precision: Precision) -> None:
        """Reads the graph; compiling it waits for the first batch.

        Raises:
            ModelUnavailableError: the file is damaged.
        """
        self._core = openvino.Core()
        try:
            self._graph = self._core.read_model(graph)
        except RuntimeError as error:
            raise ModelUnavailableError(
                f"{graph} cannot be read ({error}); delete its folder, it is made anew"
            ) from error
        self._precision = precision
        self._lock = threading.Lock()
        self._compiled: dict[tuple[_Output, str], _RequestPool] = {}

    @property
    def encoder(self) -> str:
        return f"openvino-{self._precision}"

    @property
    def dimension(self) -> int:
        return int(self._graph.output("sentence").get_partial_shape()[1].get_length())

    @property
    def parallel_batches(self) -> int:
        return self._pool("sentence", "THROUGHPUT").size

    @property
    def batch_tokens(self) -> int:
        return _BATCH_TOKENS

    def embed_batch(self, ids: Ids, mask: Ids, *, is_alone: bool = False) -> Floats:
        hint = "LATENCY" if is_alone else "THROUGHPUT"
        return self._pool("sentence", hint).run(ids, mask)

    def embed_batch_tokens(self, ids: Ids, mask: Ids) -> Floats:
        return self._pool("tokens", "THROUGHPUT").run(ids, mask)

    def _pool(self, output: _Output, hint: str) -> _RequestPool:
        with self._lock:
            if (output, hint) not in self._compiled:
                self._compiled[output, hint] = self._compile(output, hint)
            return self._compiled[output, hint]

    def _compile(self, output: _Output, hint: str) -> _RequestPool:
        # One output a model: the other is not computed, nor copied.
        single = openvino.Model([self._graph.output(output)], self._graph.get_parameters(), output)
        settings = {"INFERENCE_PRECISION_HINT": self._precision, "PERFORMANCE_HINT": hint}
        return _RequestPool(self._core.compile_model(single, "CPU", settings))


class _RequestPool:
    """The inference requests of a compiled graph, lent to one thread at a time.

    Plain requests on the caller's threads, not `AsyncInferQueue`: its callback threads take the
    interpreter's lock and abort the process when it exits during one.
    """

    def __init__(self, compiled: Any) -> None:
        self.size: int = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.size):
            self._requests.put(compiled.create_infer_request())
        with _first_inference:
            self.run(np.zeros((1, 1), np.int64), np.ones((1, 1), np.int64))

    def run(self, ids: Ids, mask: Ids) -> Floats:
        request = self._requests.get()
        try:
            request.infer({"input_ids": ids, "attention_mask": mask}, share_inputs=True)
            return np.array(request.get_output_tensor(0).data, dtype=np.float32)
        finally:
            self._requests.put(request)
