"""The embedded Postgres runs while it has users, and starts again after each kind of crash."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg.pq import PGconn, Ping
from sqlalchemy import create_engine, text

from ragline.errors import DatabaseUnavailableError
from ragline.storage import embedded_postgres as module
from ragline.storage import postgres_server
from ragline.storage.database import connect_database
from ragline.storage.embedded_postgres import (
    embedded_postgres,
    find_server_process,
    revive_embedded_postgres,
)
from ragline.storage.postgres_server import PostgresServer

is_root = os.geteuid() == 0
only_root = pytest.mark.skipif(not is_root, reason="needs root, who may not run Postgres itself")

USER = """
import os, sys, time
from pathlib import Path
from ragline.storage.embedded_postgres import embedded_postgres
with embedded_postgres(Path(sys.argv[1])) as url:
    if "fork" in sys.argv and os.fork() == 0:
        os.close(0), os.close(1), os.close(2)
        time.sleep(20)
        os._exit(0)
    if "fork-and-raise" in sys.argv and os.fork() == 0:
        sys.exit(0)
    print(url, flush=True)
    sys.stdin.read()
"""


class User:
    """A process that uses the server of a home until the test ends it."""

    def __init__(
        self, home: Path, *arguments: str, prefix: Sequence[str] = (), **environment: str
    ) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", USER, str(home), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def url(self) -> str:
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(60) == 0
        self.process.stdout.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)
        self.process.stdin.close()
        self.process.stdout.close()


StartUser = Callable[..., User]


@pytest.fixture
def start_user() -> Iterator[StartUser]:
    users: list[User] = []

    def start(home: Path, *arguments: str, prefix: Sequence[str] = (), **environment: str) -> User:
        users.append(User(home, *arguments, prefix=prefix, **environment))
        return users[-1]

    yield start
    for user in users:
        if user.process.poll() is None:
            user.leave()  # kill() would leave the server running


@pytest.fixture(scope="session")
def finished_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a stopped server. Copying it is faster than creating one."""
    home = tmp_path_factory.mktemp("postgres") / "home"
    open_and_close(home)
    (home / "postgres.log").unlink()
    return home


@pytest.fixture
def home(tmp_path: Path, finished_home: Path) -> Path:
    subprocess.run(["cp", "-a", str(finished_home), str(tmp_path / "home")], check=True)
    return tmp_path / "home"


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a short path, which all users may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def open_and_close(home: Path) -> str:
    with embedded_postgres(home) as url:
        return url


def is_answering(url: str) -> bool:
    return PGconn.ping(url.encode()) == Ping.OK


def postmaster(home: Path) -> psutil.Process:
    return psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split()[0]))


def count_starts(home: Path) -> int:
    return (home / "postgres.log").read_text().count("ready to accept connections")


def effective_capabilities(process: psutil.Process) -> set[int]:
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    mask = int(
        next(line for line in status.splitlines() if line.startswith("CapEff")).split()[1], 16
    )
    return {bit for bit in range(64) if mask >> bit & 1}


def modes(path: Path) -> dict[Path, int]:
    return {parent: parent.stat().st_mode for parent in path.parents}


def test_last_of_two_processes_stops_the_server(home: Path, start_user: StartUser) -> None:
    first, second = start_user(home), start_user(home)
    url = first.url()
    assert second.url() == url
    first.leave()
    assert is_answering(url)
    second.leave()
    assert not is_answering(url)
    assert not (home / "postgres" / "postmaster.pid").exists()


def test_processes_that_start_at_once_share_one_new_server(
    tmp_path: Path, start_user: StartUser
) -> None:
    home = tmp_path / "new" / "home"
    users = [start_user(home) for _ in range(3)]
    assert len({user.url() for user in users}) == 1
    assert count_starts(home) == 1
    for user in users:
        user.leave()


def test_server_of_a_killed_process_is_stopped_after_the_next_use(
    home: Path, start_user: StartUser
) -> None:
    user = start_user(home)
    url = user.url()
    user.kill()
    assert is_answering(url)
    with embedded_postgres(home) as again:
        assert again == url
    assert not is_answering(url)
    assert count_starts(home) == 1


def test_killed_server_is_started_again_with_its_data(home: Path, start_user: StartUser) -> None:
    user = start_user(home)
    url = user.url()
    with psycopg.connect(url) as connection:
        connection.execute("create table kept as select 42 as answer")
    postmaster(home).kill()
    with embedded_postgres(home) as again, psycopg.connect(again) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)
    user.leave()


def test_start_waits_for_the_last_child_of_a_killed_server(
    home: Path, start_user: StartUser
) -> None:
    user = start_user(home)
    user.url()
    server = postmaster(home)
    child = server.children()[0]
    child.suspend()
    server.kill()
    threading.Timer(1.5, child.resume).start()
    started = time.monotonic()
    with embedded_postgres(home) as url:
        assert is_answering(url)
    assert time.monotonic() - started > 1
    user.leave()


def test_two_uses_in_one_process_are_counted_separately(home: Path) -> None:
    with embedded_postgres(home) as url:
        with embedded_postgres(home) as again:
            assert again == url
        assert is_answering(url)
    assert not is_answering(url)


def test_address_is_the_same_after_a_restart(home: Path) -> None:
    assert open_and_close(home) == open_and_close(home)


def test_forked_child_does_not_keep_the_lock_of_its_parent(
    home: Path, start_user: StartUser
) -> None:
    user = start_user(home, "fork")
    user.url()
    user.leave()
    started = time.monotonic()
    with embedded_postgres(home) as url:
        assert is_answering(url)
    assert time.monotonic() - started < 60
    assert not is_answering(url)


def test_forked_child_does_not_release_the_lock_of_its_parent(
    home: Path, start_user: StartUser
) -> None:
    user = start_user(home, "fork-and-raise")
    url = user.url()
    with embedded_postgres(home):
        pass
    assert is_answering(url)
    user.leave()
    assert not is_answering(url)


@pytest.mark.parametrize("kind", ["living", "dead and not buried"])
def test_process_id_of_another_program_does_not_delay_the_start(home: Path, kind: str) -> None:
    stranger = subprocess.Popen(["sleep", "60" if kind == "living" else "0"])
    if kind != "living":
        os.waitid(os.P_PID, stranger.pid, os.WEXITED | os.WNOWAIT)
    stale = home / "postgres" / "postmaster.pid"
    stale.write_text(f"{stranger.pid}\n{home / 'postgres'}\n", encoding="utf-8")
    if is_root:
        os.chown(stale, (home / "postgres").stat().st_uid, -1)
    with embedded_postgres(home) as url:
        assert is_answering(url)
    stranger.kill()
    stranger.wait()


def test_server_whose_socket_was_deleted_is_started_again(
    home: Path, start_user: StartUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_server, "SOCKET_WAIT_S", 0.2)
    user = start_user(home)
    user.url()
    shutil.rmtree(home / "run")
    with embedded_postgres(home) as url:
        assert is_answering(url)
    user.leave()


def test_deleting_the_home_of_a_running_server_does_not_harm_the_next(
    home: Path, start_user: StartUser
) -> None:
    user = start_user(home)
    old = user.url()
    old_server = postmaster(home)
    user.kill()
    shutil.rmtree(home)
    with embedded_postgres(home) as url:
        assert url != old
        old_server.send_signal(signal.SIGINT)
        old_server.wait(60)
        assert is_answering(url)


def test_unfinished_data_folder_is_created_again(tmp_path: Path, start_user: StartUser) -> None:
    home = tmp_path / "home"
    user = start_user(home)
    deadline = time.monotonic() + 60
    while not list(home.glob("postgres-unfinished-*/global")):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    user.kill()
    assert not (home / "postgres").exists()
    with embedded_postgres(home) as url, psycopg.connect(url) as connection:
        assert connection.execute("select current_database()").fetchone() == ("ragline",)


def test_old_unfinished_folder_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "home" / "postgres-unfinished-abc"
    left.mkdir(parents=True)
    (left / "PG_VERSION").write_text("18\n", encoding="utf-8")
    with embedded_postgres(tmp_path / "home") as url:
        assert is_answering(url)
    assert not left.exists()


def test_folder_with_other_files_is_refused_and_not_changed(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "letter.txt").write_text("text", encoding="utf-8")
    with pytest.raises(DatabaseUnavailableError, match="not Postgres data"):
        open_and_close(tmp_path)
    assert (tmp_path / "postgres" / "letter.txt").read_text(encoding="utf-8") == "text"


def test_data_of_another_version_is_refused_with_both_versions(home: Path) -> None:
    (home / "postgres" / "PG_VERSION").write_text("16\n", encoding="utf-8")
    with pytest.raises(DatabaseUnavailableError, match="Postgres 16, the embedded one is 18"):
        open_and_close(home)


def test_failing_start_names_the_log_and_its_last_lines(home: Path) -> None:
    with (home / "postgres" / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(DatabaseUnavailableError) as caught:
        open_and_close(home)
    assert str(home / "postgres.log") in str(caught.value)
    assert "no_such_setting" in str(caught.value)


def test_home_that_cannot_be_created_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseUnavailableError, match="set RAGLINE_HOME"):
        open_and_close(tmp_path / "file" / "home")


@pytest.mark.parametrize("name", ["x" * 120, "it's 100% a $HOME & more+", "one, two"])
def test_each_form_of_a_path_works(short_folder: Path, finished_home: Path, name: str) -> None:
    home = short_folder / name
    subprocess.run(["cp", "-a", str(finished_home), str(home)], check=True)
    with embedded_postgres(home) as url:
        database = connect_database(url)
        with database.connect() as connection:
            assert connection.execute(text("select current_database()")).scalar() == "ragline"
        database.engine.dispose()
        for address in (database.url, database.dagster_url):
            engine = create_engine(address)
            with engine.connect() as connection:
                assert connection.execute(text("select 1")).scalar() == 1
            engine.dispose()
        folder = (home / "run").resolve()
        assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.parent == home or not folder.exists()


def test_processes_with_different_temporary_folders_share_one_server(
    tmp_path: Path, finished_home: Path, start_user: StartUser
) -> None:
    home = tmp_path / ("x" * 120)
    subprocess.run(["cp", "-a", str(finished_home), str(home)], check=True)
    with tempfile.TemporaryDirectory() as other:
        user = start_user(home, TMPDIR=other)
        with embedded_postgres(home) as url:
            assert user.url() == url
        user.leave()


def test_log_and_data_are_closed_to_others(home: Path) -> None:
    with embedded_postgres(home):
        assert (home / "postgres.log").stat().st_mode & 0o077 == 0
        assert (home / "postgres").stat().st_mode & 0o077 == 0


@only_root
def test_root_changes_no_folder_and_grants_one_capability(
    tmp_path: Path, finished_home: Path
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    subprocess.run(["cp", "-a", str(finished_home), str(closed / "home")], check=True)
    before = modes(closed / "home")
    with embedded_postgres(closed / "home"):
        server = postmaster(closed / "home")
        assert server.uids().effective != 0
        assert effective_capabilities(server) in ({1}, {2})  # dac_override, dac_read_search
        assert modes(closed / "home") == before
    assert modes(closed / "home") == before


@only_root
def test_root_works_with_the_capabilities_of_a_container(home: Path, start_user: StartUser) -> None:
    user = start_user(home, prefix=["setpriv", "--bounding-set=-dac_read_search", "--"])
    assert is_answering(user.url())
    assert effective_capabilities(postmaster(home)) == {1}
    user.leave()


@only_root
def test_root_without_the_capabilities_gets_a_remedy(home: Path) -> None:
    prefix = ["setpriv", "--bounding-set=-dac_read_search,-dac_override", "--"]
    done = subprocess.run(
        [*prefix, sys.executable, "-c", USER, str(home)],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 1
    error = done.stderr.splitlines()[-1]
    assert error.startswith("ragline.errors.DatabaseUnavailableError")
    assert "set RAGLINE_HOME" in error


@only_root
def test_root_grants_no_capability_that_is_not_needed(
    short_folder: Path, finished_home: Path
) -> None:
    if any(not parent.stat().st_mode & 0o001 for parent in Path(module.__file__).parents):
        pytest.skip("the programs are in a closed folder here")
    home = short_folder / "home"
    subprocess.run(["cp", "-a", str(finished_home), str(home)], check=True)
    with embedded_postgres(home):
        assert effective_capabilities(postmaster(home)) == set()


@only_root
def test_root_runs_the_server_of_another_user_as_that_user(home: Path) -> None:
    daemon = pwd.getpwnam("daemon")
    subprocess.run(["chown", "-R", "daemon", str(home / "postgres")], check=True)
    with embedded_postgres(home) as url:
        assert is_answering(url)
        assert postmaster(home).uids().effective == daemon.pw_uid


@only_root
def test_ordinary_user_runs_the_server_as_itself(tmp_path: Path, start_user: StartUser) -> None:
    daemon = pwd.getpwnam("daemon")
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, daemon.pw_uid, daemon.pw_gid)
    # The capability is for the interpreter, which may be in a closed folder.
    prefix = ["setpriv", f"--reuid={daemon.pw_uid}", f"--regid={daemon.pw_gid}", "--clear-groups"]
    prefix += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--"]
    user = start_user(home, prefix=prefix)
    with psycopg.connect(user.url()) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert postmaster(home).uids().effective == daemon.pw_uid
    user.leave()
    assert not (home / "postgres" / "postmaster.pid").exists()


def wait_for_postmaster(home: Path, other_than: int) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        pid = find_server_process(home)
        if pid not in (None, other_than) and PostgresServer(home.resolve()).ping() is Ping.OK:
            return int(pid or 0)
        time.sleep(0.1)
    raise AssertionError("the server was not started again")


def test_supervised_server_is_started_again_after_a_kill(home: Path) -> None:
    with embedded_postgres(home, is_supervised=True) as url:
        killed = postmaster(home)
        killed.kill()
        wait_for_postmaster(home, killed.pid)
        database = connect_database(url)
        with database.connect() as connection:
            assert connection.execute(text("select 1")).scalar_one() == 1
        database.engine.dispose()
    assert find_server_process(home) is None


def test_several_supervisors_start_one_server(home: Path) -> None:
    with (
        embedded_postgres(home, is_supervised=True),
        embedded_postgres(home, is_supervised=True),
        embedded_postgres(home, is_supervised=True) as url,
    ):
        killed = postmaster(home)
        killed.kill()
        revived = wait_for_postmaster(home, killed.pid)
        time.sleep(3 * module.SUPERVISION_S)
        assert find_server_process(home) == revived
        with connect_database(url).open_session() as session:
            assert session.execute(text("select 1")).scalar_one() == 1
    assert find_server_process(home) is None


def test_supervisor_retries_until_the_server_starts(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "SUPERVISION_S", 0.1)
    settings = home / "postgres" / "postgresql.conf"
    with embedded_postgres(home, is_supervised=True):
        right = settings.read_text("utf-8")
        settings.write_text(right + "max_connections = many\n", "utf-8")
        killed = postmaster(home)
        killed.kill()
        deadline = time.monotonic() + 60
        while "does not start" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.1)
        assert "max_connections" in caplog.text
        time.sleep(2)
        assert caplog.text.count("does not start") == 1
        settings.write_text(right, "utf-8")
        wait_for_postmaster(home, killed.pid)


def test_running_server_is_not_started_again(home: Path) -> None:
    with embedded_postgres(home):
        pid = find_server_process(home)
        assert not revive_embedded_postgres(home)
        assert find_server_process(home) == pid
        killed = postmaster(home)
        killed.kill()
        psutil.wait_procs([killed], timeout=10)
        assert revive_embedded_postgres(home)
        assert find_server_process(home) not in (None, pid)
