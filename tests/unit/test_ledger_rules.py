"""The rules of failure states and retries, without a database."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ragline.errors import (
    BrokenDocumentError,
    DocumentTooLargeError,
    DocumentUnreadableError,
    EmptyDocumentError,
    EncryptedDocumentError,
    ParserUnavailableError,
    UnsupportedFormatError,
)
from ragline.lifecycle.ledger import (
    MAX_ATTEMPTS,
    MAX_RETRY_DELAY,
    choose_failure_state,
    retry_delay,
)


def test_failure_that_may_pass_is_retried():
    assert choose_failure_state(DocumentUnreadableError("x"), 1) == "failed"
    assert choose_failure_state(DocumentUnreadableError("x"), MAX_ATTEMPTS - 1) == "failed"


def test_last_attempt_quarantines():
    assert choose_failure_state(DocumentUnreadableError("x"), MAX_ATTEMPTS) == "quarantined"


def test_fault_of_the_parser_never_quarantines_a_document():
    assert choose_failure_state(ParserUnavailableError("x"), MAX_ATTEMPTS + 3) == "failed"
    assert retry_delay(1_000_000) == MAX_RETRY_DELAY


@pytest.mark.parametrize(
    "error",
    [
        DocumentTooLargeError("x"),
        EmptyDocumentError("x"),
        EncryptedDocumentError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_refused_content_is_quarantined_at_once(error):
    assert choose_failure_state(error, 1) == "quarantined"


def test_damaged_content_is_tried_again_before_it_is_quarantined():
    """A file may have been read while it was being written."""
    assert choose_failure_state(BrokenDocumentError("x"), 1) == "failed"
    assert choose_failure_state(BrokenDocumentError("x"), MAX_ATTEMPTS) == "quarantined"


def test_unsupported_format_keeps_its_state_after_any_number_of_attempts():
    assert choose_failure_state(UnsupportedFormatError("x"), MAX_ATTEMPTS + 3) == "unsupported"


def test_retry_delays_grow_and_reach_the_limit_before_the_last_attempt():
    delays = [retry_delay(attempt) for attempt in range(1, 12)]
    assert delays[:3] == [timedelta(minutes=1), timedelta(minutes=8), timedelta(minutes=64)]
    assert delays[MAX_ATTEMPTS - 2] == max(delays) == MAX_RETRY_DELAY
    assert delays == sorted(delays)
