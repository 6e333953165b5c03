"""The changes of one source that a listener makes searchable, and the thread that does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Condition, Thread
from time import monotonic
from typing import TYPE_CHECKING

from assets.changed_rows import judge_changed_rows
from dagster_project.follow_up_syncs import FollowUpSyncs
from ragline.configuration import Configuration
from ragline.counts import count
from ragline.errors import (
    DatabaseUnavailableError,
    SourceUnavailableError,
    SyncInProgressError,
)
from ragline.lifecycle.partial_sync import PartialSync, sync_named_documents
from ragline.lifecycle.run_context import RunContext
from ragline.model_cache import ModelCache
from ragline.parsing.parser_pool import ParserPool
from ragline.sources.change_signals import ChangeSignals
from ragline.storage.database import Database
from ragline.storage.database_errors import DriverError

if TYPE_CHECKING:
    from ragline.errors import ConfigurationError

# After an error that can pass, the change is tried again after this time, and after twice the time
# at each further error, up to MAX_RETRY_S.
FIRST_RETRY_S = 0.5
MAX_RETRY_S = 30.0
# After this many errors, which take a minute, the source is left to an ordinary sync.
MAX_RETRIES = 7
# The errors that can pass without a change of the documents or of the settings.
PASSING_ERRORS = (
    DatabaseUnavailableError,
    SourceUnavailableError,
    SyncInProgressError,
    DriverError,
)


@dataclass
class ListenerResources:
    """What the threads of a listener share.

    `configuration_fault` says why the configuration file was not used. In this case `configuration`
    is the last valid one.
    """

    configuration: Configuration
    configuration_fault: ConfigurationError | None
    database: Database
    models: ModelCache
    parsers: ParserPool

    def open_run_context(self, run_id: str) -> RunContext:
        """Return a run context that uses the shared models and parser processes."""
        return RunContext(
            self.configuration,
            self.database,
            run_id,
            configuration_fault=self.configuration_fault,
            shared_parsers=self.parsers,
            shared_models=self.models,
        )


@dataclass
class SourceChanges:
    """The pending signals of one source, and the thread that works on them.

    Signals that arrive while the thread works are worked on together after it. The signals are in
    the database. So nothing is lost if the process is killed.
    """

    source: str
    resources: ListenerResources
    follow_ups: FollowUpSyncs
    show: Callable[[str], None]
    _signals: ChangeSignals | None = None
    _done_version: int = 0
    _retries: int = 0
    _changed: Condition = field(default_factory=Condition)
    _is_stopping: bool = False
    _thread: Thread | None = None

    def offer(self, signals: ChangeSignals) -> None:
        """Work on these signals, unless this was done before. Returns at once."""
        with self._changed:
            if signals.version <= self._done_version:
                return
            self._signals = signals
            if self._thread is None:
                name = f"ragline-changes-{self.source}"
                self._thread = Thread(target=self._run, name=name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def stop(self) -> None:
        """Stop after the current change. Returns at once."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()

    def _run(self) -> None:
        while (signals := self._wait()) is not None:
            try:
                self._handle(signals)
            except Exception as error:  # noqa: BLE001  the ordinary sync reports the error
                if isinstance(error, PASSING_ERRORS) and self._retries < MAX_RETRIES:
                    self._wait_before_retry(error)
                    continue
                self.show(f"{self.source}: {type(error).__name__}: {error}")
                self.follow_ups.request(self.source, f"signal: {signals.reason}", is_urgent=True)
                self._finish(signals)

    def _wait(self) -> ChangeSignals | None:
        with self._changed:
            while self._signals is None and not self._is_stopping:
                self._changed.wait()
            return None if self._is_stopping else self._signals

    def _finish(self, signals: ChangeSignals) -> None:
        with self._changed:
            self._retries = 0
            self._done_version = signals.version
            if self._signals is not None and self._signals.version <= signals.version:
                self._signals = None

    def _wait_before_retry(self, error: Exception) -> None:
        delay_s = min(FIRST_RETRY_S * 2.0**self._retries, MAX_RETRY_S)
        if self._retries == 0:
            self.show(f"{self.source}: {error}; tried again in {delay_s:.1f} s")
        self._retries += 1
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopping, delay_s)

    def _handle(self, signals: ChangeSignals) -> None:
        reason = f"signal: {signals.reason}"
        if signals.document_ids is None:
            self.follow_ups.request(self.source, reason, is_urgent=True)
            self._finish(signals)
            return
        started = monotonic()
        result = self._sync_named(signals, signals.document_ids)
        is_urgent = result.outcome != "indexed"
        self.follow_ups.request(self.source, reason, is_urgent=is_urgent)
        self._finish(signals)
        self.show(_describe(self.source, result, monotonic() - started))

    def _sync_named(self, signals: ChangeSignals, document_ids: tuple[str, ...]) -> PartialSync:
        run_id = self.follow_ups.run_id_of(self.source)
        with self.resources.open_run_context(run_id) as run_context:
            return sync_named_documents(
                run_context, self.source, document_ids, judge_changed_rows, signals.version
            )


def _describe(source: str, result: PartialSync, seconds: float) -> str:
    if result.outcome == "indexed":
        return (
            f"{source}: {count(result.ready, 'document')} searchable, {result.removed} removed "
            f"in {seconds:.2f} s"
        )
    return f"{source}: an ordinary sync is needed: {result.reason}"
