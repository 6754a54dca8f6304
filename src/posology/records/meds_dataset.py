"""A MEDS dataset on disk: read any tool's, write one that every tool accepts.

`data/*.parquet` sorted by subject and time, each subject in one file; `metadata/codes.parquet`,
`metadata/dataset.json`, `metadata/subject_splits.parquet` (MEDS 0.4).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata as installed
from pathlib import Path

import meds
import pyarrow as pa
import pyarrow.parquet as pq

from posology.errors import RecordError
from posology.records.schema import EVENTS

KINDS: dict[str, tuple[str, Callable[[pa.DataType], bool]]] = {
    "subject_id": ("integers", lambda kind: pa.types.is_integer(kind) and kind != pa.uint64()),
    "time": ("times", lambda kind: pa.types.is_timestamp(kind) or pa.types.is_date(kind)),
    "code": ("texts", lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind)),
    "numeric_value": (
        "numbers",
        lambda kind: pa.types.is_floating(kind) or pa.types.is_integer(kind) or kind == pa.null(),
    ),
}
"""What the columns of MEDS data must hold to be read as they are."""
SPLITS = {
    meds.train_split: "train",
    meds.tuning_split: "validation",
    meds.held_out_split: "test",
}
"""MEDS's names of the splits, and ours."""
SPLIT_FILE = pa.schema([("subject_id", pa.int64()), ("split", pa.string())])


def data_files(folder: Path) -> list[Path]:
    """The folder's data files, in the order of their names."""
    files = sorted((folder / meds.data_subdirectory).rglob("*.parquet"), key=_natural)
    if not files:
        raise RecordError(
            f"{folder} is not a MEDS folder: it holds no {meds.data_subdirectory}/*.parquet; "
            "make one with `posology ingest`"
        )
    return files


def _natural(path: Path) -> tuple[int, int, str]:
    return (0, int(path.stem), "") if path.stem.isdigit() else (1, 0, str(path))


def read_events(folder: Path, rows: int = 1_000_000) -> Iterator[pa.Table]:
    """The events of the folder in order, at most so many rows at a time, in the schema EVENTS."""
    for path in data_files(folder):
        parquet = open_events(path)
        have = parquet.schema_arrow.names
        for batch in parquet.iter_batches(rows, columns=[n for n in EVENTS.names if n in have]):
            yield in_schema(pa.Table.from_batches([batch]))


def open_events(path: Path) -> pq.ParquetFile:
    """A Parquet file of events, its required columns checked."""
    try:
        parquet = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise RecordError(f"{path} is not a readable Parquet file: {error}") from error
    for name in ("subject_id", "time", "code"):
        if name not in parquet.schema_arrow.names:
            raise RecordError(
                f"{path} has no column {name!r}; MEDS data has subject_id, time and code "
                f"(it has {', '.join(parquet.schema_arrow.names)})"
            )
    for name, (told, fits) in KINDS.items():
        if name in parquet.schema_arrow.names:
            kind = parquet.schema_arrow.field(name).type
            kind = kind.value_type if pa.types.is_dictionary(kind) else kind
            if not fits(kind):
                raise RecordError(
                    f"{path}: {name} holds {kind}, not {told}; read such a file by a mapping file"
                )
    return parquet


def in_schema(table: pa.Table) -> pa.Table:
    """The table in the schema EVENTS; what it lacks is null."""
    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in EVENTS
    ]
    return pa.table(columns, schema=EVENTS)


def read_splits(folder: Path) -> dict[int, str] | None:
    """Each subject's split as `train`, `validation` or `test`, or None where none is written."""
    path = folder / meds.subject_splits_filepath
    if not path.exists():
        return None
    try:
        table = pq.read_table(path).select(SPLIT_FILE.names).cast(SPLIT_FILE)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise RecordError(f"{path} is not a MEDS split file: {error}") from error
    splits: dict[int, str] = {}
    for subject, name in zip(
        table["subject_id"].to_pylist(), table["split"].to_pylist(), strict=True
    ):
        if name not in SPLITS:
            raise RecordError(
                f"{path}: subject {subject} is in split {name!r}; known are {', '.join(SPLITS)}"
            )
        if splits.setdefault(subject, SPLITS[name]) != SPLITS[name]:
            raise RecordError(f"{path}: subject {subject} is in two splits; keep one")
    return splits


def write_splits(folder: Path, splits: Mapping[int, str]) -> None:
    """Write each subject's split (`train`, `validation`, `test`) under MEDS's names."""
    theirs = {ours: name for name, ours in SPLITS.items()}
    for subject, name in splits.items():
        if name not in theirs:
            raise RecordError(
                f"subject {subject} is in split {name!r}; known are {', '.join(theirs)}"
            )
    subjects = sorted(splits)
    table = pa.table(
        {
            "subject_id": pa.array(subjects, pa.int64()),
            "split": pa.array([theirs[splits[s]] for s in subjects], pa.string()),
        }
    )
    path = folder / meds.subject_splits_filepath
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(meds.SubjectSplitSchema.align(table), path)


def write_metadata(folder: Path, codes: Mapping[str, str | None], name: str) -> None:
    """Write `codes.parquet` (each code and what it means) and `dataset.json`."""
    (folder / "metadata").mkdir(parents=True, exist_ok=True)
    ordered = sorted(codes)
    table = pa.table(
        {
            "code": pa.array(ordered, pa.string()),
            "description": pa.array([codes[code] for code in ordered], pa.string()),
            "parent_codes": pa.nulls(len(ordered), pa.list_(pa.string())),
        }
    )
    pq.write_table(meds.CodeMetadataSchema.align(table), folder / meds.code_metadata_filepath)
    facts = {
        "dataset_name": name,
        "etl_name": "posology ingest",
        "etl_version": installed.version("posology"),
        "meds_version": meds.__version__,
        "created_at": datetime.now(UTC).isoformat(),
        "code_modifier_columns": ["unit"],
    }
    (folder / meds.dataset_metadata_filepath).write_text(json.dumps(facts, indent=1))


def read_codes(folder: Path) -> dict[str, str | None]:
    """Each code of the folder and what it means, where that is written."""
    path = folder / meds.code_metadata_filepath
    if not path.exists():
        return {}
    table = meds.CodeMetadataSchema.align(pq.read_table(path))
    return dict(zip(table["code"].to_pylist(), table["description"].to_pylist(), strict=True))


def write_folder(folder: Path, events: Iterable[pa.Table], name: str = "posology") -> None:
    """Write events that are already in order as a new folder of one data file.

    For small sets and for tests; `ingest` sorts, cleans and shards.
    """
    (folder / meds.data_subdirectory).mkdir(parents=True)
    codes: set[str] = set()
    with pq.ParquetWriter(folder / meds.data_subdirectory / "0.parquet", EVENTS) as writer:
        for table in events:
            part = in_schema(table)
            codes |= set(part["code"].unique().to_pylist())
            writer.write_table(part)
    write_metadata(folder, dict.fromkeys(codes), name)
