"""Cohorts as arrays and tables: what the records hold, under names that people read."""

import datetime
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from posology import select_split
from posology.domain.cohort import Cohort
from posology.domain.history import days_since, has_code, latest_value
from posology.workflows.exchange.decisions import to_arrays, to_frame
from tests.builders import synthetic_iwpc
from tests.builders.belief_cohort import small_trajectories


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return synthetic_iwpc.cohort(120)


def test_every_row_is_a_decision_with_the_facts_of_the_records(cohort: Cohort) -> None:
    frame = to_frame(cohort).to_pandas()
    assert len(frame) == len(cohort)
    history, steps, rows = cohort.history, cohort.last_step, cohort.profile.rows
    height = latest_value(history, steps, rows(("HEIGHT",)))
    np.testing.assert_allclose(frame["height, cm"], height.astype(np.float32))
    female = has_code(history, steps, rows(("SEX//female",)))
    assert (frame["sex: female"] == female).all()
    seen = has_code(history, steps, rows(("CONDITION//a",)))
    assert (frame["condition a"] == seen).all()
    assert cohort.time is not None
    days = days_since(history, steps, rows(("CONDITION//a",)), cohort.time, numeric=False)
    np.testing.assert_allclose(frame["condition a: days since"], days, atol=0.02)
    assert days[seen].min() > 0, "a decision's last step lies before it"
    assert frame["treatment"].tolist() == [
        cohort.study.formulary.names[t] for t in cohort.treatment
    ]
    assert set(frame["time"]) == {datetime.datetime(2000, 1, 1)}  # noqa: DTZ001


def test_counts_are_of_the_events_seen(cohort: Cohort) -> None:
    arrays = to_arrays(cohort)
    count = arrays.X[:, arrays.facts.index("condition a: count")]
    history, row = cohort.history, next(iter(cohort.profile.rows(("CONDITION//a",))))
    for decision in range(len(cohort)):
        first = history.step_offsets[cohort.subject[decision]]
        steps = history.event_offsets[[first, cohort.last_step[decision] + 1]]
        assert count[decision] == (history.code[slice(*steps)] == row).sum()


def test_columns_do_not_depend_on_what_comes_later(cohort: Cohort) -> None:
    later = np.ones(len(cohort.history.value), bool)
    for decision in range(len(cohort)):
        first = cohort.history.step_offsets[cohort.subject[decision]]
        later[slice(*cohort.history.event_offsets[[first, cohort.last_step[decision] + 1]])] = False
    value = np.where(later, 1e6, cohort.history.value).astype(np.float32)
    changed = replace(cohort, history=replace(cohort.history, value=value))
    assert later.any()
    np.testing.assert_array_equal(to_arrays(changed).X, to_arrays(cohort).X)


def test_unknown_is_null_and_what_nobody_has_is_left_out(cohort: Cohort) -> None:
    effective = np.where(np.arange(len(cohort)) % 3 == 0, np.nan, cohort.effective)
    known = replace(
        cohort,
        effective=effective.astype(np.float32),
        best_treatment=np.full(len(cohort), -1, np.int32),
        treatment=np.where(np.arange(len(cohort)) == 1, -1, cohort.treatment).astype(np.int32),
    )
    frame = to_frame(known)
    assert frame["effective"].null_count == np.isnan(effective).sum()
    assert frame["treatment"][1].as_py() is None
    assert "best_treatment" not in frame.column_names
    assert "site" not in frame.column_names, "there is one site"
    sites = replace(known, site=(np.arange(len(cohort)) % 2).astype(np.int32))
    assert to_frame(sites)["site"].to_pylist() == sites.site.tolist()


def test_two_facts_of_one_name_show_their_codes(cohort: Cohort) -> None:
    named = list(cohort.profile.titles)
    for code in ("SEX//female", "SEX//male"):
        named[cohort.profile.codes.index(code)] = "sex"
    named[cohort.profile.codes.index("HEIGHT")] = "dose"
    frame = to_frame(replace(cohort, profile=replace(cohort.profile, titles=tuple(named))))
    assert {"sex [SEX//female]", "sex [SEX//male]", "dose [HEIGHT]"} <= set(frame.column_names)
    assert len(set(frame.column_names)) == len(frame.column_names)
    assert frame["dose"].to_pylist() == pytest.approx(cohort.dose.tolist())


def test_units_of_the_records_stand_in_the_name(cohort: Cohort) -> None:
    titles, units = [""] * len(cohort.profile.codes), [""] * len(cohort.profile.codes)
    units[cohort.profile.codes.index("HEIGHT")] = "cm"
    units[cohort.profile.codes.index("AGE_DECADE")] = "{decade}"  # an annotation, no unit
    profile = replace(cohort.profile, titles=tuple(titles), units=tuple(units))
    facts = to_arrays(replace(cohort, profile=profile)).facts
    assert "height (cm)" in facts
    assert "age decade" in facts


def test_the_split_selects_the_same_decisions_as_select_split(cohort: Cohort) -> None:
    arrays = to_arrays(cohort)
    test = select_split(cohort, "test")
    ids = test.history.subject_id[test.subject]
    assert arrays.subject_id[arrays.split == "test"].tolist() == ids.tolist()


def test_decisions_of_one_patient_have_times_of_their_own() -> None:
    frame = to_frame(small_trajectories())
    keys = frame.select(["subject_id", "time"]).group_by(["subject_id", "time"]).aggregate([])
    assert isinstance(frame, pa.Table)
    assert len(keys) == len(frame)
