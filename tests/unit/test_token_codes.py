"""Token codes: their bits, their rotation and their scores, compared with a reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragline.embedder.token_codes import TokenRotation, fit_rotation, read_signs, score_codes
from ragline.rerankers.late_interaction import late_interaction_scores


def make_tokens(seed: int, count: int, dimension: int) -> np.ndarray:
    """Unit vectors that differ more in some directions than in others, as those of a model do."""
    random = np.random.default_rng(seed)
    spread = np.linspace(2, 0.1, dimension)
    tokens = random.standard_normal((count, dimension)) * spread + 0.3
    return (tokens / np.linalg.norm(tokens, axis=1, keepdims=True)).astype(np.float32)


def encode_reference(rotation: TokenRotation, tokens: np.ndarray) -> bytes:
    """The codes, bit by bit and without numpy's packing."""
    written = bytearray()
    for token in tokens.astype(np.float64):
        shifted = token - rotation.mean.astype(np.float64)
        bits = [float(shifted @ column) > 0 for column in rotation.matrix.T.astype(np.float64)]
        for first in range(0, len(bits), 8):
            written.append(sum(bit << (7 - place) for place, bit in enumerate(bits[first:][:8])))
    return bytes(written)


def score_reference(rotation: TokenRotation, query: np.ndarray, codes: bytes) -> float:
    """The score, from the estimated vector of each token."""
    size = rotation.code_bytes
    estimated = []
    for first in range(0, len(codes), size):
        bits = [
            byte >> (7 - place) & 1 for byte in codes[first : first + size] for place in range(8)
        ]
        signs = np.array([1.0 if bit else -1.0 for bit in bits])
        estimated.append(rotation.mean + rotation.matrix @ (rotation.scales * signs))
    if not estimated or not len(query):
        return 0.0
    return float(np.mean([max(float(one @ token) for one in estimated) for token in query]))


@settings(max_examples=30)
@given(
    st.integers(0, 2**32 - 1), st.lists(st.integers(0, 9), min_size=1, max_size=5),
    st.integers(0, 6), st.sampled_from([8, 13, 40, 160]),
)  # fmt: skip
def test_codes_and_scores_equal_a_reference(
    seed: int, counts: list[int], query_count: int, dimension: int
) -> None:
    rotation = fit_rotation(make_tokens(seed, 50, dimension))
    assert rotation is not None
    texts = [make_tokens(seed + 1 + place, count, dimension) for place, count in enumerate(counts)]
    codes = [rotation.encode(tokens) for tokens in texts]
    for tokens, written in zip(texts, codes, strict=True):
        assert len(written) == len(tokens) * rotation.code_bytes
        assert _count_different_bits(written, encode_reference(rotation, tokens)) <= 1
    query = make_tokens(seed + 99, query_count, dimension)
    expected = [score_reference(rotation, query, written) for written in codes]
    assert score_codes(rotation, query, codes) == pytest.approx(expected, abs=1e-5)


def _count_different_bits(first: bytes, second: bytes) -> int:
    """A value that is almost 0 can have the other sign in another precision."""
    pairs = zip(first, second, strict=True)
    return sum((one ^ other).bit_count() for one, other in pairs)


def test_rotation_survives_its_storage() -> None:
    rotation = fit_rotation(make_tokens(1, 400, 160))
    assert rotation is not None
    stored = TokenRotation.read(rotation.write())
    tokens = make_tokens(2, 30, 160)
    assert stored.code_bytes == rotation.code_bytes == 16
    assert stored.encode(tokens) == rotation.encode(tokens)
    query = make_tokens(3, 4, 160)
    codes = [rotation.encode(tokens)]
    assert score_codes(stored, query, codes) == score_codes(rotation, query, codes)


def test_columns_of_the_rotation_are_orthonormal() -> None:
    rotation = fit_rotation(make_tokens(4, 400, 160))
    assert rotation is not None
    product = rotation.matrix.T @ rotation.matrix
    np.testing.assert_allclose(product, np.eye(128), atol=1e-4)
    assert (rotation.scales > 0).all()


def test_scores_of_codes_order_texts_like_those_of_floats() -> None:
    rotation = fit_rotation(make_tokens(5, 1000, 160))
    assert rotation is not None
    texts = [make_tokens(100 + number, 40, 160) for number in range(60)]
    query = make_tokens(6, 12, 160)
    exact = late_interaction_scores(query, texts)
    estimated = score_codes(rotation, query, [rotation.encode(tokens) for tokens in texts])
    assert np.corrcoef(exact, estimated)[0, 1] > 0.5
    assert np.mean(estimated) == pytest.approx(np.mean(exact), abs=0.2)


def test_a_model_with_less_than_eight_dimensions_has_no_rotation() -> None:
    assert fit_rotation(make_tokens(7, 50, 7)) is None


def test_signs_are_read_in_the_order_of_the_bits() -> None:
    assert read_signs(bytes([0b10000001, 0b01111111]), 2).tolist() == [
        [1, -1, -1, -1, -1, -1, -1, 1, -1, 1, 1, 1, 1, 1, 1, 1]
    ]
