"""A cohort's outcomes as label files of MEDS, one file a task."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from meds.schema import (
    LabelSchema,
    SubjectSplitSchema,
    held_out_split,
    train_split,
    tuning_split,
)

from posology.domain.cohort import Cohort
from posology.domain.study import EVENT_KINDS
from posology.errors import UserError
from posology.learners.features.rewards import diagnosis_weights, follow_up_weights
from posology.records.io.drafts import draft_folder
from posology.workflows.exchange.decisions import decision_times

SPLITS_FILE = "subject_splits.parquet"
_SPLITS = np.array([train_split, tuning_split, held_out_split])
"""MEDS's names of our splits, in our order."""


def to_meds_labels(cohort: Cohort) -> dict[str, pa.Table]:
    """The labels of each task, in the schema of MEDS; only decisions whose label is known.

    Tasks: `effective` of the option given, the `outcome` where it is a number, the `treatment`
    given, the `best_treatment` where it is known, and the study's own `diagnosis_NAME` and
    `progression_NAME`. Times to events are none: the schema has no place for censored ones. Nor are
    decisions so late in the records that only what came early could become known.
    """
    times = decision_times(cohort)
    if np.isnat(times).any():
        raise UserError(
            f"study {cohort.study.name}: {np.isnat(times).sum():,} decisions have no date, and a "
            "label of MEDS needs its prediction_time; use a study whose decisions are dated."
        )
    subject_id = cohort.history.subject_id[cohort.subject]
    return {
        task: LabelSchema.align(
            pa.table(
                {
                    "subject_id": pa.array(subject_id[known]),
                    "prediction_time": pa.array(times[known]),
                    column: values.filter(pa.array(known)),
                }
            )
        )
        for task, column, values, known in _tasks(cohort)
        if known.any()
    }


def write_meds_labels(cohort: Cohort, folder: Path) -> dict[str, int]:
    """Write a new folder: TASK.parquet of each task, and the split of each patient.

    Returns how many labels each task has.
    """
    if folder.exists():
        raise UserError(f"{folder}: exists already; name a new folder or remove this one.")
    labels = to_meds_labels(cohort)
    with draft_folder(folder) as draft:
        whole = draft / "whole"
        whole.mkdir()
        for task, table in labels.items():
            pq.write_table(table, whole / f"{task}.parquet")
        pq.write_table(_subject_splits(cohort), whole / SPLITS_FILE)
        whole.rename(folder)
    return {task: len(table) for task, table in labels.items()}


def _subject_splits(cohort: Cohort) -> pa.Table:
    subject, first = np.unique(cohort.subject, return_index=True)
    return SubjectSplitSchema.align(
        pa.table(
            {
                "subject_id": pa.array(cohort.history.subject_id[subject]),
                "split": pa.array(_SPLITS[cohort.split[first]].tolist(), pa.string()),
            }
        )
    )


def _tasks(cohort: Cohort) -> Iterator[tuple[str, str, pa.Array, np.ndarray]]:
    """Name, column, labels and which of them are known, of each task."""
    study, names = cohort.study, cohort.study.formulary.names
    is_late = follow_up_weights(cohort) == 0
    yield ("effective", *_boolean(np.where(is_late, np.nan, cohort.effective)))
    if study.outcome.kind not in EVENT_KINDS:
        yield ("outcome", *_number(np.where(is_late, np.nan, cohort.outcome)))
    yield ("treatment", *_category(cohort.treatment, names))
    yield ("best_treatment", *_category(cohort.best_treatment, names))
    if cohort.diagnosis is not None:
        diagnosis = np.where(diagnosis_weights(cohort) == 0, np.nan, cohort.diagnosis)
        for at, target in enumerate(study.diagnosis):
            yield (f"diagnosis_{target.name}", *_boolean(diagnosis[:, at]))
    if cohort.progression is not None:
        for at, target in enumerate(study.progression):
            yield (f"progression_{target.name}", *_number(cohort.progression[:, at]))


def _boolean(values: np.ndarray) -> tuple[str, pa.Array, np.ndarray]:
    return "boolean_value", pa.array(values == 1), ~np.isnan(values)


def _number(values: np.ndarray) -> tuple[str, pa.Array, np.ndarray]:
    return "float_value", pa.array(values, pa.float32()), ~np.isnan(values)


def _category(rows: np.ndarray, names: tuple[str, ...]) -> tuple[str, pa.Array, np.ndarray]:
    labels = [names[row] if row >= 0 else "" for row in rows]
    return "categorical_value", pa.array(labels, pa.string()), rows >= 0
