"""Label files of MEDS."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from meds.schema import LabelSchema, SubjectSplitSchema

from posology.domain.cohort import Cohort
from posology.errors import UserError
from posology.workflows.exchange.meds_labels import to_meds_labels, write_meds_labels
from tests.builders import synthetic_iwpc


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return synthetic_iwpc.with_targets(synthetic_iwpc.cohort(120))


def test_each_task_has_the_labels_that_are_known(cohort: Cohort, tmp_path) -> None:
    counts = write_meds_labels(cohort, tmp_path / "labels")
    assert set(counts) == {
        *("effective", "outcome", "treatment", "best_treatment"),
        *("diagnosis_thyroid", "diagnosis_tall", "progression_double"),
    }
    subject_id = cohort.history.subject_id[cohort.subject]
    for task, count in counts.items():
        table = pq.read_table(tmp_path / "labels" / f"{task}.parquet")
        LabelSchema.validate(table)
        assert len(table) == count
    assert cohort.diagnosis is not None
    made = pq.read_table(tmp_path / "labels" / "diagnosis_thyroid.parquet")
    known = ~np.isnan(cohort.diagnosis[:, 0])
    assert not known.all(), "some are not known, and have no label"
    assert made["subject_id"].to_pylist() == subject_id[known].tolist()
    assert made["boolean_value"].to_pylist() == (cohort.diagnosis[known, 0] == 1).tolist()
    given = pq.read_table(tmp_path / "labels" / "treatment.parquet")["categorical_value"]
    names = cohort.study.formulary.names
    assert given.to_pylist() == [names[row] for row in cohort.treatment]


def test_what_counts_for_nothing_is_no_label(cohort: Cohort) -> None:
    """So late that only events could become known: their labels would all be alike."""
    known = ~np.isnan(cohort.effective)
    late = np.flatnonzero(known)[:5]
    weight = known.astype(np.float32)
    weight[late] = 0
    assert cohort.diagnosis is not None
    diagnosed = (~np.isnan(cohort.diagnosis)).astype(np.float32)
    diagnosed[late] = 0
    weighted = replace(cohort, censoring_weight=weight, diagnosis_weight=diagnosed)
    labels = to_meds_labels(weighted)
    subject_id = cohort.history.subject_id[cohort.subject]
    assert labels["effective"]["subject_id"].to_pylist() == subject_id[weight > 0].tolist()
    assert not set(labels["diagnosis_thyroid"]["subject_id"].to_pylist()) & set(subject_id[late])
    assert len(labels["treatment"]) == len(cohort)


def test_the_splits_have_the_names_of_meds(cohort: Cohort, tmp_path) -> None:
    write_meds_labels(cohort, tmp_path / "labels")
    table = pq.read_table(tmp_path / "labels" / "subject_splits.parquet")
    SubjectSplitSchema.validate(table)
    split = dict(zip(table["subject_id"].to_pylist(), table["split"].to_pylist(), strict=True))
    ours = ("train", "tuning", "held_out")
    for subject, number in zip(cohort.subject, cohort.split, strict=True):
        assert split[int(cohort.history.subject_id[subject])] == ours[number]


def test_an_event_in_follow_up_is_no_number(cohort: Cohort) -> None:
    study = replace(cohort.study, outcome=replace(cohort.study.outcome, kind="time_to_event"))
    assert "outcome" not in to_meds_labels(replace(cohort, study=study))


def test_what_cannot_be_written_is_an_error(cohort: Cohort, tmp_path) -> None:
    undated = replace(cohort, time=np.full(len(cohort), np.nan))
    with pytest.raises(UserError, match=f"{len(cohort)} decisions have no date"):
        to_meds_labels(undated)
    with pytest.raises(UserError, match="exists already; name a new folder"):
        write_meds_labels(cohort, tmp_path)
