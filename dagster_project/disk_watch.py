"""Watches the disk of RAGLINE_HOME for `ragline dev`, and reports when it is full."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ragline.storage.disk_errors import MIN_FREE_BYTES, find_mount, has_room, is_full

CHECK_INTERVAL_S = 1.0
# For this long after the disk has free space again, a program can still end because of the full
# disk.
MAX_DELAYED_END_S = 60.0


class DiskWatch:
    """Checks whether the disk of a folder is full. Calls `show` when the answer changes."""

    def __init__(self, folder: Path, show: Callable[[str], None]) -> None:
        self._folder = folder
        self._show = show
        self._is_full = False
        self._next_check = 0.0
        self._full_at: float | None = None

    def check(self) -> bool:
        """Whether the disk is full. The answer is at most CHECK_INTERVAL_S old."""
        now = time.monotonic()
        if now >= self._next_check:
            self._next_check = now + CHECK_INTERVAL_S
            if self._is_full:
                # Require twice the space, so that the state does not change with every file.
                self._set(is_full(self._folder, 2 * MIN_FREE_BYTES))
            else:
                self._set(not has_room(self._folder))
        if self._is_full:
            self._full_at = now
        return self._is_full

    def check_by_writing(self) -> bool:
        """Whether the disk is full now, found by writing a file. Call this after a failure."""
        if not self._is_full:
            self._set(is_full(self._folder))
        return self.check()

    def explains_end(self) -> bool:
        """Whether a full disk can be the reason why a program ended now."""
        return self.check_by_writing() or (
            self._full_at is not None and time.monotonic() - self._full_at < MAX_DELAYED_END_S
        )

    def _set(self, is_now: bool) -> None:
        if is_now and not self._is_full:
            self._show(
                f"the disk of {self._folder} (mounted at {find_mount(self._folder)}) is full; "
                "free space there. Until then, log lines are lost, and ended programs are started "
                "again (docs/runbooks/disk-full.md)"
            )
        elif self._is_full and not is_now:
            self._show(f"the disk of {self._folder} has free space again")
        self._is_full = is_now
