"""Embeddings of images that were computed elsewhere, from npz or Parquet files."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from posology.errors import RecordError
from posology.records.batching import BatchBuilder, code_part
from posology.records.io.python_tables import parse_cell_time, parse_subject, read_rows
from posology.records.io.text_lines import list_files
from posology.records.io.times import parse_time_zone
from posology.records.schema import Batch, Event, Rejection, finite_number


def read_embeddings(
    paths: Iterable[str | Path], time_zone: str = "UTC", batch_rows: int = 50_000
) -> Iterator[Batch]:
    """`EMBEDDING//model@hash//0007`, one event per dimension, from npz or Parquet files.

    A file has `subject`, `time`, `vector`, `model` and `hash` (of the weights, so that vectors of
    two versions never mix); in an npz, one model and one hash may apply to all rows.
    """
    zone = parse_time_zone(time_zone)
    builder = BatchBuilder(batch_rows)
    width: dict[str, int] = {}
    for path in list_files(paths, (".npz", ".parquet")):
        for number, row in _npz(path) if path.suffix == ".npz" else read_rows(path):
            if isinstance(row, Rejection):
                builder.reject(str(path), number, row)
                continue
            column = "subject"
            try:
                _require_fields(path, row)
                subject = parse_subject(row["subject"])
                column = "time"
                time = parse_cell_time(row["time"], zone)
                column = "hash"
                model = _model_name(row)
                column = "vector"
                vector = [finite_number(float(number)) for number in row["vector"]]
                if width.setdefault(model, len(vector)) != len(vector) or not vector:
                    raise ValueError(f"has {len(vector)} numbers, others of {model} {width[model]}")
            except (ValueError, TypeError) as error:
                builder.reject(str(path), number, Rejection(column, row[column], str(error)))
            else:
                events = [
                    Event(f"EMBEDDING//{model}//{i:04d}", time, v) for i, v in enumerate(vector)
                ]
                builder.add(str(path), number, subject, events)
            yield from builder.batches()
    yield from builder.batches(last=True)


def _require_fields(path: Path, row: dict[str, Any]) -> None:
    missing = [n for n in ("subject", "time", "vector", "model", "hash") if n not in row]
    if missing:
        raise RecordError(
            f"{path}: has no {missing[0]!r}; embeddings need subject, time, vector, model and hash"
        )


def _model_name(row: dict[str, Any]) -> str:
    name, weights = (code_part(str(row[key] or "")) for key in ("model", "hash"))
    if not name or not weights:
        raise ValueError("the model and the hash of its weights are required")
    return f"{name}@{weights[:12]}"


def _npz(path: Path) -> Iterator[tuple[int, dict[str, Any] | Rejection]]:
    import zipfile

    import numpy as np

    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            columns = {name: file[name] for name in file.files}
        _require_fields(path, columns)
        count = len(columns["subject"])
        lists = {
            name: values.tolist() if values.ndim else [values.item()] * count
            for name, values in columns.items()
        }
        unequal = [name for name, values in lists.items() if len(values) != count]
    except (ValueError, OSError, zipfile.BadZipFile, EOFError, KeyError, TypeError) as error:
        if isinstance(error, RecordError):
            raise
        yield 1, Rejection("file", path.name, f"the npz file cannot be read ({str(error)[:120]})")
        return
    if unequal:
        yield 1, Rejection(unequal[0], "", f"has {len(lists[unequal[0]])} rows, subject {count}")
        return
    for number in range(count):
        yield number + 1, {name: values[number] for name, values in lists.items()}
