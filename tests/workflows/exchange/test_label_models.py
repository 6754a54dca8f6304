"""Labels of a MEDS task are learned from what came before them, and predicted of other patients."""

from dataclasses import replace
from pathlib import Path

import meds
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from posology.errors import UserError
from posology.records.meds_dataset import write_folder, write_splits
from posology.records.schema import EVENTS
from posology.workflows.exchange.label_files import LabelTask, read_labels
from posology.workflows.exchange.label_models import PROBABILITY, fit_labels, predict_labels

DAY = 86_400_000_000
START = int(np.datetime64("2020-01-01", "us").astype(int))
PATIENTS = 400


def events_of(rng: np.random.Generator) -> tuple[pa.Table, np.ndarray]:
    """A birth, a laboratory value before the moment, another after it; the first values."""
    value = rng.normal(size=PATIENTS).round(3)
    subject = np.repeat(np.arange(1, PATIENTS + 1), 3)
    time = np.tile([START - 9_000 * DAY, START, START + 5 * DAY], PATIENTS)
    code = np.tile(["MEDS_BIRTH", "LAB//glucose", "LAB//later"], PATIENTS)
    number = np.column_stack([np.full(PATIENTS, np.nan), value, rng.normal(size=PATIENTS)])
    columns = {
        "subject_id": pa.array(subject),
        "time": pa.array(time, pa.timestamp("us")),
        "code": pa.array(code),
        "numeric_value": pa.array(number.ravel().astype(np.float32), from_pandas=True),
    }
    rows = [
        columns[f.name].cast(f.type) if f.name in columns else pa.nulls(len(subject), f.type)
        for f in EVENTS
    ]
    return pa.table(rows, schema=EVENTS), value


def labels_of(true: np.ndarray, time: int = START) -> pa.Table:
    return pa.table(
        {
            "subject_id": pa.array(np.arange(1, PATIENTS + 1)),
            "prediction_time": pa.array(np.full(PATIENTS, time), pa.timestamp("us")),
            "boolean_value": pa.array(true),
        }
    )


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> LabelTask:
    """True where the laboratory value is high, with some noise."""
    folder, rng = tmp_path_factory.mktemp("task"), np.random.default_rng(0)
    events, value = events_of(rng)
    write_folder(folder / "meds", [events])
    shares = np.array(["train", "validation", "test"])[np.arange(PATIENTS) % 20 // 8]
    write_splits(folder / "meds", dict(zip(range(1, PATIENTS + 1), shares.tolist(), strict=True)))
    (folder / "labels").mkdir()
    true = value + 0.3 * rng.normal(size=PATIENTS) > 0.3
    pq.write_table(labels_of(true), folder / "labels" / "0.parquet")
    return LabelTask(folder / "meds", folder / "labels")


def predicted(task: LabelTask, folder: Path) -> pa.Table:
    fit_labels(task, folder / "model", "logistic", 0)
    counts = predict_labels(folder / "model", task, meds.held_out_split, folder / "out.parquet")
    assert counts.without_moment == 0
    return pq.read_table(folder / "out.parquet")


def test_what_is_known_at_the_moment_is_learned(task: LabelTask, tmp_path: Path) -> None:
    table = predicted(task, tmp_path)
    assert len(table) == PATIENTS // 5
    true, p = table["boolean_value"].to_numpy(), table[PROBABILITY].to_numpy()
    assert p[true].mean() - p[~true].mean() > 0.5
    said = table["predicted_boolean_value"].to_numpy()
    assert (said == true).mean() > 0.85


def test_what_comes_later_and_what_held_out_labels_say_has_no_part(
    task: LabelTask, tmp_path: Path
) -> None:
    """Labels that only a later value tells cannot be learned; the other way round, they would."""
    events, _ = events_of(np.random.default_rng(0))
    later = events.filter(pc.equal(events["code"], "LAB//later"))["numeric_value"].to_numpy()
    labels = tmp_path / "later.parquet"
    pq.write_table(labels_of(later > 0), labels)
    table = predicted(replace(task, labels=labels), tmp_path)
    true, p = table["boolean_value"].to_numpy(), table[PROBABILITY].to_numpy()
    assert abs(p[true].mean() - p[~true].mean()) < 0.1
    pq.write_table(labels_of(later < 0), tmp_path / "other.parquet")
    other = replace(task, labels=tmp_path / "other.parquet")
    predict_labels(tmp_path / "model", other, "held_out", tmp_path / "again.parquet")
    again = pq.read_table(tmp_path / "again.parquet")
    np.testing.assert_array_equal(again[PROBABILITY].to_numpy(), p)
    after = tmp_path / "after.parquet"
    pq.write_table(labels_of(later > 0, START + 6 * DAY), after)
    (tmp_path / "known").mkdir()
    table = predicted(replace(task, labels=after), tmp_path / "known")
    right = table["predicted_boolean_value"].to_numpy() == table["boolean_value"].to_numpy()
    assert right.mean() > 0.9


def test_every_mistake_names_file_and_mend(task: LabelTask, tmp_path: Path) -> None:
    labels = read_labels(task.labels)
    path = tmp_path / "labels.parquet"
    own = replace(task, labels=path)

    def refused(table: pa.Table, words: str) -> None:
        pq.write_table(table, path)
        with pytest.raises(UserError, match=words):
            fit_labels(own, tmp_path / "model", "logistic", 0)
        assert not (tmp_path / "model").exists()

    refused(labels.drop_columns(["boolean_value"]), "labels.parquet: has no column boolean_value")
    empty = labels.set_column(2, "boolean_value", pa.array([None, *[True] * 399], pa.bool_()))
    refused(empty, r"labels.parquet, row 1: boolean_value is empty, as in 1 rows; leave them out")
    refused(pa.concat_tables([labels, labels.slice(0, 3)]), "3 labels are of a patient and time")
    never = labels.set_column(2, "boolean_value", pa.array([False] * PATIENTS))
    refused(never, "the 160 labels of train patients are not of both kinds")
    words = labels.set_column(2, "boolean_value", pa.array(["perhaps"] * PATIENTS))
    refused(words, "boolean_value is string, not bool, as MEDS has it")
    shares = labels.set_column(2, "boolean_value", pa.array([0.3] * PATIENTS))
    refused(shares, r"boolean_value is 0.3 in some row; a label is true or false \(1 or 0\)")
    strangers = labels.set_column(0, "subject_id", pa.array(np.arange(PATIENTS) + 10_000))
    refused(strangers, "none of 400 labels is of a train or tuning patient")
    with pytest.raises(UserError, match="no Parquet file of labels"):
        fit_labels(replace(task, labels=tmp_path / "nowhere"), tmp_path / "model", "logistic", 0)
