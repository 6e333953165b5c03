"""The disk under RAGLINE_HOME while `ragline dev` runs: told when it is full, and when no more."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ragline.storage.disk_errors import MIN_FREE_BYTES, find_mount, has_room, is_full

LOOKS_S = 1.0
# What a full disk did to a program may show this long after there is room again.
AFTERMATH_S = 60.0


class DiskWatch:
    """Whether the disk of a folder is full. `show` gets one line when that changes."""

    def __init__(self, folder: Path, show: Callable[[str], None]) -> None:
        self._folder = folder
        self._show = show
        self._is_full = False
        self._next_look = 0.0
        self._full_at: float | None = None

    def look(self) -> bool:
        """Whether the disk is full, as found at most LOOKS_S ago."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOKS_S
            if self._is_full:
                # More than was missing: it shall not be full again at once.
                self._note(is_full(self._folder, 2 * MIN_FREE_BYTES))
            else:
                self._note(not has_room(self._folder))
        if self._is_full:
            self._full_at = now
        return self._is_full

    def look_closely(self) -> bool:
        """Whether the disk is full now, as found by a write; for after something failed."""
        if not self._is_full:
            self._note(is_full(self._folder))
        return self.look()

    def explains_end(self) -> bool:
        """Whether a program that ends now may have ended for want of room."""
        return self.look_closely() or (
            self._full_at is not None and time.monotonic() - self._full_at < AFTERMATH_S
        )

    def _note(self, is_now: bool) -> None:
        if is_now and not self._is_full:
            self._show(
                f"the disk of {self._folder} (mounted at {find_mount(self._folder)}) is full; "
                "free space there. Until then logs are not written, and what ends is tried again "
                "(docs/runbooks/disk-full.md)"
            )
        elif self._is_full and not is_now:
            self._show(f"there is room again on the disk of {self._folder}")
        self._is_full = is_now
