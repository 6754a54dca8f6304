"""Read the labels of a MEDS task: what some program says of patients at moments."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from meds.schema import held_out_split, subject_splits_filepath, train_split, tuning_split

from posology.errors import RecordError, UserError
from posology.records.meds_dataset import read_splits

SUBJECT, TIME, VALUE = "subject_id", "prediction_time", "boolean_value"
"""Columns of a label file that are read."""
_COLUMNS = {SUBJECT: pa.int64(), TIME: pa.timestamp("us"), VALUE: pa.bool_()}
_SPLITS_FILE = Path(subject_splits_filepath).name
OUR_SPLIT = {
    train_split: "train",
    tuning_split: "validation",
    held_out_split: "test",
}
"""Our names of MEDS's splits."""


@dataclass(frozen=True, slots=True)
class LabelTask:
    """A MEDS folder, and the labels of its patients: a folder of label files, or one file."""

    dataset: Path
    labels: Path


def read_task(task: LabelTask, splits: tuple[str, ...]) -> tuple[pa.Table, dict[int, str]]:
    """The labels of patients of these splits, by subject and time, and every patient's split.

    splits: MEDS's names. UserError names file, row and mend.
    """
    table, split = read_labels(task.labels), _read_splits(task.dataset)
    chosen = _of_splits(table, split, tuple(OUR_SPLIT[name] for name in splits))
    if not len(chosen):
        raise UserError(
            f"{task.labels}: none of {len(table):,} labels is of a {' or '.join(splits)} patient "
            f"of {task.dataset}; are the labels of this dataset?"
        )
    return chosen, split


def read_labels(labels: Path) -> pa.Table:
    """Every label of a folder or file, by subject and time."""
    files = sorted(labels.rglob("*.parquet")) if labels.is_dir() else [labels]
    files = [path for path in files if path.exists() and path.name != _SPLITS_FILE]
    if not files:
        raise UserError(f"{labels}: no Parquet file of labels.")
    table = pa.concat_tables([_read_file(path) for path in files])
    table = table.sort_by([(SUBJECT, "ascending"), (TIME, "ascending")])
    subject, time = table[SUBJECT].to_numpy(), table[TIME].to_numpy()
    again = int(((subject[1:] == subject[:-1]) & (time[1:] == time[:-1])).sum())
    if again:
        raise UserError(
            f"{labels}: {again:,} labels are of a patient and time that another label is of; give "
            "the files of one task, with one label for each."
        )
    return table


def _read_file(path: Path) -> pa.Table:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise RecordError(f"{path}: is not a Parquet file: {error}") from error
    columns = {}
    for name, kind in _COLUMNS.items():
        if name not in table.column_names:
            raise UserError(
                f"{path}: has no column {name}; labels need {', '.join(_COLUMNS)} (it has "
                f"{', '.join(table.column_names)})."
            )
        empty = np.flatnonzero(table[name].is_null().to_numpy())
        if len(empty):
            raise UserError(
                f"{path}, row {empty[0] + 1}: {name} is empty, as in {len(empty):,} rows; leave "
                "them out or fill them in."
            )
        is_finer = name == TIME and table[name].type == pa.timestamp("ns")
        try:
            columns[name] = table[name].cast(kind, safe=not is_finer)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:  # it shows a cell
            was = table[name].type
            raise UserError(f"{path}: {name} is {was}, not {kind}, as MEDS has it.") from error
    values = table[VALUE].unique().to_pylist()
    other = next((x for x in values if isinstance(x, int | float) and x not in (0, 1)), None)
    if other is not None:
        raise UserError(
            f"{path}: {VALUE} is {other!r} in some row; a label is true or false (1 or 0)."
        )
    return pa.table(columns)


def _read_splits(dataset: Path) -> dict[int, str]:
    splits = read_splits(dataset)
    if splits is None:
        raise UserError(
            f"{dataset}: has no {subject_splits_filepath}, which says whose labels are "
            "learned; `posology ingest --split` writes one."
        )
    return splits


def _of_splits(table: pa.Table, split: Mapping[int, str], wanted: tuple[str, ...]) -> pa.Table:
    return table.filter(pa.array([split.get(s) in wanted for s in table[SUBJECT].to_pylist()]))
