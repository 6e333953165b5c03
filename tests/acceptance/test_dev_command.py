"""`ragline dev`: the UI and the API answer, and no process runs after it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from repetition_counts import choose_count
from small_disks import fill_disk, mount_disk

from dagster_project.processes import MAX_ENDS, STOP_SIGNALS, ProcessGroup, Program
from ragline.errors import ProcessError
from ragline.storage.embedded_postgres import find_server_process

REPOSITORY = Path(__file__).parent.parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family_of(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


class Dev:
    """A running `ragline dev` with the embedded Postgres, and its output."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ui, self.api = free_port(), free_port()
        self.log = folder / "log"
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        environment.pop("RAGLINE_DATABASE_URL", None)
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ragline", "dev",
                 "--ui-port", str(self.ui), "--api-port", str(self.api)],
                cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        assert self.process.stdout is not None
        self.banner = [self.process.stdout.readline() for _ in range(5)]

    @property
    def home(self) -> Path:
        return self.folder / ".ragline"

    def find(self, words: str) -> psutil.Process:
        """The child process whose command contains these words."""
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if words in " ".join(child.cmdline()))

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            if condition():
                return
            time.sleep(0.2)
        raise AssertionError(f"{what}\n{self.log.read_text()}")

    def wait_for_line(self, words: str) -> None:
        self.wait_for(lambda: words in self.log.read_text(), words)

    def wait_until_visible(self, document_id: str) -> None:
        """Wait for the line of the sync that made a document visible, perhaps with others."""
        shown = re.compile(rf"\(.*\b{re.escape(document_id)}\b.*\), visible after")
        self.wait_for(lambda: shown.search(self.log.read_text()) is not None, shown.pattern)

    def is_published(self) -> bool:
        """Whether the first index is live, so that a search is answered."""
        body = json.dumps({"collection": "notes", "query": "tea"}).encode()
        headers = {"Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self.api}/v1/search"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=5):
                return True
        except OSError:
            return False

    def answers(self, port: int, path: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def read(self, port: int, path: str) -> str:
        """What it answers, also while it starts."""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=120) as answer:
            assert answer.status == 200
            return str(answer.read().decode())

    def stop(self, number: signal.Signals) -> None:
        """Stop it. It ends with status 0, and no process and no server is left."""
        family = family_of(self.process.pid)
        assert len(family) > 4
        self.process.send_signal(number)
        self.process.communicate(timeout=90)
        assert self.process.returncode == 0
        _, alive = psutil.wait_procs(family, timeout=15)
        assert alive == []
        assert find_server_process(self.home) is None


def start_dev(tmp_path: Path, model_cache: Path) -> Dev:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "tea.md").write_text("# Tea\n\nTea is picked by hand.\n", "utf-8")
    (tmp_path / "ragline.yaml").write_text(
        "sources: [{name: note-files, collection: notes, kind: files, uri: ./notes}]\n", "utf-8"
    )
    (tmp_path / ".ragline").mkdir(exist_ok=True)
    model_cache.mkdir(exist_ok=True)
    (tmp_path / ".ragline" / "models").symlink_to(model_cache)
    return Dev(tmp_path)


@pytest.fixture
def no_small_disk(tmp_path: Path) -> Iterator[str]:
    """Why RAGLINE_HOME is not a disk of 300 MiB, or an empty text if it is one."""
    with ExitStack() as disks:
        try:
            disks.enter_context(mount_disk(tmp_path / ".ragline", 300))
        except pytest.skip.Exception as skipped:
            yield str(skipped)
        else:
            yield ""


@pytest.fixture
def dev(tmp_path: Path, model_cache: Path, no_small_disk: str) -> Iterator[Dev]:
    running = start_dev(tmp_path, model_cache)
    yield running
    running.stop(signal.SIGINT if no_small_disk else signal.SIGTERM)


@pytest.mark.slow
def test_each_killed_program_is_started_again_and_a_full_disk_ends_none(
    dev: Dev, no_small_disk: str
) -> None:
    """One `ragline dev` for both troubles, because its start and its end take 20 s."""
    kill_each_program(dev)
    if no_small_disk:
        pytest.skip(f"its disk was not filled: {no_small_disk}")
    fill_disk_of(dev)


def kill_each_program(dev: Dev) -> None:
    """Each program is started again, and each end is reported."""
    shown = "".join(dev.banner)
    for name in (
        str(dev.ui),
        f"page           http://127.0.0.1:{dev.api}/",
        str(dev.home / "logs"),
    ):
        assert name in shown
    assert "dagster_version" in json.loads(dev.read(dev.ui, "/server_info"))
    assert dev.read(dev.api, "/healthz")
    dev.wait_for_line("note-files: 1 added")
    # The line of a later sync names its documents only if a generation is live.
    dev.wait_for(dev.is_published, "the first index is live")

    postgres = find_server_process(dev.home)
    assert postgres is not None
    psutil.Process(postgres).kill()
    dev.wait_for_line("the embedded Postgres had ended; it was started again")
    dev.wait_for(lambda: dev.answers(dev.api, "/readyz"), "the service is ready")
    # The first request to the service after that.
    assert dev.answers(dev.ui, "/"), dev.log.read_text()

    killed = {}
    for name, words in (("api", "ragline serve"), ("daemon", "dagster._daemon"),
                        ("ui", "dagster_webserver"), ("code", "code-server")):  # fmt: skip
        killed[name] = dev.find(words)
        killed[name].kill()
        dev.wait_for_line(f"{name} was killed by SIGKILL; it is started again")
    for name in killed:
        dev.wait_for_line(f"{name} answers again")
    dev.wait_for(lambda: dev.answers(dev.ui, "/server_info"), "the UI answers")

    (dev.folder / "notes" / "key.md").write_text("# Key\n\nBehind the blue door.\n", "utf-8")
    dev.wait_until_visible("key.md")
    lines = [line for line in dev.log.read_text().splitlines() if "| " not in line]
    assert len(lines) < 40, lines


def fill_disk_of(dev: Dev) -> None:
    """A full disk is reported once, and after it everything goes on."""
    ballast = fill_disk(dev.home)
    dev.wait_for_line("is full; free space there")
    postgres = find_server_process(dev.home)
    assert postgres is not None
    psutil.Process(postgres).kill()
    dev.wait_for_line("the database does not answer")
    # Time for failing attempts.
    time.sleep(choose_count(4, 10))
    assert dev.process.poll() is None, dev.log.read_text()

    ballast.unlink()
    dev.wait_for_line("has free space again")
    dev.wait_for_line("the database answers again")
    dev.wait_for(lambda: dev.answers(dev.api, "/readyz"), "the service is ready")
    (dev.folder / "notes" / "bell.md").write_text("# Bell\n\nIt rings at noon.\n", "utf-8")
    dev.wait_until_visible("bell.md")
    assert dev.log.read_text().count("is full; free space there") == 1


@pytest.fixture
def handlers() -> Iterator[None]:
    """The signal handlers of this process, which `ProcessGroup` replaces when it stops."""
    kept = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.slow
@pytest.mark.usefixtures("handlers")
def test_program_that_does_not_stay_up_ends_dev_with_its_last_lines(
    tmp_path: Path,
):
    child = Program("broken", [sys.executable, "-c", "raise SystemExit('no such thing')"])
    shown: list[str] = []
    with ProcessGroup(dict(os.environ), tmp_path / "logs", shown.append) as group:
        group.start(child)
        with pytest.raises(ProcessError, match=r"broken does not stay up.*5 times.*\n.*such thing"):
            group.watch_until_stopped()
    assert sum("started again" in line for line in shown) == MAX_ENDS - 1


def test_equal_ports_are_refused_at_once(tmp_path: Path):
    (tmp_path / "ragline.yaml").write_text("collections: [{name: notes}]\n", encoding="utf-8")
    port = str(free_port())
    done = subprocess.run(
        [sys.executable, "-m", "ragline", "dev", "--ui-port", port, "--api-port", port],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"--ui-port and --api-port are both {port}" in done.stderr
    assert not (tmp_path / ".ragline").exists()
