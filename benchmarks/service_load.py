"""Measures the service with 1, 2, 4 … 64 clients. Each client searches again after each answer.

Usage: python benchmarks/service_load.py [FOLDER] [--seconds 60] [--clients 64] [--impatient]

The script indexes FOLDER/corpus.jsonl and starts `ragline serve` as a process. The default folder
is cranfield in the folder RAGLINE_TEST_DATA. The clients send the queries of FOLDER/queries.jsonl,
first without the reranker, then with it. The clients are threads of this process. If the service
refuses a request, the client waits for the time in the header Retry-After. With --impatient, the
client does not wait.

The script also measures the service's own cost. This is the time of a search by one client minus
the time of the bare loop. The bare loop runs in this process. It computes the query's vector and
executes the SQL statements of a search, without HTTP, messages, records and metrics. The bare
loop, the searcher in this process and one client alternate every five seconds, so that other load
affects all three.

In the last part, one client searches while another client repeatedly sends half a megabyte of
abstracts to rerank or to embed. The script prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlsplit

from ragline.configuration import Configuration, load_configuration
from ragline.search.candidates import Retrieval, retrieve_candidates
from ragline.search.messages import SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import open_database
from ragline.storage.generation_tables import load_generation_statement

REPOSITORY = Path(__file__).parent.parent
TEST_DATA = Path(os.environ.get("RAGLINE_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
CONFIGURATION = """\
sources:
  - name: corpus
    collection: bench
    kind: records
    uri: '{corpus}'
    fields: {{id: _id, title: title, text: text}}
"""
COLUMNS = (
    "clients", "answers", "refused", "refused after, p99", "per second", "p50", "p95", "p99",
)  # fmt: skip
TOP_K = 10
MAX_START_S = 120.0
MAX_ANSWER_S = 60.0
OK = 200
STRIDE = 17
TURN_S = 5.0
BULK = ("/v1/rerank", "/v1/embeddings")
# The number of abstracts in a large request, and the length to which each abstract is truncated.
# Each abstract then fits the model, and all together fit the size limit of a request.
BULK_TEXTS = 600
BULK_CHARACTERS = 900
# The status of an answer and its duration in seconds.
Asked = tuple[int, float]
# Sends one query. Returns the status and the seconds to wait before the next query.
Ask = Callable[[str], tuple[int, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=TEST_DATA / "cranfield")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each step")
    parser.add_argument("--clients", type=int, default=64, help="of the last step")
    parser.add_argument("--impatient", action="store_true", help="ignore Retry-After")
    options = parser.parse_args()
    queries = [row["text"] for row in read_lines(options.folder / "queries.jsonl")]
    with tempfile.TemporaryDirectory(prefix="ragline-bench-") as name:
        path = Path(name) / "ragline.yaml"
        corpus = (options.folder / "corpus.jsonl").resolve()
        path.write_text(CONFIGURATION.format(corpus=corpus), encoding="utf-8")
        subprocess.run([sys.executable, "-m", "ragline", "sync"], cwd=name, check=True)
        print(
            "| | clients | answers | refused | refused after, p99 | per second | p50 | p95 | p99 |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        with served(path) as address:
            measure_own_cost(address, load_configuration(path), queries, options.seconds)
            for rerank in (False, True):
                clients = 1
                while clients <= options.clients:
                    ask = partial(asking, address, rerank=rerank, impatient=options.impatient)
                    asked, elapsed_s = ask_side_by_side(ask, queries, clients, options.seconds)
                    report("reranked" if rerank else "search", asked, elapsed_s)
                    clients *= 2
            texts = [f"{row['title']} {row['text']}" for row in read_lines(corpus)]
            for path_of_bulk in BULK:
                measure_during_bulk(address, path_of_bulk, texts, queries, options.seconds)


def read_lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


@contextmanager
def served(path: Path) -> Iterator[str]:
    """Run `ragline serve` with a configuration. Yields host and port when the service is ready."""
    command = [sys.executable, "-m", "ragline", "serve", "--config", str(path), "--port", "0"]
    # The log goes to a file. A pipe that no process reads would fill up and block the service.
    log = path.parent / "serve.log"
    with (
        log.open("w", encoding="utf-8") as written,
        subprocess.Popen(command, cwd=path.parent, stderr=written) as service,
    ):
        try:
            deadline = time.monotonic() + MAX_START_S
            while (address := find_ready(log.read_text("utf-8"))) is None:
                assert service.poll() is None, log.read_text("utf-8")
                assert time.monotonic() < deadline, "it was not ready in time"
                time.sleep(0.2)
            yield address
        finally:
            service.terminate()


def find_ready(log: str) -> str | None:
    """Return the address in the log, or None until /readyz answers there with the status 200."""
    found = re.search(r"http://127\.0\.0\.1:\d+", log)
    if found is None:
        return None
    address = urlsplit(found[0]).netloc
    connection = HTTPConnection(address, timeout=MAX_ANSWER_S)
    try:
        connection.request("GET", "/readyz")
        is_ready = connection.getresponse().status == OK
    except ConnectionError:
        is_ready = False
    finally:
        connection.close()
    return address if is_ready else None


def measure_own_cost(
    address: str, configuration: Configuration, queries: list[str], seconds: float
) -> None:
    """Print a row for each of three ways to search, and a row for the service's own cost.

    The ways are the bare loop, the searcher in this process, and one client. They alternate.
    """
    (settings,) = configuration.collections
    with open_database(configuration) as database, asking(address, rerank=False) as ask_service:
        searcher = Searcher(database, configuration)
        searcher.warm()
        embedder = searcher.embedder(settings.embedding_model)

        def ask_bare(query: str) -> tuple[int, float]:
            generation = searcher.live_generation(settings.name)
            retrieval = Retrieval(
                generation=generation,
                settings=settings.search,
                mode="hybrid",
                queries=(query,),
                vectors=(embedder.embed_query(query),),
                limit=TOP_K,
                ef_search=settings.vector_index.ef_search,
            )
            statement = load_generation_statement("search/select_hits", generation.id)
            with database.begin() as connection:
                candidates, _ = retrieve_candidates(connection, retrieval)
                ids = [candidate.id for candidate in candidates]
                assert connection.execute(statement, {"ids": ids}).all()
            return OK, 0.0

        def ask_searcher(query: str) -> tuple[int, float]:
            request = SearchRequest(settings.name, query, top_k=TOP_K)
            assert searcher.search(request).hits
            return OK, 0.0

        ways = {"bare loop": ask_bare, "searcher": ask_searcher, "search": ask_service}
        asked: dict[str, list[Asked]] = {name: [] for name in ways}
        for turn in range(max(1, round(seconds / TURN_S))):
            ordered = rotate(queries, turn * STRIDE)
            for name, ask in ways.items():
                asked[name] += ask_until(ask, ordered, time.monotonic() + min(TURN_S, seconds))
    for name, answers in asked.items():
        report(name, [answers], sum(took for _, took in answers))
    half = {name: median(took for _, took in answers) for name, answers in asked.items()}
    own_ms = 1e3 * (half["search"] - half["bare loop"])
    print(f"| the service's own cost | 1 | | | | | {own_ms:.1f} ms | | |")


@contextmanager
def asking(address: str, *, rerank: bool, impatient: bool = False) -> Iterator[Ask]:
    """Yield a function that sends a query to the service. It uses a separate connection."""
    connection = HTTPConnection(address, timeout=MAX_ANSWER_S)

    def ask(query: str) -> tuple[int, float]:
        body = {"collection": "bench", "query": query, "top_k": TOP_K, "rerank": rerank}
        status, wait_s = post(connection, "/v1/search", body)
        return status, 0.0 if impatient else wait_s

    try:
        yield ask
    finally:
        connection.close()


def post(connection: HTTPConnection, path: str, body: dict[str, Any]) -> tuple[int, float]:
    """Send a request. Returns the status, and the seconds in the header Retry-After or 0."""
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status, float(answer.headers.get("Retry-After", 0))


def ask_side_by_side(
    open_client: Callable[[], AbstractContextManager[Ask]],
    queries: list[str],
    clients: int,
    seconds: float,
) -> tuple[list[list[Asked]], float]:
    """Run several clients at the same time.

    Returns the answers of each client, and the seconds until the last answer.
    """
    started = time.monotonic()

    def be_client(number: int) -> list[Asked]:
        with open_client() as ask:
            return ask_until(ask, rotate(queries, number * STRIDE), started + seconds)

    with ThreadPoolExecutor(clients) as threads:
        asked = list(threads.map(be_client, range(clients)))
    return asked, time.monotonic() - started


def measure_during_bulk(
    address: str, path: str, texts: list[str], queries: list[str], seconds: float
) -> None:
    """Print rows for one client, while another client sends large requests.

    The first row is without the reranker, the second row with it. The third row is for the large
    requests.
    """
    bulk = [text[:BULK_CHARACTERS] for text in texts[:BULK_TEXTS]]
    body = {"input": bulk} if "embed" in path else {"query": queries[0], "documents": bulk}
    stopped = threading.Event()

    def send_bulk() -> list[Asked]:
        connection = HTTPConnection(address, timeout=MAX_ANSWER_S)
        asked = []
        while not stopped.is_set():
            started = time.monotonic()
            status, _ = post(connection, path, body)
            asked.append((status, time.monotonic() - started))
        connection.close()
        return asked

    with ThreadPoolExecutor(1) as threads:
        bulk_sent = threads.submit(send_bulk)
        for rerank in (False, True):
            ask = partial(asking, address, rerank=rerank)
            asked, elapsed_s = ask_side_by_side(ask, queries, 1, seconds)
            report(f"{'reranked' if rerank else 'search'} during {path}", asked, elapsed_s)
        stopped.set()
        report(path, [bulk_sent.result()], 2 * seconds)


def rotate(queries: list[str], first: int) -> list[str]:
    """Return the queries in rotated order, so that clients send different queries."""
    first %= len(queries)
    return queries[first:] + queries[:first]


def ask_until(ask: Ask, queries: list[str], deadline: float) -> list[Asked]:
    """Send queries until the deadline. Returns the status and the duration of each answer."""
    asked = []
    for query in cycle(queries):
        started = time.monotonic()
        if started >= deadline:
            break
        status, wait_s = ask(query)
        asked.append((status, time.monotonic() - started))
        time.sleep(wait_s)
    return asked


def report(name: str, asked: list[list[Asked]], elapsed_s: float) -> None:
    """Print a row for the answers of all clients.

    The times p50, p95 and p99 are those of successful answers.
    """
    statuses = Counter(status for one in asked for status, _ in one)
    times_ms = [1e3 * took for one in asked for status, took in one if status == OK]
    refused_ms = [1e3 * took for one in asked for status, took in one if status != OK]
    refused = ", ".join(
        f"{count} × {status}" for status, count in sorted(statuses.items()) if status != OK
    )
    cells = [name, len(asked), statuses[OK], refused or 0, percentile(refused_ms, 99)]
    cells += [f"{statuses[OK] / elapsed_s:.1f}", *(percentile(times_ms, p) for p in (50, 95, 99))]
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def percentile(times_ms: list[float], percent: int) -> str:
    if len(times_ms) <= 1:
        return "–"
    return f"{quantiles(times_ms, n=100, method='inclusive')[percent - 1]:.1f} ms"


if __name__ == "__main__":
    main()
