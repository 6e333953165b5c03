"""Branches of repositories, served by real git servers on this machine."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ragline.errors import DocumentTooLargeError, SourceUnavailableError
from ragline.sources.git import mirror as git_mirror
from ragline.sources.git.settings import GitSettings
from ragline.sources.git.source import MAX_DATED_COMMITS, GitSource
from ragline.sources.protocol import FailedFetch, FetchedDocument, SourceContext
from ragline.sources.state import SourceState

PASSWORD = "a-pass'w\\ord"


def at(day: int) -> datetime:
    return datetime(2024, 5, day, 12, tzinfo=UTC)


class Author:
    """An author who commits to a repository and pushes to a bare one."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.bare = folder / "served" / "books.git"
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare), cwd=folder)
        self.git("init", "--quiet", "--initial-branch=main", str(self.work), cwd=folder)
        self.git("remote", "add", "origin", str(self.bare))

    def git(self, *arguments: str, cwd: Path | None = None, day: int = 1) -> str:
        environment = os.environ | {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@localhost",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@localhost",
            "GIT_COMMITTER_DATE": at(day).isoformat(),
        }
        done = subprocess.run(
            ["git", *arguments],
            cwd=cwd or self.work,
            env=environment,
            check=True,
            capture_output=True,
        )
        return done.stdout.decode()

    def write(self, name: str | bytes, text: str) -> None:
        path = self.work / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def push(self, day: int = 1, *, branch: str = "main") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a change", day=day)
        self.git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD").strip()


@pytest.fixture
def author(tmp_path: Path) -> Author:
    author = Author(tmp_path)
    author.write("a.md", "alpha")
    author.write("deep/b.md", "beta")
    author.write("deep/c.txt", "c")
    author.push()
    return author


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture
def address(author: Author) -> Iterator[str]:
    """The address of the repository, served by `git daemon`."""
    port = free_port()
    server = subprocess.Popen(
        [
            *("git", "daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1"),
            *(f"--port={port}", f"--base-path={author.bare.parent}", str(author.bare.parent)),
        ],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for_port(port)
    yield f"git://127.0.0.1:{port}/books.git"
    os.killpg(server.pid, 15)
    server.wait()


def wait_for_port(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"no server listens on port {port}")


@pytest.fixture
def open_git(tmp_path: Path, database) -> Callable[..., GitSource]:
    """Opens a source as a new process does, with the saved state and the mirror."""

    def open_source(uri: str | Path, **settings: object) -> GitSource:
        parsed = GitSettings(name="s", collection="c", kind="git", uri=str(uri), **settings)
        around = SourceContext(tmp_path / "home", SourceState(database, "s"), database)
        return GitSource(parsed, around)

    return open_source


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)


def versions(source: GitSource) -> dict[str, str]:
    return {listed.document_id: listed.version for listed in source.list_documents()}


def dates(source: GitSource) -> dict[str, datetime | None]:
    return {listed.document_id: listed.changed_at for listed in source.list_documents()}


def contents(source: GitSource, *document_ids: str) -> list[bytes]:
    fetched = list(source.fetch_documents(document_ids))
    assert all(isinstance(one, FetchedDocument) for one in fetched), fetched
    return [one.content for one in fetched if isinstance(one, FetchedDocument)]


def test_files_of_the_default_branch_are_listed_and_read(address, author, open_git):
    source = open_git(address)
    (first, *_) = source.list_documents()
    assert (first.document_id, first.size_bytes, first.changed_at) == ("a.md", 5, at(1))
    assert list(versions(source)) == ["a.md", "deep/b.md", "deep/c.txt"]
    assert contents(source, "deep/b.md", "a.md") == [b"beta", b"alpha"]
    assert source.probe() == author.git("rev-parse", "HEAD").strip()


def test_edit_rename_and_removal_are_detected(address, author, open_git):
    source = open_git(address)
    before, probe = versions(source), source.probe()
    author.write("a.md", "gamma")
    author.git("mv", "deep/b.md", "deep/moved.md")
    author.git("rm", "--quiet", "deep/c.txt")
    author.push(day=2)
    assert source.probe() != probe
    after = versions(source)
    assert after.keys() == {"a.md", "deep/moved.md"}
    assert after["a.md"] != before["a.md"]
    assert after["deep/moved.md"] == before["deep/b.md"]
    assert contents(source, "a.md") == [b"gamma"]


def test_commit_without_a_change_of_a_file_keeps_its_version(address, author, open_git):
    source = open_git(address)
    before = versions(source)
    author.git("commit", "--quiet", "--allow-empty", "--message", "nothing")
    author.git("push", "--quiet", "origin", "main")
    assert versions(source) == before


def test_patterns_select_files_as_in_a_folder(address, author, open_git):
    author.write(".github/hidden.md", "x")
    author.push()
    assert list(versions(open_git(address, include=["*.md"]))) == ["a.md", "deep/b.md"]
    assert list(versions(open_git(address, exclude=["deep/**"]))) == ["a.md"]
    assert list(versions(open_git(address, include=[".github/**"]))) == [".github/hidden.md"]


def test_unusual_file_names_are_read(address, author, open_git):
    names = [b"two words.md", b"caf\xe9.md", b'quo"te.md', b"tab\tand\nline.md", "ü.md".encode()]
    for name in names:
        author.write(name, "odd " + repr(name))
    author.push()
    source = open_git(address)
    found = versions(source).keys() - {"a.md", "deep/b.md", "deep/c.txt"}
    assert found == {"two words.md", "caf%E9.md", 'quo"te.md', "tab\tand\nline.md", "ü.md"}
    assert contents(source, "caf%E9.md", "tab\tand\nline.md") == [
        b"odd b'caf\\xe9.md'",
        b"odd b'tab\\tand\\nline.md'",
    ]


def test_links_and_submodules_are_left_out(address, author, open_git):
    (author.work / "link.md").symlink_to("/etc/passwd")
    commit = author.git("rev-parse", "HEAD").strip()
    author.git("update-index", "--add", "--cacheinfo", f"160000,{commit},module")
    author.git("add", "link.md")
    author.git("commit", "--quiet", "--message", "links")
    author.git("push", "--quiet", "origin", "main")
    source = open_git(address)
    assert "link.md" not in versions(source)
    assert "module" not in versions(source)
    assert isinstance(next(iter(source.fetch_documents(["link.md"]))), FailedFetch)


def test_configured_branch_is_read(address, author, open_git):
    author.write("draft.md", "draft")
    author.push(branch="feature/drafts")
    assert "draft.md" in versions(open_git(address, branch="feature/drafts"))
    assert "draft.md" not in versions(open_git(address))


def test_changes_are_dated_by_the_commit_that_brought_them(address, author, open_git):
    source = open_git(address)
    assert set(dates(source).values()) == {at(1)}
    author.write("a.md", "gamma")
    author.push(day=2)
    author.write("deep/b.md", "delta")
    author.write("a.md", "epsilon")
    author.push(day=3)
    author.git("rm", "--quiet", "deep/c.txt")
    author.push(day=4)
    expected = {"a.md": at(3), "deep/b.md": at(3)}
    assert dates(source) == expected
    assert dates(open_git(address)) == expected
    assert source.find_change_times(["deep/c.txt", "a.md", "never"]) == {
        "deep/c.txt": at(4),
        "a.md": at(3),
    }


def test_file_that_came_by_a_merge_is_dated_by_the_merge(address, author, open_git):
    source = open_git(address)
    versions(source)
    author.git("checkout", "--quiet", "-b", "side")
    author.write("side.md", "side")
    author.git("add", "--all")
    author.git("commit", "--quiet", "--message", "side", day=2)
    author.git("checkout", "--quiet", "main")
    author.write("main.md", "main")
    author.push(day=3)
    author.git("merge", "--quiet", "--no-edit", "side", day=4)
    author.git("push", "--quiet", "origin", "main")
    found = dates(source)
    assert (found["side.md"], found["main.md"], found["a.md"]) == (at(4), at(3), at(1))


def test_dates_start_again_after_many_commits(address, author, open_git, monkeypatch):
    assert MAX_DATED_COMMITS > 1
    monkeypatch.setattr("ragline.sources.git.source.MAX_DATED_COMMITS", 1)
    source = open_git(address)
    versions(source)
    for day in (2, 3):
        author.write("a.md", f"text {day}")
        author.push(day=day)
    assert dates(source) == {"a.md": at(3), "deep/b.md": at(1), "deep/c.txt": at(1)}
    assert set(dates(source).values()) == {at(3)}


def test_forced_push_is_followed(address, author, open_git):
    source = open_git(address)
    author.write("a.md", "thrown away")
    author.push(day=2)
    versions(source)
    author.git("checkout", "--quiet", "--orphan", "fresh")
    author.git("rm", "--quiet", "-r", "--cached", ".")
    shutil.rmtree(author.work / "deep")
    author.write("a.md", "from scratch")
    author.push(day=5)
    assert dates(source) == {"a.md": at(5)}
    assert contents(source, "a.md") == [b"from scratch"]


def test_process_that_did_not_list_reads_the_listed_commit(address, author, open_git):
    versions(open_git(address))
    author.write("a.md", "newer")
    author.push()
    assert contents(open_git(address), "a.md") == [b"alpha"]


@pytest.mark.parametrize("is_listed_here", [True, False])
def test_mirror_may_disappear_at_any_time(address, tmp_path, open_git, is_listed_here):
    source = open_git(address)
    before = versions(source)
    shutil.rmtree(tmp_path / "home")
    assert contents(source if is_listed_here else open_git(address), "a.md") == [b"alpha"]
    shutil.rmtree(tmp_path / "home")
    assert versions(source) == before


def damage_objects(mirror: Path) -> None:
    for path in (mirror / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"damaged")


def forget_objects(mirror: Path) -> None:
    shutil.rmtree(mirror / "objects")
    (mirror / "objects").mkdir()


def leave_lock(mirror: Path) -> None:
    (mirror / "refs/ragline/branch.lock").touch()


def empty_folder(mirror: Path) -> None:
    shutil.rmtree(mirror)
    mirror.mkdir()


@pytest.mark.parametrize("breaking", [damage_objects, forget_objects, leave_lock, empty_folder])
def test_broken_mirror_is_created_again(address, author, tmp_path, open_git, breaking):
    source = open_git(address)
    before = versions(source)
    breaking(tmp_path / "home" / "mirror")
    assert contents(source, "a.md", "deep/b.md") == [b"alpha", b"beta"]
    breaking(tmp_path / "home" / "mirror")
    assert versions(open_git(address)) == before
    breaking(tmp_path / "home" / "mirror")
    author.write("a.md", "gamma")
    author.push()
    assert versions(open_git(address)) != before
    assert contents(open_git(address), "a.md") == [b"gamma"]
    assert not list((tmp_path / "home").glob("new-*"))


def test_processes_on_one_mirror_do_not_disturb_each_other(address, author, tmp_path, open_git):
    def work(number: int) -> None:
        for turn in range(4):
            if number == 0:
                shutil.rmtree(tmp_path / "home" / "mirror", ignore_errors=True)
            if number == 1:
                author.write("a.md", f"turn {turn}")
                author.push()
            source = open_git(address)
            assert len(versions(source)) == 3
            contents(source, "a.md", "deep/b.md")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


def test_large_and_removed_files_only_fail_themselves(address, open_git):
    source = open_git(address, max_document_bytes=4)
    versions(source)
    answers = {one.document_id: one for one in source.fetch_documents(["a.md", "deep/b.md", "x"])}
    assert isinstance(answers["a.md"], FailedFetch)
    assert isinstance(answers["a.md"].error, DocumentTooLargeError)
    assert isinstance(answers["x"], FailedFetch)
    assert isinstance(answers["deep/b.md"], FetchedDocument)


def test_probe_fetches_nothing(address, tmp_path, open_git):
    open_git(address).probe()
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("uri", "branch", "said"),
    [
        ("git://127.0.0.1:{free}/books.git", None, "cannot be read"),
        ("{served}/elsewhere.git", None, "cannot be read"),
        ("{served}/books.git", "gone", "the branch 'gone' does not exist"),
        ("{served}/empty.git", None, "the branch of its HEAD does not exist"),
        ("ext::sh -c true", None, "cannot be read"),
    ],
)
def test_unreadable_repository_is_unavailable(author, open_git, uri, branch, said):
    author.git("init", "--quiet", "--bare", str(author.bare.parent / "empty.git"))
    place = uri.format(free=free_port(), served=author.bare.parent)
    source = open_git(place, branch=branch)
    with pytest.raises(SourceUnavailableError, match=said):
        source.probe()
    with pytest.raises(SourceUnavailableError, match=said):
        list(source.list_documents())
    with pytest.raises(SourceUnavailableError):
        list(source.fetch_documents(["a.md"]))


def test_branch_that_was_removed_leaves_the_listing_incomplete(address, author, open_git):
    author.write("a.md", "x")
    author.push(branch="other")
    source = open_git(address, branch="other")
    versions(source)
    author.git("push", "--quiet", "origin", ":other")
    with pytest.raises(SourceUnavailableError, match="branch 'other' does not exist"):
        versions(source)


def test_missing_program_is_named(author, open_git, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SourceUnavailableError, match="install git"):
        versions(open_git(author.bare))


def test_request_to_a_hanging_repository_times_out(open_git, monkeypatch):
    monkeypatch.setattr(git_mirror, "QUERY_TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"git://127.0.0.1:{silent.getsockname()[1]}/books.git"
        with pytest.raises(SourceUnavailableError, match="did not finish within"):
            open_git(uri).probe()


def test_environment_of_another_repository_is_ignored(author, tmp_path, open_git, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert len(versions(open_git(author.bare))) == 3


class Guarded(BaseHTTPRequestHandler):
    """`git http-backend` that requires a name and a password."""

    root: Path
    asked: list[str | None]

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, *arguments: object) -> None:
        pass

    def _serve(self) -> None:
        right = base64.b64encode(f"someone:{PASSWORD}".encode()).decode()
        self.asked.append(self.headers.get("Authorization"))
        if self.asked[-1] != f"Basic {right}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="books"')
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        environment = os.environ | {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "REMOTE_USER": "someone",
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        environment["CONTENT_LENGTH"] = str(len(body))
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, check=True, capture_output=True
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        self.send_response(200)
        for line in head.decode().splitlines():
            self.send_header(*line.split(": ", 1))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def guarded(author: Author) -> Iterator[str]:
    Guarded.root, Guarded.asked = author.bare.parent, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/books.git"
        server.shutdown()
        thread.join()


CREDENTIALS = {"username": "BOOKS_NAME", "password": "BOOKS_PASSWORD"}


def test_name_and_password_come_from_the_environment(guarded, open_git, monkeypatch):
    monkeypatch.setenv("BOOKS_NAME", "someone")
    monkeypatch.setenv("BOOKS_PASSWORD", PASSWORD)
    source = open_git(guarded, credentials=CREDENTIALS)
    assert len(versions(source)) == 3
    assert contents(source, "a.md") == [b"alpha"]


@pytest.mark.parametrize("credentials", [CREDENTIALS, {}])
def test_refused_password_is_unavailable_and_not_shown(guarded, open_git, monkeypatch, credentials):
    monkeypatch.setenv("BOOKS_NAME", "someone")
    monkeypatch.setenv("BOOKS_PASSWORD", "wrong-secret")
    source = open_git(guarded, credentials=credentials)
    with pytest.raises(SourceUnavailableError) as caught:
        versions(source)
    assert "wrong-secret" not in str(caught.value)
    assert "credentials" in str(caught.value)


def test_password_is_on_no_command_line_and_in_no_file(guarded, tmp_path, open_git, monkeypatch):
    calls: list[list[str]] = []
    run = subprocess.run

    def note(arguments: list[str], **options: object) -> object:
        calls.append(arguments)
        return run(arguments, **options)

    monkeypatch.setenv("BOOKS_NAME", "someone")
    monkeypatch.setenv("BOOKS_PASSWORD", PASSWORD)
    monkeypatch.setattr(subprocess, "run", note)
    versions(open_git(guarded, credentials=CREDENTIALS))
    assert calls
    assert not any(PASSWORD in argument for call in calls for argument in call)
    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert not any(PASSWORD.encode() in path.read_bytes() for path in files)


@pytest.mark.parametrize(
    ("uri", "credentials"),
    [
        ("https://someone:hunter2@host/books.git", {}),
        ("git://host/books.git", CREDENTIALS),
        ("https://host/books.git", {"token": "BOOKS_PASSWORD"}),
    ],
)
def test_settings_that_could_expose_a_secret_are_refused(uri, credentials):
    with pytest.raises(ValueError, match="credentials"):
        GitSettings(name="s", collection="c", kind="git", uri=uri, credentials=credentials)


@pytest.mark.parametrize("branch", ["-x", "a b", "a:b", "a*", ""])
def test_invalid_branch_name_is_refused(branch):
    with pytest.raises(ValueError, match="branch"):
        GitSettings(name="s", collection="c", kind="git", uri="/books", branch=branch)


@pytest.mark.parametrize(
    ("uri", "is_local"),
    [
        ("./books", True),
        ("/srv/books.git", True),
        ("git@host:books/books.git", False),
        ("ssh://git@host/books.git", False),
        ("https://host/books.git", False),
    ],
)
def test_uri_is_a_path_or_an_address(uri, is_local):
    settings = GitSettings(name="s", collection="c", kind="git", uri=uri)
    assert settings.is_local is is_local
    assert (settings.local_path is not None) is is_local


def test_version_lost_with_the_mirror_only_fails_itself(address, author, tmp_path, open_git):
    source = open_git(address)
    versions(source)
    author.write("a.md", "gamma")
    author.git("add", "--all")
    author.git("commit", "--quiet", "--amend", "--message", "amended")
    author.git("push", "--quiet", "--force", "origin", "main")
    author.git("gc", "--quiet", "--prune=now", cwd=author.bare)
    shutil.rmtree(tmp_path / "home" / "mirror")
    answers = {one.document_id: one for one in source.fetch_documents(["a.md", "deep/b.md"])}
    assert isinstance(answers["a.md"], FailedFetch)
    assert isinstance(answers["deep/b.md"], FetchedDocument)
    assert contents(open_git(address), "a.md") == [b"gamma"]
