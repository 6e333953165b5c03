"""The churn benchmark: its changes repeat, and its judge finds what is planted."""

from __future__ import annotations

import json

import pytest

from benchmarks.churn.judging import judge_entries
from benchmarks.churn.marks import MarkMaker, find_marks, list_passages, mark_passages
from benchmarks.churn.measuring import NEVER, FirstIndexError, Measuring, find_percentile
from benchmarks.churn.report import format_step, format_summary, write_json
from benchmarks.churn.scenario import TEAM, plan_steps
from benchmarks.churn.source_tree import SourceTree, read_documents
from benchmarks.churn.system import SYNC_TIMEOUT_S, Entry

PASSAGE = "Sentence {number} of document {name} says something that no other sentence says."


@pytest.fixture
def documents():
    return {
        f"part/{name}.txt": "\n\n".join(
            ["A heading", *[PASSAGE.format(number=number, name=name) for number in range(6)]]
        )
        for name in range(60)
    }


@pytest.fixture
def make_tree(tmp_path, documents):
    def make(name="tree", seed=7):
        return SourceTree(tmp_path / name, documents, seed)

    return make


class PatientSync:
    """A sync that runs if the caller waits for its end, and does not run if it is to be killed."""

    def __init__(self, run):
        self._run = run
        self._failed = None

    def wait(self, timeout_s):
        if timeout_s < SYNC_TIMEOUT_S:
            return False
        try:
            self._run()
        except OSError as error:
            self._failed = str(error)
        return True

    def kill(self):
        pass

    def error(self):
        return self._failed


class PassageIndex:
    """A faultless system in this process: an entry for each passage, an embedding for each text.

    Searches rank by shared words.
    """

    name = "faultless"
    has_permissions = True

    def __init__(self):
        self._passages = {}
        self._embedded = set()
        self._rules = {}
        self._made = 0

    def describe(self):
        return {}

    def prepare(self, tree):
        self._tree = tree

    def start_sync(self):
        return PatientSync(self.sync)

    def sync(self):
        # Raises when the tree is away, or a folder of it cannot be read.
        next(self._tree.iterdir())
        found = self.read_tree()
        if len(found) > 0.8 * len(self._passages):
            self._passages = found
        else:
            self._passages |= found
        texts = {text for passages in found.values() for text in passages}
        self._made += len(texts - self._embedded)
        self._embedded |= texts

    def read_tree(self):
        folders = [folder for folder in self._tree.iterdir() if folder.stat().st_mode & 0o700]
        return self._locked(folders) | {
            path.relative_to(self._tree).as_posix(): list_passages(path.read_text())
            for folder in folders
            for path in folder.rglob("*.txt")
        }

    def _locked(self, folders):
        names = {folder.name for folder in folders}
        return {
            path: kept for path, kept in self._passages.items() if path.split("/")[0] not in names
        }

    def entries(self):
        return [Entry(path, text) for path, texts in self._passages.items() for text in texts]

    def search(self, query, k, principal=None):
        words = set(query.split())
        shown = [one for one in self.entries() if self._is_shown(one.path, principal)]
        return sorted(shown, key=lambda one: -len(words & set(one.text.split())))[:k]

    def _is_shown(self, path, principal):
        return path not in self._rules or principal in self._rules[path]

    def embeddings_made(self):
        return self._made

    def restrict(self, principals):
        self._rules = dict(principals)

    def close(self):
        pass


class ForgetfulOfRemovals(PassageIndex):
    """Never removes a document."""

    def read_tree(self):
        return self._passages | super().read_tree()


class KeepsTails(PassageIndex):
    """Replaces the passages of a document one for one, and so leaves those beyond its new end."""

    def read_tree(self):
        found = super().read_tree()
        return {
            path: texts + self._passages.get(path, [])[len(texts) :]
            for path, texts in found.items()
        }


class HoldsTextOnce(PassageIndex):
    """Keeps a text under the first document that has it."""

    def read_tree(self):
        owners = {}
        for path, texts in sorted(
            super().read_tree().items(), key=lambda item: item[0] in self._passages
        ):
            owners |= dict.fromkeys(texts, path)
        return {
            path: [text for text in texts if owners[text] == path]
            for path, texts in super().read_tree().items()
        }


class TrustsListings(PassageIndex):
    """Takes what is not listed for removed."""

    def sync(self):
        found = self.read_tree()
        texts = {text for passages in found.values() for text in passages}
        self._made += len(texts - {text for kept in self._passages.values() for text in kept})
        self._passages = found

    def _locked(self, folders):  # noqa: ARG002 - it does not know what it cannot see
        return {}


class DeafToRules(PassageIndex):
    """Never restricts a document."""

    def restrict(self, principals):
        pass


@pytest.fixture
def measure(make_tree):
    def run(system, crashes=1):
        return Measuring(system, make_tree(system.name)).run(plan_steps(7, crashes), print)

    return run


def step_of(measurement, name):
    return next(step for step in measurement.steps if step.name == name)


def shown_tree(tree):
    return {path.relative_to(tree.root): path.read_text() for path in tree.root.rglob("*.txt")}


def test_same_seed_makes_the_same_changes(make_tree):
    trees = [make_tree("one"), make_tree("two")]
    made = []
    for tree in trees:
        steps = [step.act(tree) for step in plan_steps(7)]
        made.append([(one.kind, one.path, one.appeared, one.vanished) for s in steps for one in s])
    assert made[0] == made[1]
    assert shown_tree(trees[0]) == shown_tree(trees[1])


def test_another_seed_makes_other_changes(make_tree):
    made = [[one.path for one in make_tree(str(seed), seed).rename(0.2)] for seed in (7, 8)]
    assert made[0] != made[1]


def test_folder_holds_what_the_tree_says_after_every_step(make_tree):
    tree = make_tree()
    for step in plan_steps(7):
        step.act(tree)
        if not step.is_disturbance:
            on_disk = {path.as_posix(): text for path, text in shown_tree(tree).items()}
            assert on_disk == tree.documents, step.name


def test_marks_are_unique_and_in_every_passage(documents):
    text = mark_passages(documents["part/1.txt"], MarkMaker(1))
    passages = list_passages(text)
    assert len(passages) == 7
    assert len(find_marks(text)) == 7
    assert not find_marks(text) & find_marks(mark_passages(text, MarkMaker(2))) - find_marks(text)


def test_binary_and_short_files_are_left_out(tmp_path, documents):
    (tmp_path / "long.txt").write_text(documents["part/1.txt"])
    (tmp_path / "short.txt").write_text("Nothing here.")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\xff\0" * 99)
    assert list(read_documents(tmp_path, 1)) == ["long.txt"]


def test_judge_finds_planted_ghosts_losses_and_repetitions():
    documents = {name: frozenset({f"zq{index:012x}"}) for index, name in enumerate("abc")}
    served = Entry("a", "its mark is zq000000000000.")
    stale = Entry("b", "zq000000000001 and zq00000000dead")
    left = Entry("gone", "a text without a mark")
    verdict = judge_entries(documents, [served, served, stale, left])
    assert verdict.ghosts == {stale, left}
    assert verdict.lost == verdict.gone == {"c"}
    assert verdict.repeated == 1


def test_faultless_system_is_found_faultless(measure):
    measurement = measure(PassageIndex())
    assert not measurement.ever_ghosts
    assert not measurement.ever_lost
    assert step_of(measurement, "restrict one").permissions_missed == 0
    assert all(step.embeddings_made == step.embeddings_needed for step in measurement.steps)
    assert all(step.found == step.searched for step in measurement.steps)
    assert step_of(measurement, "crash 1").was_killed
    assert sum(step.stale_hits for step in measurement.steps) == 0
    assert NEVER not in [value for step in measurement.steps for value in step.visible_s]


def test_system_that_never_removes_has_ghosts_and_never_forgets(measure):
    measurement = measure(ForgetfulOfRemovals())
    assert step_of(measurement, "delete 1 %").ghosts == 7
    assert step_of(measurement, "delete 1 %").forgotten_s == [NEVER]
    assert step_of(measurement, "delete 1 %").stale_hits > 0
    assert not measurement.ever_lost


def test_tail_of_a_shortened_document_is_found(measure):
    measurement = measure(KeepsTails())
    assert step_of(measurement, "touch 20 %").ghosts == 0
    assert step_of(measurement, "shorten one").ghosts == 4


def test_equal_text_held_once_loses_a_document(measure):
    measurement = measure(HoldsTextOnce())
    assert step_of(measurement, "duplicate one").lost == 1


def test_trusting_a_listing_loses_documents_and_embeds_them_again(measure):
    measurement = measure(TrustsListings())
    over = step_of(measurement, "70 % not listed: over")
    assert step_of(measurement, "source away").lost == 0
    assert step_of(measurement, "source away").errors
    assert step_of(measurement, "folder unreadable").lost > 0
    assert step_of(measurement, "70 % not listed").lost > 25
    assert over.embeddings_made > 0
    assert over.embeddings_needed == over.lost == 0


def test_permission_that_does_not_arrive_is_counted(measure):
    step = step_of(measure(DeafToRules()), "restrict one")
    assert step.permissions_missed == 1


def test_system_without_permissions_is_not_charged_with_them(measure, tmp_path):
    system = PassageIndex()
    system.has_permissions = False
    measurement = measure(system)
    step = step_of(measurement, "restrict one")
    assert (step.unsupported, step.permissions_missed) == ("permissions", None)
    assert "| not supported |" in format_summary([measurement])
    assert "not measured" in format_step(step)
    write_json(tmp_path / "results.json", [measurement], {"seed": 7})
    assert json.loads((tmp_path / "results.json").read_text())["systems"][0]["ever_lost"] == []


def test_system_that_cannot_index_at_all_is_not_measured(make_tree):
    tree = make_tree("faultless")
    tree.take_away()
    with pytest.raises(FirstIndexError, match=r"faultless: .*No such file"):
        Measuring(PassageIndex(), tree).run([], print)


def test_restricted_document_is_the_one_that_the_rules_name(make_tree):
    tree = make_tree()
    (change,) = tree.restrict(TEAM)
    assert tree.principals == {change.path: [TEAM]}


def test_percentiles_are_values_that_occurred():
    assert find_percentile([3, 1, 2, NEVER], 0.5) == 2
    assert find_percentile([3, 1, 2, NEVER], 0.95) == NEVER
    assert find_percentile([], 0.5) is None
