"""The listener: a process that makes changes searchable as soon as it is notified of them.

It waits for the signals that `ragline.sources.change_signals` stores. `source_changes` works on the
signals of one source, and `follow_up_syncs` runs the ordinary syncs after them. If no listener
runs, the sensors find the same changes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread
from time import sleep

from dagster_project.due_syncs import hash_configuration
from dagster_project.follow_up_syncs import FollowUpSyncs, SyncProcess
from dagster_project.source_changes import ListenerResources, SourceChanges
from ragline.configuration import Configuration
from ragline.configuration.last_valid import load_last_valid
from ragline.errors import DatabaseUnavailableError, RaglineError
from ragline.lifecycle.session_locks import hold_listener_lock
from ragline.model_cache import ModelCache, list_models
from ragline.parsing.parser_pool import ParserPool
from ragline.sources.change_signals import SignalListener, read_signals
from ragline.sources.protocol import FetchedDocument
from ragline.sources.source_watches import SourceWatches
from ragline.storage.database import open_database
from ragline.storage.database_errors import DriverError

# Without a notice, the signals are read this often. Postgres loses no notices, but a signal can be
# older than the connection.
READ_INTERVAL_S = 5.0
RECONNECT_S = 1.0
# Two processes parse the documents of most pushes. Each needs about 100 MB while it waits.
MAX_PARSERS = 2


@dataclass
class ChangeListener:
    """Waits for signals and distributes them to the sources. `run` returns only with an error."""

    resources: ListenerResources
    follow_ups: FollowUpSyncs
    show: Callable[[str], None]
    _file_hash: str | None = None
    _watches: SourceWatches | None = None
    _sources: dict[str, SourceChanges] = field(default_factory=dict)

    def run(self) -> None:
        """Listen until the process is asked to stop. A lost database is waited for."""
        self._file_hash = hash_configuration(self.resources.configuration.path)
        Thread(target=self._warm_up, name="ragline-warm-up", daemon=True).start()
        self._watch_sources()
        is_away = False
        while True:
            try:
                with (
                    hold_listener_lock(self.resources.database),
                    SignalListener(self.resources.database) as listener,
                ):
                    self.show("listening for changes" if not is_away else "listening again")
                    is_away = False
                    self._listen(listener)
            except (DatabaseUnavailableError, DriverError) as error:
                if not is_away:
                    self.show(f"the database does not answer: {error}")
                is_away = True
                sleep(RECONNECT_S)

    def stop(self) -> None:
        """Stop the watches, and the threads of all sources."""
        if self._watches is not None:
            self._watches.stop()
        for source in self._sources.values():
            source.stop()

    def _listen(self, listener: SignalListener) -> None:
        while True:
            self._distribute()
            listener.wait(READ_INTERVAL_S)

    def _distribute(self) -> None:
        self._reload_if_changed()
        names = [source.name for source in self.resources.configuration.sources]
        with self.resources.database.connect() as connection:
            pending = read_signals(connection, names)
        for signals in pending:
            if signals.source not in self._sources:
                self._sources[signals.source] = SourceChanges(
                    signals.source, self.resources, self.follow_ups, self.show
                )
            self._sources[signals.source].offer(signals)

    def _reload_if_changed(self) -> None:
        """Use a changed configuration file. The process of the syncs then starts again."""
        path = self.resources.configuration.path
        file_hash = hash_configuration(path)
        if file_hash == self._file_hash:
            return
        self._file_hash = file_hash
        configuration, fault = load_last_valid(path)
        self.resources.configuration = configuration
        self.resources.configuration_fault = fault
        self.follow_ups.restart_process()
        self._watch_sources()
        self.show("the configuration file has changed" if fault is None else str(fault))

    def _watch_sources(self) -> None:
        """Watch the local sources of the present configuration."""
        if self._watches is not None:
            self._watches.stop()
        self._watches = SourceWatches(self.resources.configuration.sources, self.resources.database)
        self._watches.start()

    def _warm_up(self) -> None:
        """Load the models of all generations and start a parser process before the first change."""
        resources = self.resources
        with suppress(RaglineError, DriverError):
            for model in list_models(resources.database):
                resources.models.tokenizer(model)
                resources.models.embedder(model).embed_query("warm")
        document = FetchedDocument("warm.txt", b"warm", "warm.txt")
        for _ in resources.parsers.parse_documents([document]):
            pass


@contextmanager
def open_listener(
    configuration: Configuration, show: Callable[[str], None]
) -> Iterator[ChangeListener]:
    """Open the database and the processes of a listener.

    Raises:
        DatabaseUnavailableError: the database does not answer.
    """
    with ExitStack() as resources:
        database = resources.enter_context(open_database(configuration, is_supervised=True))
        parsers = resources.enter_context(ParserPool(workers=MAX_PARSERS))
        models = ModelCache(configuration.home / "models", retry_s=0.0)
        shared = ListenerResources(configuration, None, database, models, parsers)
        follow_ups = FollowUpSyncs(database, _make_process(configuration), show)
        follow_ups.start()
        resources.callback(follow_ups.stop)
        listener = ChangeListener(shared, follow_ups, show)
        resources.callback(listener.stop)
        yield listener


def _make_process(configuration: Configuration) -> SyncProcess:
    paths = {
        "RAGLINE_CONFIG": str(configuration.path),
        "RAGLINE_HOME": str(configuration.home),
    }
    return SyncProcess({**os.environ, **paths})
