"""The contract of every kind of source, tested for each entry of the registry.

Each kind has a module in `source_cases` that starts a real source: files, a server, a database.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from repository_files import REPOSITORY

from ragline.errors import SourceUnavailableError
from ragline.lifecycle.ledger import register_source
from ragline.lifecycle.listing import ListingCounts, apply_listing, read_listing
from ragline.sources.protocol import FailedFetch, FetchedDocument, Source
from ragline.sources.registry import KINDS, open_source
from ragline.sources.settings import SourceSettings

CASES = Path(__file__).parent / "source_cases"


def load_case(kind: str) -> ModuleType:
    spec = spec_from_file_location(f"source_case_{kind}", CASES / f"{kind}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class OpenCase:
    """One kind with a real source of two documents, with the words `alpha` and `beta`.

    `start(folder, database)` of a case yields an object with

    - `settings`: its configuration without name, collection and kind,
    - `edit()`: replaces alpha by gamma in one document,
    - `empty()`: makes the next listing complete and empty,
    - `restore()`: undoes `empty()`,
    - `go_away()`: makes the source unavailable.
    """

    def __init__(self, kind: str, folder: Path, database, case) -> None:
        self.kind, self.folder, self.database, self.case = kind, folder, database, case

    @property
    def settings(self) -> SourceSettings:
        return KINDS[self.kind].settings.model_validate(
            {"name": "s", "collection": "c", "kind": self.kind, **self.case.settings}
        )

    def open(self) -> Source:
        """The source as a new process opens it."""
        return open_source(self.settings, self.folder / "home", self.database)

    def apply_listing(self) -> ListingCounts:
        """Apply a listing to the ledger and return the counts."""
        source = self.open()
        with self.database.connect() as connection:
            listing = read_listing(connection, source)
        with self.database.begin() as connection:
            key = register_source(connection, self.settings)
            ratio = self.settings.max_removal_ratio
            return apply_listing(connection, key.id, source, listing, ratio)


@pytest.fixture(params=sorted(KINDS))
def case(request, tmp_path, database) -> Iterator[OpenCase]:
    with load_case(request.param).start(tmp_path, database) as started:
        yield OpenCase(request.param, tmp_path, database, started)


def fetch_text(source: Source) -> dict[str, str]:
    listed = [listed.document_id for listed in source.list_documents()]
    fetched = list(source.fetch_documents(listed))
    assert all(isinstance(document, FetchedDocument) for document in fetched), fetched
    return {
        document.document_id: document.text or document.content.decode()
        for document in fetched
        if isinstance(document, FetchedDocument)
    }


def test_every_kind_has_a_case():
    assert {path.stem for path in CASES.glob("*.py")} == set(KINDS)


LOAD_WITHOUT_EXTRAS = """
import re, sys, tomllib
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

def read_name(requirement):
    return re.sub(r"[-_.]+", "-", re.match(r"[\\w.-]+", requirement)[0]).lower()

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
extras = {read_name(one) for extra in project["optional-dependencies"].values() for one in extra}
missing = extras - {read_name(one) for one in project["dependencies"]}
for module, distributions in packages_distributions().items():
    if missing & {read_name(one) for one in distributions}:
        sys.modules[module] = None  # an import of it fails
from ragline.sources.registry import KINDS
for kind in KINDS.values():
    for path in (kind.settings_path, kind.source_path):
        import_module("ragline.sources." + path.partition(":")[0])
"""


def test_every_kind_loads_without_the_packages_of_the_extras():
    """Processes that only read the configuration, such as the service, lack the extras."""
    subprocess.run([sys.executable, "-c", LOAD_WITHOUT_EXTRAS], cwd=REPOSITORY, check=True)


def test_unavailable_source_raises_instead_of_listing_nothing(case):
    case.case.go_away()
    with pytest.raises(SourceUnavailableError):
        list(case.open().list_documents())
    with pytest.raises(SourceUnavailableError):
        case.open().probe()


def test_source_that_becomes_unavailable_after_a_listing_raises(case):
    list(case.open().list_documents())
    case.case.go_away()
    with pytest.raises(SourceUnavailableError):
        list(case.open().list_documents())


def test_listing_is_repeatable_and_names_each_document_once(case):
    first = list(case.open().list_documents())
    assert first == list(case.open().list_documents())
    assert len({listed.document_id for listed in first}) == len(first) == 2


def test_texts_are_returned(case):
    texts = fetch_text(case.open())
    assert any("alpha" in text for text in texts.values())
    assert any("beta" in text for text in texts.values())


def test_process_can_fetch_documents_that_it_did_not_list(case):
    ids = [listed.document_id for listed in case.open().list_documents()]
    fetched = list(case.open().fetch_documents(ids))
    assert sorted(document.document_id for document in fetched) == sorted(ids)
    assert all(isinstance(document, FetchedDocument) for document in fetched)


def test_each_requested_document_has_exactly_one_result(case):
    source = case.open()
    ids = [listed.document_id for listed in source.list_documents()]
    answers = list(source.fetch_documents([*ids, "never-listed"]))
    assert sorted(answer.document_id for answer in answers) == sorted([*ids, "never-listed"])
    failed = [answer for answer in answers if isinstance(answer, FailedFetch)]
    assert [answer.document_id for answer in failed] == ["never-listed"]


def test_probe_is_equal_while_nothing_changes(case):
    list(case.open().list_documents())
    assert case.open().probe() == case.open().probe()


def test_edit_changes_probe_version_and_text(case):
    before = {listed.document_id: listed.version for listed in case.open().list_documents()}
    probe = case.open().probe()
    case.case.edit()
    assert case.open().probe() != probe
    after = {listed.document_id: listed.version for listed in case.open().list_documents()}
    assert after.keys() == before.keys()
    changed = [name for name in after if after[name] != before[name]]
    assert len(changed) == 1
    assert "gamma" in fetch_text(case.open())[changed[0]]


def test_removal_of_all_documents_is_held_until_they_are_listed_again(case):
    assert case.apply_listing().added == 2
    case.case.empty()
    counts = case.apply_listing()
    # A pushed document is deleted by a request, and such a removal is never held.
    removed, held = (2, 0) if case.kind == "push" else (0, 2)
    assert (counts.listed, counts.removed, counts.held) == (0, removed, held)
    case.case.restore()
    counts = case.apply_listing()
    assert (counts.listed, counts.added, counts.held) == (2, removed, 0)
