"""The jobs of `deploy/ci` run as the plain commands that they call, over a real collection."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from checkout import Checkout

pytestmark = pytest.mark.timeout(900)
DEPLOY = Path(__file__).parents[2] / "deploy" / "ci"
# With one chunk for all facts of a document, a search does not find a fact as well.
WORSE = ("max_tokens: 20, overlap_tokens: 5", "max_tokens: 200, overlap_tokens: 0")
EQUAL = ("overlap_tokens: 5", "overlap_tokens: 10")
EXPRESSION = re.compile(r"\$\{\{ *(.*?) *\}\}")


@dataclass
class Pipeline:
    """A checkout in which jobs run. `outputs` are the values that a job gives to later jobs."""

    checkout: Checkout
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.checkout.folder


class GitHubPipeline(Pipeline):
    """Runs the steps `run` of a job of the workflow."""

    def run_job(self, name: str) -> int:
        workflow = read_example("github-actions.yml")
        status = 0
        for step in workflow["jobs"][name]["steps"]:
            if "run" in step and self.is_due(step.get("if", ""), status):
                failed = self.run_step(step, workflow["env"]["COLLECTION"])
                status = status or failed
        return status

    def is_due(self, condition: str, status: int) -> bool:
        """Whether a step runs. Without `always()`, a step does not run after a failure."""
        if (
            "steps.build.outputs.state != 'live'" in condition
            and self.outputs.get("state") == "live"
        ):
            return False
        return status == 0 or "always()" in condition

    def run_step(self, step: dict[str, Any], collection: str) -> int:
        output = self.folder / "output.txt"
        output.write_text("", "utf-8")
        stated = {name: self.fill(value) for name, value in step.get("env", {}).items()}
        done = self.checkout.run_shell(
            step["run"],
            {
                "COLLECTION": collection, "GITHUB_ACTOR": "ada", "GITHUB_SHA": "0123abcd",
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"), **stated,
            },
        )  # fmt: skip
        self.outputs |= dict(line.split("=", 1) for line in output.read_text("utf-8").splitlines())
        return done.returncode

    def fill(self, value: str) -> str:
        """Replace the output of a step or of a job, which is the last part of its name."""
        return EXPRESSION.sub(lambda match: self.outputs[match[1].rpartition(".")[2]], value)


class GitLabPipeline(Pipeline):
    """Runs the lines `script` of a job in one shell."""

    def run_job(self, name: str) -> int:
        pipeline = read_example("gitlab-ci.yml")
        stated = {"CI_COMMIT_SHA": "0123abcd", "GITLAB_USER_LOGIN": "ada"}
        script = "\n".join(pipeline[name]["script"])
        done = self.checkout.run_shell(script, {**pipeline["variables"], **stated, **self.outputs})
        environment = self.folder / "build.env"
        lines = environment.read_text("utf-8").splitlines() if environment.is_file() else []
        self.outputs = dict(line.split("=", 1) for line in lines)
        return done.returncode


PIPELINES = {"github-actions.yml": GitHubPipeline, "gitlab-ci.yml": GitLabPipeline}


def read_example(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text("utf-8"))


@pytest.fixture(params=PIPELINES)
def pipeline(request: pytest.FixtureRequest, checkout: Checkout) -> Pipeline:
    return PIPELINES[request.param](checkout)


def test_passed_candidate_is_published_and_promoted_by_the_second_job(pipeline: Pipeline) -> None:
    pipeline.checkout.change(*EQUAL)
    assert pipeline.run_job("gate") == 0
    assert pipeline.checkout.list_generations() == [(1, "live"), (2, "candidate")]
    assert_report(pipeline.folder, "passed", failures=0)
    assert pipeline.run_job("promote") == 0
    assert pipeline.checkout.list_generations() == [(1, "retired"), (2, "live")]


def test_refused_candidate_makes_the_job_fail_and_is_published(pipeline: Pipeline) -> None:
    pipeline.checkout.change(*WORSE)
    assert pipeline.run_job("gate") == 1
    assert pipeline.checkout.list_generations() == [(1, "live"), (2, "candidate")]
    assert_report(pipeline.folder, "refused")


def test_commit_without_a_new_generation_is_not_judged(pipeline: Pipeline) -> None:
    assert pipeline.run_job("gate") == 0
    assert pipeline.checkout.list_generations() == [(1, "live")]
    assert not (pipeline.folder / "gate.md").exists()


def test_settings_that_cannot_be_satisfied_make_the_job_fail(pipeline: Pipeline) -> None:
    pipeline.checkout.change("build: manual", "build: manual\n    language: klingon")
    assert pipeline.run_job("gate") == 2
    assert pipeline.checkout.list_generations() == [(1, "live")]


def test_only_the_main_branch_promotes_and_a_person_starts_it() -> None:
    promote = read_example("github-actions.yml")["jobs"]["promote"]
    assert promote["needs"] == "gate"
    assert "github.ref == 'refs/heads/main'" in promote["if"]
    assert promote["environment"] == "production"
    promote = read_example("gitlab-ci.yml")["promote"]
    assert promote["needs"] == ["gate"]
    (rule,) = promote["rules"]
    assert rule["if"] == "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"
    assert rule["when"] == "manual"


def test_both_examples_publish_junit_and_markdown() -> None:
    steps = read_example("github-actions.yml")["jobs"]["gate"]["steps"]
    (upload,) = (step for step in steps if "upload-artifact" in step.get("uses", ""))
    assert upload["if"] == "always()"
    assert set(upload["with"]["path"].split()) == {"build.json", "gate.xml", "gate.md"}
    artifacts = read_example("gitlab-ci.yml")["gate"]["artifacts"]
    assert artifacts["when"] == "always"
    assert artifacts["reports"]["junit"] == "gate.xml"
    assert "gate.md" in artifacts["paths"]


def assert_report(folder: Path, verdict: str, failures: int | None = None) -> None:
    """Check that the job published the verdict in both forms."""
    pages = [folder / name for name in ("gate.md", "summary.md") if (folder / name).is_file()]
    assert pages
    for page in pages:
        assert page.read_text("utf-8").startswith(f"# Gate of handbook: {verdict}\n")
    suite = ET.parse(folder / "gate.xml").getroot()  # noqa: S314  the job wrote this file
    found = int(suite.get("failures", ""))
    assert found == failures if failures is not None else found > 0
