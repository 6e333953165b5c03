"""Measures how retrieval systems follow the changes of their source.

Run in the repository: python -m benchmarks.churn [FOLDER] [--every 8] [--system ragline …]
[--seed 7] [--json FILE]. Without FOLDER, the documents are those of peps/base in the folder
RAGLINE_TEST_DATA if it exists, otherwise those of examples/peps.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

from benchmarks.churn.measuring import FirstIndexError, Measurement, Measuring
from benchmarks.churn.peer_system import PeerError, PeerSystem
from benchmarks.churn.processes import REPOSITORY, can_be_refused
from benchmarks.churn.ragline_system import RaglineSystem
from benchmarks.churn.report import format_step, format_summary, write_json
from benchmarks.churn.scenario import plan_steps
from benchmarks.churn.source_tree import SourceTree, read_documents
from benchmarks.churn.system import System

TEST_DATA = Path(os.environ.get("RAGLINE_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
PEERS = ("langchain", "llamaindex")
SYSTEMS = ("ragline", *PEERS)


def main() -> None:
    arguments = read_arguments()
    documents = read_documents(arguments.folder, arguments.every)
    if not documents:
        sys.exit(f"{arguments.folder}: there is no text that is long enough")
    print(f"{len(documents)} documents of {arguments.folder.name}, seed {arguments.seed}")
    measurements = []
    with (
        tempfile.TemporaryDirectory(prefix="churn-") as name,
        open_server(arguments.database_url, Path(name)) as address,
    ):
        for system in arguments.system or SYSTEMS:
            try:
                one = measure_system(system, documents, arguments, Path(name), address)
            except (FirstIndexError, PeerError) as error:
                print(f"not measured: {error}", file=sys.stderr)
                continue
            measurements.append(one)
            # The file is written after each system, because the next system can fail.
            if arguments.json:
                write_json(arguments.json, measurements, describe_run(arguments))
    print("\n" + format_summary(measurements))
    sys.exit(0 if len(measurements) == len(arguments.system or SYSTEMS) else 1)


def describe_run(arguments: argparse.Namespace) -> dict[str, object]:
    """Return the settings and the machine of a run, so that the run can be repeated."""
    return {
        "folder": arguments.folder.name,
        "every": arguments.every,
        "seed": arguments.seed,
        "embedder": arguments.embedder,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
    }


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.churn", description=__doc__.partition("\n")[0]
    )
    peps = TEST_DATA / "peps" / "base"
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=peps if peps.is_dir() else REPOSITORY / "examples" / "peps",
    )
    parser.add_argument("--every", type=int, default=8, help="take every n-th document")
    parser.add_argument(
        "--system", action="append", choices=SYSTEMS, help="repeatable; default: all"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--crashes", type=int, default=3)
    parser.add_argument(
        "--embedder",
        choices=["model", "hash"],
        default="model",
        help="how the peers embed; hash is a fast substitute, Ragline always uses its model",
    )
    parser.add_argument(
        "--peers-python",
        type=Path,
        default=REPOSITORY / ".venv-peers" / "bin" / "python",
        help="the Python that has peers.txt installed",
    )
    parser.add_argument("--database-url", help="a Postgres with pgvector; default: a temporary one")
    parser.add_argument("--json", type=Path, help="file to write all results to")
    return parser.parse_args()


@contextmanager
def open_server(stated: str | None, folder: Path) -> Iterator[str]:
    """Yield the address of the database server that all systems share.

    `stated` is the address of an existing server. If it is None, a temporary server is started.
    """
    if stated is not None:
        yield stated
        return
    # This import is here because a run with --database-url needs no part of Ragline.
    from ragline.storage.embedded_postgres import embedded_postgres

    with embedded_postgres(folder / "server") as address:
        # Syncs run without root's right to enter every folder, but they must enter this one. Only
        # this user can enter its parent folder.
        (folder / "server" / "run").resolve().chmod(0o711)
        yield address


def measure_system(
    name: str, documents: dict[str, str], arguments: argparse.Namespace, home: Path, server: str
) -> Measurement:
    """Run the whole scenario with one system and an empty database."""
    print(f"\n{name}", flush=True)
    folder = home / name
    folder.mkdir()
    tree = SourceTree(folder / "tree", documents, arguments.seed)
    address = create_database(server, f"churn_{name}")
    with closing(make_system(name, folder, address, arguments)) as system:
        lacking = () if can_be_refused() else ("readable",)
        return Measuring(system, tree, lacking).run(
            plan_steps(arguments.seed, arguments.crashes),
            lambda result: print(format_step(result), flush=True),
        )


def make_system(name: str, folder: Path, address: str, arguments: argparse.Namespace) -> System:
    if name == "ragline":
        return RaglineSystem(folder, address)
    return PeerSystem(name, arguments.peers_python, folder, address, arguments.embedder)


def create_database(server: str, name: str) -> str:
    """Create an empty database on the server and return its address."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)".encode())
        connection.execute(f"create database {name}".encode())
    head, query = server.partition("?")[::2]
    address = f"{head.rpartition('/')[0]}/{name}"
    return f"{address}?{query}" if query else address


if __name__ == "__main__":
    main()
