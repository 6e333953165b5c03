"""Token codes: the vectors of a text's tokens, stored with one bit for each rotated dimension.

A code has 16 bytes for a token, where the vector of the default model has 1,536. A query keeps its
token vectors as floats: the score compares floats with bits. `ragline.lifecycle` stores the codes,
and `ragline.search` scores candidates with them. The decision record 30 has the reasons and the
measurements.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from ragline.embedder.backend import Floats
from ragline.embedder.tokenizer import ModelTokenizer

# The number of bits of a token's code. A model with fewer dimensions has fewer bits.
# Source: benchmarks/README.md, "Token codes".
MAX_BITS = 128
BYTE_BITS = 8
# The number of rounds in which the rotation is improved. More rounds change the measured nDCG@10 by
# less than 0.0005.
_ROUNDS = 30
# OpenBLAS uses one thread for at most this number of products (SMP_THRESHOLD_MIN and
# GEMM_MULTITHREAD_THRESHOLD in its `common.h`).
_BLOCK_PRODUCTS = 65_536 * 4
# With 96 texts there are about 13,000 token vectors, a hundred for each bit. More texts change the
# measured nDCG@10 by less than 0.001. The fit takes about three seconds on two cores.
SAMPLE_TEXTS = 96
WORDS_PER_TEXT = 100
MIN_WORD_CHARS = 2
# The eight bits of each byte as -1 and 1, the highest bit first, as `numpy.packbits` writes them.
_SIGNS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32) * 2 - 1


@dataclass(frozen=True, slots=True, eq=False)
class TokenRotation:
    """The rotation of an embedding space. It is fitted once and then stored with the space.

    `matrix` is (dimension, bits) float32 with orthonormal columns. `mean` is the mean token vector:
    (dimension,) float32. `scales` is (bits,) float32: the mean distance of a token from the mean
    in each rotated dimension, times a factor. The cosine of a token with a query token is about
    that of mean + matrix @ (scales * signs), where `signs` are the bits of its code as -1 and 1.
    """

    matrix: Floats
    mean: Floats
    scales: Floats

    @property
    def code_bytes(self) -> int:
        """The number of bytes of one token's code."""
        return len(self.scales) // BYTE_BITS

    def encode(self, tokens: Floats) -> bytes:
        """Return the codes of a text's tokens: `code_bytes` bytes for each row of `tokens`.

        `tokens` is (tokens, dimension) float32, with rows of unit length. A bit is 1 if the token
        is above the mean in the rotated dimension.
        """
        bits = multiply_in_blocks(tokens, self.matrix) > self.mean @ self.matrix
        return np.packbits(bits, axis=1).tobytes()

    def write(self) -> bytes:
        """Return the rotation in the format of a `.npz` file."""
        file = BytesIO()
        np.savez(file, matrix=self.matrix, mean=self.mean, scales=self.scales)
        return file.getvalue()

    @classmethod
    def read(cls, content: bytes) -> TokenRotation:
        """Read what `write` has returned."""
        with np.load(BytesIO(content), allow_pickle=False) as stored:
            return cls(stored["matrix"], stored["mean"], stored["scales"])


def make_sample_texts(tokenizer: ModelTokenizer) -> list[str]:
    """Return texts of random words of a model's vocabulary, to which its rotation is fitted.

    They depend only on the tokenizer, so the first indexed documents have no influence on the codes
    of all later documents.
    """
    words = [one for one in tokenizer.list_words() if len(one) >= MIN_WORD_CHARS] or ["a"]
    generator = random.Random(0)  # noqa: S311 - no secret
    return [" ".join(generator.choices(words, k=WORDS_PER_TEXT)) for _ in range(SAMPLE_TEXTS)]


def fit_rotation(tokens: Floats, bits: int = MAX_BITS) -> TokenRotation | None:
    """Fit the rotation of an embedding space to token vectors: (tokens, dimension) float32.

    The vectors are projected on the directions in which they differ most. Then these directions are
    rotated, so that each bit loses as little as possible. Returns None if the vectors have less
    than eight dimensions. Equal input gives an equal rotation on one machine. Source: Gong et al.,
    "Iterative Quantization", 2013.
    """
    bits = min(bits, tokens.shape[1]) // BYTE_BITS * BYTE_BITS
    if bits == 0:
        return None
    mean = tokens.mean(axis=0)
    centred = tokens - mean
    _, directions = np.linalg.eigh(centred.T @ centred)
    directions = directions[:, ::-1][:, :bits]
    rotation = _rotate(centred @ directions)
    matrix = np.ascontiguousarray(directions @ rotation, dtype=np.float32)
    scales = np.abs(centred @ matrix).mean(axis=0)
    # The factor makes the estimated cosine of two equal tokens 1 in the mean, as it is of floats.
    scales *= (centred**2).sum(axis=1).mean() / (scales**2).sum()
    return TokenRotation(matrix, mean.astype(np.float32), scales.astype(np.float32))


def _rotate(projected: Floats) -> Floats:
    """Return the rotation with which the signs of the rows differ least from the rows."""
    bits = projected.shape[1]
    start = np.random.default_rng(0).standard_normal((bits, bits))
    rotation = np.linalg.qr(start)[0].astype(np.float32)
    for _ in range(_ROUNDS):
        signs = np.where(projected @ rotation > 0, np.float32(1), np.float32(-1))
        left, _, right = np.linalg.svd(signs.T @ projected)
        rotation = (left @ right).T
    return rotation


def score_codes(
    rotation: TokenRotation, query_tokens: Floats, codes: Sequence[bytes]
) -> list[float]:
    """Return the late interaction score of each text from its token codes, in input order.

    For each token of the query, the largest estimated cosine with a token of the text is selected.
    The score is the mean of these cosines. `query_tokens` is (tokens, dimension) float32, with rows
    of unit length. A text without tokens has the score 0.
    """
    counts = np.array([len(one) // rotation.code_bytes for one in codes], dtype=np.int64)
    scores = np.zeros(len(codes), dtype=np.float32)
    is_filled = counts > 0
    if len(query_tokens) == 0 or not is_filled.any():
        return [float(score) for score in scores]
    starts = np.cumsum([0, *counts[is_filled]])[:-1]
    weights = (multiply_in_blocks(query_tokens, rotation.matrix) * rotation.scales).T
    cosines = _multiply(b"".join(codes), rotation.code_bytes, np.ascontiguousarray(weights))
    best = np.maximum.reduceat(cosines, starts, axis=0).mean(axis=1)
    scores[is_filled] = best + float((query_tokens @ rotation.mean).mean())
    return [float(score) for score in scores]


def _multiply(codes: bytes, code_bytes: int, weights: Floats) -> Floats:
    """Return the products of codes and weights: (tokens, query tokens) float32.

    `weights` is (bits, query tokens). The signs of a block stay in the cache of a core. The blocks
    are as small as in `multiply_in_blocks`, for the same reason.
    """
    bits, width = weights.shape
    step = max(_BLOCK_PRODUCTS // (bits * width), 1)
    count = len(codes) // code_bytes
    products = np.empty((count, width), dtype=np.float32)
    for first in range(0, count, step):
        signs = read_signs(codes[first * code_bytes : (first + step) * code_bytes], code_bytes)
        np.matmul(signs, weights, out=products[first : first + step])
    return products


def multiply_in_blocks(rows: Floats, matrix: Floats) -> Floats:
    """Return `rows @ matrix`, in blocks for which OpenBLAS does not start threads.

    The threads of such small products wait for each other. Beside the threads of OpenVINO, the
    product of a text's tokens then took 7 ms of processor time, and 0.2 ms in blocks.
    """
    step = max(_BLOCK_PRODUCTS // matrix.size, 1)
    products = np.empty((len(rows), matrix.shape[1]), dtype=np.float32)
    for first in range(0, len(rows), step):
        np.matmul(rows[first : first + step], matrix, out=products[first : first + step])
    return products


def read_signs(codes: bytes, code_bytes: int) -> NDArray[np.float32]:
    """Return the bits of codes as -1 and 1: (tokens, bits) float32."""
    values = np.frombuffer(codes, dtype=np.uint8)
    signs: NDArray[np.float32] = _SIGNS.take(values, axis=0)
    return signs.reshape(-1, code_bytes * BYTE_BITS)
