"""The backend for CPUs. It runs OpenVINO in bfloat16 or in float32.

It needs an `ExportedModel` and does not import torch. `backend_selection` selects the precision.
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

# The number of tokens of a batch. Source: benchmarks/embedding_rate.py. From 512 to 2048, the rates
# are equal within noise. Above 2048, the activations do not fit into the cache of a core.
_BATCH_TOKENS = 1024
# The lock for the first inference of a process. During the first inference, OpenVINO's Python layer
# creates static objects. Two threads could deadlock there: one waits for the object, the other for
# the interpreter's lock. Source: OpenVINO 2026.4, four concurrent starts on two cores, with a
# switch of threads each microsecond. Without this lock 14 of 48 starts hung, with it none of 48.
_first_inference = threading.Lock()


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware (AVX512-BF16 or AMX)."""
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVINOBackend:
    """A graph that is compiled for this processor. Each variant is compiled at its first use.

    In the variant for latency, a batch uses all cores. In the variant for throughput, a batch uses
    one stream, and several batches run concurrently. The variant for throughput embeds 4 to 8 %
    more texts per second. Both variants give equal vectors, bit for bit.
    """

    def __init__(self, graph: Path, precision: Precision) -> None:
        """Read the graph. The first batch compiles it.

        Raises:
            ModelUnavailableError: the file of the graph is damaged.
        """
        self._core = openvino.Core()
        try:
            self._graph = self._core.read_model(graph)
        except RuntimeError as error:
            raise ModelUnavailableError(
                f"{graph} cannot be read ({error}); delete its folder, then it is made again"
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
        # Each model has one output, so that the other output is neither computed nor copied.
        single = openvino.Model([self._graph.output(output)], self._graph.get_parameters(), output)
        settings = {"INFERENCE_PRECISION_HINT": self._precision, "PERFORMANCE_HINT": hint}
        return _RequestPool(self._core.compile_model(single, "CPU", settings))


class _RequestPool:
    """The inference requests of a compiled graph. A thread borrows one for each batch.

    Requests run in the threads of the callers. OpenVINO's `AsyncInferQueue` is not used, because
    its callback threads take the interpreter's lock. Such a thread aborts a process that exits
    during a callback.
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
