"""Writes the entries of a collection's live generation to a file: JSON lines or Parquet."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection

from ragline.errors import ConfigurationError, FileNotWrittenError
from ragline.search.live_generation import read_live_generation
from ragline.storage.database import Database
from ragline.storage.disk_errors import writing_to
from ragline.storage.generation_tables import load_generation_statement

BATCH_ROWS = 1_000
SUFFIXES = (".jsonl", ".parquet")
SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("document_id", pa.string()),
        ("ordinal", pa.int32()),
        ("title", pa.string()),
        ("text", pa.string()),
        ("heading_path", pa.list_(pa.string())),
        ("page", pa.int32()),
        ("char_start", pa.int32()),
        ("char_end", pa.int32()),
        ("metadata", pa.string()),
        ("model", pa.string()),
        ("vector", pa.list_(pa.float32())),
    ]
)


def export_collection(
    database: Database, collection: str, path: Path, *, has_vectors: bool = True
) -> int:
    """Write all entries of a collection's live generation, and return their number.

    The suffix of `path` selects the format: `.jsonl` or `.parquet`. The entries are in the order of
    document id and ordinal. Without `has_vectors`, the vectors are left out. In Parquet, `metadata`
    is a JSON string. The field `model` names the embedding model of the vectors. If the export
    fails, a file that exists at `path` is unchanged.

    Raises:
        ConfigurationError: `check_path` refuses the path.
        FileNotWrittenError: the file could not be written completely.
        UnknownCollectionError, IndexNotReadyError: the collection has no live generation.
        DiskFullError: the disk has no space for the file.
    """
    check_path(path)
    writers = {".jsonl": _write_lines, ".parquet": _write_parquet}
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with writing_to(path), database.begin() as connection:
            batches = _select_entries(connection, collection, has_vectors=has_vectors)
            count = writers[path.suffix](unfinished, batches)
        unfinished.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileNotWrittenError(f"{path} could not be written: {reason}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def check_path(path: Path) -> None:
    """Refuse a path that cannot be written, before any entry is read.

    Raises:
        ConfigurationError: the suffix is unknown, `path` is a folder, or the folder of the file
            does not exist or is not writable.
    """
    folder = path.absolute().parent
    fault = None
    if path.suffix not in SUFFIXES:
        fault = f"the ending must be {' or '.join(SUFFIXES)}"
    elif path.is_dir():
        fault = "it is a folder; name a file"
    elif not folder.is_dir():
        fault = f"there is no folder {folder}; create it, or name another file"
    elif not os.access(folder, os.W_OK | os.X_OK):
        fault = f"the folder {folder} is not writable; name another one"
    if fault is not None:
        raise ConfigurationError(f"cannot export to {path}: {fault}")


def _select_entries(
    connection: Connection, collection: str, *, has_vectors: bool
) -> Iterator[list[dict[str, Any]]]:
    live = read_live_generation(connection, collection)
    rows = connection.execution_options(yield_per=BATCH_ROWS).execute(
        load_generation_statement("export/select_entries", live.id), {"model": live.model}
    )
    for batch in rows.mappings().partitions():
        yield [_read_entry(dict(row), has_vectors=has_vectors) for row in batch]


def _read_entry(row: dict[str, Any], *, has_vectors: bool) -> dict[str, Any]:
    vector = row.pop("embedding")
    if has_vectors:
        row["vector"] = [float(value) for value in vector.to_list()]
    return row


def _write_lines(path: Path, batches: Iterator[list[dict[str, Any]]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for batch in batches:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch)
            count += len(batch)
    return count


def _write_parquet(path: Path, batches: Iterator[list[dict[str, Any]]]) -> int:
    count = 0
    writer: pq.ParquetWriter | None = None
    schema = SCHEMA
    try:
        for batch in batches:
            if writer is None:
                schema = pa.schema([field for field in SCHEMA if field.name in batch[0]])
                writer = pq.ParquetWriter(path, schema)
            rows = [row | {"metadata": json.dumps(row["metadata"])} for row in batch]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            count += len(batch)
        if writer is None:
            pq.write_table(SCHEMA.empty_table(), path)
    finally:
        if writer is not None:
            writer.close()
    return count
