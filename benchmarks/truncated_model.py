"""A second embedding space: the packaged model with fewer dimensions.

A search with the first dimensions of each vector is a second embedding space that needs no
download. The folder is a sentence-transformers model: the packaged transformer, its pooling, and a
linear layer that keeps the first dimensions.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ragline.embedder.model_files import DEFAULT_MODEL, find_model_files

MODULES = (
    ("", "sentence_transformers.models.Transformer"),
    ("1_Pooling", "sentence_transformers.models.Pooling"),
    ("2_Dense", "sentence_transformers.models.Dense"),
    ("3_Normalize", "sentence_transformers.models.Normalize"),
)


def write_truncated_model(folder: Path, dimension: int) -> None:
    """Write a model whose vectors are the first `dimension` numbers of the default model's.

    The large files are links to the packaged model. The folder must be empty.
    """
    packaged = find_model_files(DEFAULT_MODEL).folder
    for path in packaged.iterdir():
        if path.name not in ("modules.json", "README.md"):
            (folder / path.name).symlink_to(path)
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": kind}
        for index, (path, kind) in enumerate(MODULES)
    ]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    layer = folder / "2_Dense"
    layer.mkdir()
    width = json.loads((packaged / "config.json").read_text("utf-8"))["hidden_size"]
    settings = {
        "in_features": width,
        "out_features": dimension,
        "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity",
    }
    (layer / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    first = np.eye(dimension, width, dtype=np.float32)
    save_file({"linear.weight": first}, layer / "model.safetensors")
