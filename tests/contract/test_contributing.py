"""The recipes of CONTRIBUTING.md: what they name exists, and following them works."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest
from repository_files import REPOSITORY, is_python, list_files, read_text

from ragline.lifecycle.states import STATES
from ragline.parsing.formats import PARSER_VERSION, parser_fingerprint

GUIDE = "CONTRIBUTING.md"
FILES = list_files()
# A word in capital letters, as part of a path, is to be replaced by a name.
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b|(?<=_)[A-Z]{3,}(?=[._])")


def list_recipes() -> dict[str, list[str]]:
    """The numbered steps of each recipe, by its heading."""
    _, _, recipes = read_text(GUIDE).partition("\n## Recipes\n")
    return {
        heading: re.findall(r"^\d+\. .*(?:\n   .*)*", body, re.MULTILINE)
        for heading, body in re.findall(
            r"^### (.*)\n((?:(?!^##).*\n)*)", recipes + "\n", re.MULTILINE
        )
    }


RECIPES = list_recipes()


def list_quoted(text: str) -> list[str]:
    """The texts in backquotes."""
    return re.findall(r"`([^`]+)`", text)


def is_path(quoted: str) -> bool:
    return re.fullmatch(r"[\w.-]+(/[\w.-]*)+|[\w-]+\.(toml|md|py)|Makefile", quoted) is not None


def find_named(path: str) -> list[str]:
    """The files that a path names; a placeholder matches every name."""
    pattern = re.compile(r"\w+".join(map(re.escape, PLACEHOLDER.split(path))) + r"(/.*)?")
    return [name for name in FILES if pattern.fullmatch(name) or name.startswith(path)]


STEPS = [(recipe, " ".join(step.split())) for recipe, steps in RECIPES.items() for step in steps]


def test_recipes_are_those_that_the_guide_promises() -> None:
    kinds = (
        "package", "kind of source", "reader of a format", "reranker", "endpoint",
        "check of documents or chunks", "check of the index", "check of the gate", "alarm",
        "metric", "measure of the evaluation",
    )  # fmt: skip
    assert [heading.split(" ", 2)[2] for heading in RECIPES] == list(kinds)
    assert all(len(steps) >= 3 for steps in RECIPES.values())


@pytest.mark.parametrize(("recipe", "step"), STEPS)
def test_files_of_a_step_exist(recipe: str, step: str) -> None:
    paths = [quoted for quoted in list_quoted(step) if is_path(quoted)]
    assert [path for path in paths if not find_named(path)] == [], recipe


@pytest.mark.parametrize(("recipe", "step"), STEPS)
def test_names_of_a_step_are_in_its_files(recipe: str, step: str) -> None:
    """A name that a step quotes is a word of a file that its recipe names."""
    whole = "\n".join(RECIPES[recipe])
    paths = [quoted for quoted in list_quoted(whole) if is_path(quoted)]
    texts = [read_text(name) for path in paths for name in find_named(path)]
    names = [
        quoted
        for quoted in list_quoted(step)
        if re.fullmatch(r"\w+", quoted) and not quoted.endswith("_RULE") and quoted not in STATES
    ]
    missing = [name for name in names if not any(re.search(rf"\b{name}\b", text) for text in texts)]
    assert missing == [], recipe


class Copy:
    """A copy of the repository in which a recipe is followed."""

    def __init__(self, folder: Path, session: dict[str, str]) -> None:
        """`session` are the variables by which its tests share the server and the models."""
        self.folder = folder
        self.session = session
        # The tests and the rows of the reference that the recipes ask for.
        self.words: list[str] = []
        self.paths: dict[str, None] = {}
        self.rows: list[tuple[str, str]] = []
        for name in FILES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            # With the time of the original, so that the compiled module is valid.
            shutil.copy2(REPOSITORY / name, folder / name)
            compiled = Path(cache_from_source(name)) if is_python(name) else None
            if compiled is not None and (REPOSITORY / compiled).exists():
                (folder / compiled).parent.mkdir(exist_ok=True)
                shutil.copy2(REPOSITORY / compiled, folder / compiled)

    def write(self, path: str, content: str) -> None:
        """Add a file."""
        (self.folder / path).parent.mkdir(exist_ok=True)
        (self.folder / path).write_text(content, "utf-8")

    def read(self, path: str) -> str:
        """The text of a file."""
        return (self.folder / path).read_text("utf-8")

    def insert(self, path: str, opening: str, line: str) -> None:
        """Insert a line below the one that begins with `opening`, which occurs once."""
        text = self.read(path)
        found = re.findall(rf"^{re.escape(opening)}.*[\[({{]\n", text, re.MULTILINE)
        assert len(found) == 1, f"{path} has no line that begins with {opening}"
        self.write(path, text.replace(found[0], f"{found[0]}{line}\n"))

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace a text that occurs once."""
        text = self.read(path)
        assert text.count(old) == 1, f"{path} does not contain {old} once"
        self.write(path, text.replace(old, new))

    def run(self, program: str) -> str:
        """The output of a program that imports the packages of the copy."""
        return self._call("-c", program)

    def ask_for_tests(self, words: str, *paths: str) -> None:
        """Have the tests of these files run whose names contain one of the words."""
        self.words.append(words)
        self.paths |= dict.fromkeys(paths)

    def ask_for_row(self, page: str, row: str) -> None:
        """Have the reference on a page checked for a row."""
        self.rows.append((page, row))

    def check(self) -> None:
        """Do what `make reference` does, and run the tests that the recipes asked for."""
        self._call("scripts/write_reference.py")
        assert [row for page, row in self.rows if row not in self.read(page)] == []
        options = ("-q", "-x", "-p", "no:cacheprovider", "-n", "0")
        words = " or ".join(self.words)
        self._call("-m", "pytest", *options, "-k", words, *self.paths, **self.session)

    def _call(self, *arguments: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={"PYTHONPATH": str(self.folder), "PATH": "/usr/bin:/bin", **environment},
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()


@pytest.fixture
def copy(tmp_path: Path, server: str, session_folder: Path) -> Copy:
    session = {
        "RAGLINE_TEST_DATABASE_URL": server,
        "RAGLINE_TEST_SESSION": str(session_folder),
    }
    return Copy(tmp_path, session)


NOTES_SETTINGS = """
from typing import Literal

from ragline.sources.settings import LocatedSettings


class NotesSettings(LocatedSettings):
    kind: Literal["notes"]
"""
NOTES_SOURCE = """
import json

from ragline.errors import DocumentUnreadableError, SourceUnavailableError
from ragline.fingerprints import fingerprint
from ragline.sources.protocol import FailedFetch, FetchedDocument, ListedDocument


class NotesSource:
    def __init__(self, settings):
        self.path = settings.local_path

    def list_documents(self):
        for name, text in self._read().items():
            yield ListedDocument(name, fingerprint({"text": text}))

    def fetch_documents(self, document_ids):
        notes = self._read()
        for name in document_ids:
            if name in notes:
                yield FetchedDocument(name, notes[name].encode(), name, text=notes[name])
            else:
                yield FailedFetch(name, DocumentUnreadableError("there is no such note"))

    def probe(self):
        return fingerprint(self._read())

    def _read(self):
        try:
            return json.loads(self.path.read_text("utf-8"))
        except OSError as error:
            raise SourceUnavailableError(f"the notes cannot be read: {error}") from error
"""
NOTES_CASE = """
import contextlib
import json


class Case:
    def __init__(self, folder):
        self.path = folder / "notes.json"
        self.settings = {"uri": str(self.path)}
        self.restore()

    def write(self, **notes):
        self.path.write_text(json.dumps(notes), "utf-8")

    def edit(self):
        self.write(a="gamma!", b="beta")

    def empty(self):
        self.write()

    def restore(self):
        self.write(a="alpha", b="beta")

    def go_away(self):
        self.path.unlink()


@contextlib.contextmanager
def start(folder, database):
    yield Case(folder)
"""
NOTES_WORLD = """
class NotesWorld:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "notes.json"
        self.settings: dict[str, Any] = {"uri": str(self.path)}

    def write(self, documents: Mapping[str, str]) -> None:
        self.path.write_text(json.dumps(documents), "utf-8")


@contextmanager
def start_world"""
NOTES_SECTION = """
## notes

```yaml
sources:
  - name: notes
    collection: handbook
    kind: notes
    uri: ./notes.json
```

<!-- reference: settings of notes -->
<!-- end of reference -->
"""


def follow_source_recipe(copy: Copy) -> None:
    """Add the kind of source `notes`."""
    package = "ragline/sources/notes"
    copy.write(f"{package}/__init__.py", '"""The kind `notes`: the texts of a JSON object."""\n')
    copy.write(f"{package}/settings.py", NOTES_SETTINGS)
    copy.write(f"{package}/source.py", NOTES_SOURCE)
    copy.insert(
        "ragline/sources/registry.py",
        "KINDS",
        '    "notes": Kind("notes.settings:NotesSettings", "notes.source:NotesSource",\n'
        "                  is_listed_cheaply=True, is_probe_complete=True),",
    )
    copy.write("tests/contract/source_cases/notes.py", NOTES_CASE)
    worlds = "tests/local_sources.py"
    copy.replace(worlds, "\n@contextmanager\ndef start_world", NOTES_WORLD)
    copy.insert(worlds, "        worlds = ", '            "notes": lambda: NotesWorld(folder),')
    copy.insert(
        "tests/integration/test_every_setting.py",
        "OF_KIND",
        '    "notes": {"uri": [Wrong("./nowhere.json", "away"), Wrong("", "refused")]},',
    )
    page = "docs/sources.md"
    copy.write(page, copy.read(page) + NOTES_SECTION)
    row = "| `notes` | the texts of a JSON object | after each run and every hour |"
    copy.ask_for_row(page, row)
    copy.ask_for_tests(
        "notes or every_kind or each_setting or test_reference or fault_names_its_line",
        "tests/contract/test_sources.py",
        "tests/contract/test_documentation.py",
        "tests/contract/test_source_documentation.py",
        "tests/contract/test_reference.py",
        "tests/unit/test_configuration.py",
        "tests/integration/test_every_setting.py",
    )


TENANT_MESSAGE = """
from retrieval_api.messages.fields import ResponseModel


class CallerTenant(ResponseModel):
    tenant: str | None
"""
TENANT_ROUTE = """
from fastapi import APIRouter

from retrieval_api.access.callers import SearchCaller
from retrieval_api.messages.tenants import CallerTenant
from retrieval_api.openapi import describe_problems

router = APIRouter(tags=["search"])


@router.get("/v1/tenant", summary="Name the tenant", responses=describe_problems())
def name_tenant(caller: SearchCaller) -> CallerTenant:
    return CallerTenant(tenant=caller.tenant)
"""
TENANT_TEST = """
def test_tenant_is_named(client):
    assert client.get("/v1/tenant").json() == {"tenant": None}
"""


def follow_endpoint_recipe(copy: Copy) -> None:
    """Add the endpoint `/v1/tenant`."""
    copy.write("retrieval_api/messages/tenants.py", TENANT_MESSAGE)
    copy.write("retrieval_api/routes/tenants.py", TENANT_ROUTE)
    copy.insert("retrieval_api/app.py", "from retrieval_api.routes import", "    tenants,")
    copy.insert("retrieval_api/app.py", "    for routes in", "        tenants,")
    known = "tests/integration/service/test_service_collections.py"
    copy.replace(known, '        "/healthz",\n', '        "/healthz",\n        "/v1/tenant",\n')
    copy.write("tests/integration/service/test_service_tenants.py", TENANT_TEST)
    row = "| `POST /v1/rerank`"
    copy.replace("docs/api.md", row, f"| `GET /v1/tenant` | the tenant of the key |\n{row}")
    copy.ask_for_tests(
        "tenant_is_named or lists_every_endpoint or every_endpoint_is_listed or test_reference",
        known,
        "tests/integration/service/test_service_tenants.py",
        "tests/contract/test_documentation.py",
        "tests/contract/test_reference.py",
    )


def follow_reader_recipe(copy: Copy) -> None:
    """Add a reader of `.ini` files."""
    copy.write(
        "ragline/parsing/readers/ini.py",
        "from ragline.parsing.readers.plain_text import read_plain_text\n\n"
        "def read_ini(content, file_type):\n"
        "    return read_plain_text(content.replace(b'=', b' is '), file_type)\n",
    )
    formats = "ragline/parsing/formats.py"
    row = '"ini", "Settings", "text/x-ini", "ini:read_ini", (".ini",), is_text=True'
    copy.insert(formats, "_FORMATS", f"    Format({row}),")
    raised = f"PARSER_VERSION = {PARSER_VERSION + 1}"
    copy.replace(formats, f"PARSER_VERSION = {PARSER_VERSION}", raised)
    said = copy.run(
        "from ragline.parsing.readers.dispatch import ReaderDispatch\n"
        "from ragline.parsing.formats import media_type_of, parser_fingerprint\n"
        "parsed = ReaderDispatch().parse_document(b'colour=blue', 'shop.ini')\n"
        "print(parsed.text, parsed.file_type, media_type_of('ini'), parser_fingerprint())"
    )
    text, _, fingerprint = said.rpartition(" ")
    assert text == "colour is blue ini text/x-ini"
    assert fingerprint != parser_fingerprint()
    row = '        "a.rtf": '
    copy.replace("tests/broken_files.py", row, f'        "a.ini": b"colour=blue",\n{row}')
    copy.replace("docs/formats.md", "| epub, odt", "| ini | the extra `pipeline` |\n| epub, odt")
    copy.ask_for_row("docs/formats.md", "| Settings | `.ini` | `text/x-ini` |")
    for binary in ("examples/handbook/mail", "tests/data/broken/empty"):
        shutil.copytree(REPOSITORY / binary, copy.folder / binary, dirs_exist_ok=True)
    copy.ask_for_tests("format", "tests/contract/test_formats.py")


def follow_reranker_recipe(copy: Copy) -> None:
    """Add the reranker `shortest`."""
    copy.write(
        "ragline/rerankers/shortest.py",
        "class ShortestReranker:\n"
        "    name = 'shortest'\n"
        "    def __init__(self, embedder): pass\n"
        "    def score_texts(self, query, texts): return [-len(text) for text in texts]\n",
    )
    entry = 'NAMED_RERANKERS = {"shortest": "shortest:ShortestReranker", '
    copy.replace("ragline/rerankers/__init__.py", "NAMED_RERANKERS = {", entry)
    said = copy.run(
        "from ragline.rerankers.reranker import load_reranker\n"
        "print(load_reranker('shortest', None).score_texts('', ['tea', 'coffee']))"
    )
    assert said == "[-3, -6]"
    described = "Every other value is the name or the folder"
    copy.replace(
        "ragline/configuration/collection_settings.py",
        described,
        f"`shortest` is short. {described}",
    )
    copy.ask_for_tests("names_each_reranker", "tests/unit/test_reranking.py")


CHECKS = int(re.findall(r"^checks: (\d+) passed", read_text("README.md"), re.MULTILINE)[0])
LONG_TEXTS = """-- Documents with an entry of a long text: (document_id, document_key).
select e.document_id, e.document_key
from ragline.entries_generation as e
where
  e.source = cast(:source as text)
  and (
    cast(:parts as bigint) = 1
    or mod(e.document_key, cast(:parts as bigint)) = cast(:part as bigint)
  )
  and length(e.text) > 9000
group by e.document_id, e.document_key
"""


def follow_check_recipes(copy: Copy) -> None:
    """Add an expectation on documents and an invariant of the index."""
    copy.insert(
        "assets/document_checks.py",
        "DOCUMENT_EXPECTATIONS",
        '    Expectation("ids_are_short", "Ids are short.",\n'
        '                "ExpectColumnValueLengthsToBeBetween",\n'
        '                {"column": "document_id", "max_value": 100}, "critical"),',
    )
    copy.write("sql/queries/checks/long_texts.sql", LONG_TEXTS)
    copy.insert(
        "ragline/lifecycle/invariants.py",
        "INVARIANTS",
        '    Invariant("long_texts", "No entry has a long text."),',
    )
    said = copy.run(
        "from pathlib import Path\n"
        "from dagster_project.definitions import build_definitions\n"
        "from ragline.configuration import load_configuration\n"
        "configuration = load_configuration(Path('examples/ragline.yaml'))\n"
        "graph = build_definitions(configuration).get_repository_def().asset_graph\n"
        "keys = [key for key in graph.asset_check_keys\n"
        "        if key.asset_key.path[-1].startswith('glossary')]\n"
        "print({key.name for key in keys} & {'ids_are_short', 'no_long_texts'},\n"
        "      {graph.get_check_spec(key).blocking for key in keys\n"
        "       if key.name in ('ids_are_short', 'no_long_texts')})"
    )
    assert "ids_are_short" in said
    assert "no_long_texts" in said
    assert said.endswith("{True}")
    proof = "tests/integration/test_sync_proof.py"
    change = "update ragline.entries_1 set text = repeat('x', 9999) where document_id = 'cleo.md'"
    copy.insert(proof, "FAULTS", f'    "a long text": ("{change}", ("cleo.md", "long texts")),')
    faults = "tests/integration/test_planted_faults.py"
    change = "update ragline.documents set document_id = repeat('x', 200) || document_id"
    copy.insert(faults, "FAULTS", f'    "ids_are_short": "{change}",')
    # The examples have three sources, so each check counts three times.
    copy.replace("README.md", f"checks: {CHECKS} passed", f"checks: {CHECKS + 6} passed")
    definitions = "tests/contract/test_definitions.py"
    words = "long or ids_are_short or has_a_fault or number_of_checks"
    copy.ask_for_tests(words, proof, faults, definitions)


def follow_metric_recipe(copy: Copy) -> None:
    """Add the gauge `ragline_sources`."""
    metrics = "retrieval_api/observation/pipeline_metrics.py"
    copy.insert(metrics, "GAUGES", '    ("ragline_sources", "The number of sources.", ()),')
    copy.replace(
        metrics,
        "    for source in status.sources:\n",
        '    yield "ragline_sources", (), len(status.sources)\n    for source in status.sources:\n',
    )
    said = copy.run(
        "from types import SimpleNamespace\n"
        "from retrieval_api.observation.pipeline_metrics import GAUGES, describe_status\n"
        "samples = describe_status(SimpleNamespace(sources=[], collections=[]))\n"
        "print(GAUGES[0][0], list(samples))"
    )
    assert said == "ragline_sources [('ragline_sources', (), 0)]"
    panel = "max by (source) (ragline_source_entries{"
    copy.replace("deploy/grafana/dashboard.json", panel, f"ragline_sources + {panel}")
    copy.ask_for_row("docs/monitoring.md", "| `ragline_sources` |")
    copy.ask_for_tests("every_series or panel_uses", "tests/contract/test_deploy.py")


# The machine may be doing other things.
@pytest.mark.timeout(900)
@pytest.mark.slow
def test_copy_in_which_every_recipe_is_followed_passes_its_tests(copy: Copy) -> None:
    """All recipes are followed in one copy, because each run of pytest takes seconds to start."""
    follow_source_recipe(copy)
    follow_endpoint_recipe(copy)
    follow_reader_recipe(copy)
    follow_reranker_recipe(copy)
    follow_check_recipes(copy)
    follow_metric_recipe(copy)
    copy.check()
