"""The ordinary syncs that follow partial syncs: when they run, and the process that runs them.

A partial sync makes a change searchable while a caller waits. The ordinary sync after it lists the
whole source, brings the change into the other generations, makes the sync proof, and shows all of
this in Dagster. Many changes have one ordinary sync.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from threading import Condition, Thread
from time import monotonic
from uuid import uuid4

from dagster_project.sync_orders import SyncAnswer, SyncOrder
from ragline.errors import RaglineError
from ragline.lifecycle.session_locks import LockKind, SessionLock
from ragline.storage.database import Database
from ragline.storage.database_errors import DriverError

# An ordinary sync begins when no change of its source arrived for QUIET_S, and at the latest
# MAX_DELAY_S after the first change. Until then, changes do not wait for it.
QUIET_S = 2.0
MAX_DELAY_S = 30.0
# The process of the syncs ends after this time without a sync, because it needs several hundred
# megabytes.
MAX_IDLE_S = 300.0
STOP_TIMEOUT_S = 10.0


class SyncProcess:
    """The process `sync_process`. It is started with the first order. One thread uses it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._process: subprocess.Popen[str] | None = None
        self._used_at = 0.0

    def sync(self, order: SyncOrder) -> SyncAnswer:
        """Carry out an order, and wait for its answer."""
        started = monotonic()
        process = self._process
        if process is None or process.poll() is not None:
            process = self._process = self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(asdict(order)) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        self._used_at = monotonic()
        if not line:
            self._process = None
            status = _end(process)
            error = f"the process of the syncs ended with status {status}; its log has the reason"
            return SyncAnswer(order.source, error, self._used_at - started)
        return SyncAnswer(**json.loads(line))

    def stop_if_idle(self) -> None:
        """End the process if it had no order for MAX_IDLE_S."""
        if self._process is not None and monotonic() - self._used_at > MAX_IDLE_S:
            self.stop()

    def stop(self) -> None:
        """End the process. The next order starts another one."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "dagster_project.sync_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
            text=True,
            encoding="utf-8",
        )


def _end(process: subprocess.Popen[str]) -> int:
    """Let a process end after its current order, and return its status."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(OSError):
        process.stdin.close()
    try:
        status = process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        status = process.wait()
    process.stdout.close()
    return status


@dataclass
class _DueSync:
    """An ordinary sync that will run. Its run has the id `run_id`."""

    run_id: str
    reason: str
    first_at: float
    due_at: float
    lock: SessionLock


@dataclass
class FollowUpSyncs:
    """The ordinary syncs that are due, and the thread that runs them, one after the other.

    While a sync of a source is due or runs, this process holds the lock FOLLOW_UP of the source. So
    the sensor of the source does not start another run. The lock ends with the process.

    Attributes:
        database: The database of the locks.
        process: The process that runs the syncs.
        show: Called with a line for each sync that fails.
    """

    database: Database
    process: SyncProcess
    show: Callable[[str], None]
    _due: dict[str, _DueSync] = field(default_factory=dict)
    _run_ids: dict[str, str] = field(default_factory=dict)
    _changed: Condition = field(default_factory=Condition)
    _is_stopping: bool = False
    _should_restart: bool = False
    _thread: Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = Thread(target=self._run, name="ragline-follow-up", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and the process. Syncs that are still due are left to the sensors."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        self.process.stop()
        if self._thread is not None:
            self._thread.join(STOP_TIMEOUT_S)

    def restart_process(self) -> None:
        """Let the next sync use the present configuration file."""
        self._should_restart = True

    def run_id_of(self, source: str) -> str:
        """Return the id that the next ordinary sync of a source will have.

        The receipts of a partial sync contain this id, so they name the run that proves it.
        """
        with self._changed:
            return self._run_ids.setdefault(source, str(uuid4()))

    def request(self, source: str, reason: str, *, is_urgent: bool) -> None:
        """Make an ordinary sync of a source due: at once, or when the source is quiet."""
        now = monotonic()
        run_id = self.run_id_of(source)
        with self._changed:
            due = self._due.get(source)
            if due is None:
                lock = SessionLock(self.database, LockKind.FOLLOW_UP, source)
                with suppress(RaglineError, DriverError):
                    lock.acquire(f"ragline listener, run {run_id}", 0.0)
                due = self._due[source] = _DueSync(run_id, reason, now, now, lock)
            due.reason = reason
            due.due_at = now if is_urgent else min(now + QUIET_S, due.first_at + MAX_DELAY_S)
            self._changed.notify_all()

    def _run(self) -> None:
        while (name := self._wait_for_due()) is not None:
            with self._changed:
                due = self._due.pop(name)
                self._run_ids.pop(name, None)
            if self._should_restart:
                self._should_restart = False
                self.process.stop()
            answer = self.process.sync(SyncOrder(name, due.run_id, due.reason))
            due.lock.release()
            if answer.error is not None and not self._is_stopping:
                self.show(f"{name}: the sync after a change failed: {answer.error}")

    def _wait_for_due(self) -> str | None:
        """Wait until a sync is due; return the name of its source, or None at the stop."""
        with self._changed:
            while not self._is_stopping:
                now = monotonic()
                name = min(self._due, key=lambda one: self._due[one].due_at, default=None)
                if name is not None and self._due[name].due_at <= now:
                    return name
                self._changed.wait(MAX_IDLE_S if name is None else self._due[name].due_at - now)
                if name is None:
                    self.process.stop_if_idle()
        return None
