"""Durations in words, with all of their units."""

from __future__ import annotations

import pytest

from ragline.durations import format_duration


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "under a second"), (1, "1 second"), (600, "10 minutes"),
        (5_400, "1 hour 30 minutes"), (129_600, "1 day 12 hours"), (172_800, "2 days"),
    ],
)  # fmt: skip
def test_limit_is_shown_as_it_is_configured(seconds: float, said: str) -> None:
    assert format_duration(seconds) == said
