"""The collection of `planted_candidates` as `handbook`: builds and judges candidates of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from planted_candidates import CONFIGURATION
from safetensors.numpy import load_file, save_file

from ragline.configuration import Configuration
from ragline.embedder.embedder import Embedder, load_embedder
from ragline.embedder.model_files import DEFAULT_MODEL, find_model_files
from ragline.gate.judgement import judge_candidate
from ragline.gate.report import GateReport
from ragline.lifecycle.generation_builds import BuildReport, build_generation
from ragline.lifecycle.generation_decisions import Decision
from ragline.lifecycle.run_context import RunContext
from ragline.model_cache import ModelCache
from ragline.storage.database import Database

HANDBOOK = CONFIGURATION.replace("name: notes\n", "name: handbook\n    build: manual\n").replace(
    "collection: notes", "collection: handbook"
)


@dataclass
class Handbook:
    """The synced collection in a folder and a database of the test."""

    folder: Path
    database: Database
    configuration: Configuration
    configure: Callable[[str], Configuration]
    embedders: dict[str, Embedder]

    def use(self, old: str, new: str) -> None:
        """Change the configuration that later calls use."""
        path = self.folder / "ragline.yaml"
        content = path.read_text("utf-8")
        assert old in content
        self.configuration = self.configure(content.replace(old, new))

    def use_model(self, folder: Path) -> None:
        """Use the model in a folder, and let PyTorch compute its vectors."""
        embedder = load_embedder(
            str(folder), cache=self.configuration.home / "models", backend="pytorch"
        )
        self.embedders[str(folder)] = embedder
        self.use("build: manual\n", f"build: manual\n    embedding_model: {folder}\n")

    def open_run(self) -> RunContext:
        run_context = RunContext(self.configuration, self.database, "test-run")
        self.add_models(run_context.models)
        return run_context

    def build(self) -> BuildReport:
        """Build the candidate that the configuration asks for."""
        with self.open_run() as run_context:
            return build_generation(run_context, "handbook", Decision("test"))

    def judge(self, candidate: int | None = None) -> GateReport:
        models = ModelCache(self.configuration.home / "models")
        self.add_models(models)
        return judge_candidate(
            self.database, self.configuration, "handbook", candidate, models=models
        )

    def read_vectors(self, generation: int) -> list[tuple[str, int, str]]:
        """The vector of each entry, with the id of its document and its position in it."""
        statement = "select document_id, ordinal, embedding::text from ragline.entries_{}"
        with self.database.connect() as connection:
            rows = connection.exec_driver_sql(statement.format(generation))
            return [(row[0], row[1], row[2]) for row in rows]

    def add_models(self, models: ModelCache) -> None:
        for model, embedder in self.embedders.items():
            models.add_embedder(model, embedder)


def copy_model(folder: Path, *, is_shuffled: bool) -> Path:
    """Copy the files of the default model. Shuffled weights are those of no trained model."""
    shutil.copytree(find_model_files(DEFAULT_MODEL).folder, folder)
    if is_shuffled:
        random, path = np.random.default_rng(1), folder / "model.safetensors"
        weights = {name: random.permuted(values) for name, values in load_file(path).items()}
        save_file(weights, path, metadata={"format": "pt"})
    else:
        # The hash of the model changes, so its vectors are another embedding space.
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text("utf-8"))), encoding="utf-8")
    return folder
