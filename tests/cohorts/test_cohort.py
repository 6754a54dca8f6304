"""Cohorts: what reaches a feature, and what never does."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.cohorts.build import build_cohort
from posology.cohorts.decisions.split import split_by_hash, uniform_hash
from posology.cohorts.study.reader import read_study
from posology.domain.cohort import TEST, TRAIN, select_split
from posology.domain.history import visible_events
from posology.errors import StudyError
from tests.builders.synthetic_iwpc import cohort, events


def test_static_facts_are_in_the_first_step_and_steps_follow_time() -> None:
    c = cohort(60)
    h = c.history
    assert np.isnan(h.time[h.step_offsets[:-1]]).all()
    for subject in range(len(h.subject_id)):
        times = h.time[h.step_offsets[subject] + 1 : h.step_offsets[subject + 1]]
        assert (np.diff(times) > 0).all()


def test_a_history_holds_the_same_events_as_the_table() -> None:
    table, c = events(60), cohort(60)
    wanted: dict[int, list[tuple[str, float]]] = {}
    for row in table.to_pylist():
        if row["code"] in c.profile.codes:
            value = np.nan if row["numeric_value"] is None else row["numeric_value"]
            wanted.setdefault(row["subject_id"], []).append((row["code"], value))
    h = c.history
    for subject, name in enumerate(h.subject_id):
        first = h.event_offsets[h.step_offsets[subject]]
        last = h.event_offsets[h.step_offsets[subject + 1]]
        found = [
            (c.profile.codes[code], value)
            for code, value in zip(h.code[first:last], h.value[first:last], strict=True)
            if not c.profile.codes[code].startswith("FORMULA")
        ]
        key = lambda pair: (pair[0], np.nan_to_num(pair[1]))  # noqa: E731
        np.testing.assert_array_equal(
            [code for code, _ in sorted(found, key=key)],
            [code for code, _ in sorted(wanted[int(name)], key=key)],
        )


def test_the_outcome_and_what_follows_the_decision_are_not_visible() -> None:
    c = cohort(120)
    assert not any(code.startswith(("OUTCOME", "WARFARIN")) for code in c.profile.codes)
    _, event = visible_events(c.history, c.last_step)
    step = np.repeat(np.arange(len(c.history.time)), np.diff(c.history.event_offsets))
    zero = (np.datetime64("2000-01-01") - np.datetime64("1970-01-01")).astype(int)
    seen = c.history.time[step[event]]
    assert (np.isnan(seen) | (seen <= zero)).all()
    assert (c.history.time > zero).any()


def test_changing_outcomes_of_the_test_split_changes_no_feature() -> None:
    table, study = events(200), read_study("iwpc")
    before = build_cohort(table, study)
    tested = set(before.history.subject_id[before.split == TEST].tolist())
    assert tested
    outcome = pc.equal(table["code"], "OUTCOME//WARFARIN_DOSE").to_numpy()
    value = table["numeric_value"].to_numpy().copy()
    mine = np.isin(table["subject_id"].to_numpy(), list(tested))
    value[mine & outcome] = 70.0
    # and their own heights: scaling and the refit come from training patients alone
    value[mine & pc.equal(table["code"], "WEIGHT").to_numpy()] = 999.0
    changed = table.set_column(
        table.column_names.index("numeric_value"), "numeric_value", pa.array(value, pa.float32())
    )
    after = build_cohort(changed, study)
    np.testing.assert_array_equal(before.profile.center, after.profile.center)
    np.testing.assert_array_equal(before.profile.spread, after.profile.spread)
    assert before.profile.formulas == after.profile.formulas
    assert before.profile.codes == after.profile.codes
    train_before, train_after = select_split(before, TRAIN), select_split(after, TRAIN)
    np.testing.assert_array_equal(train_before.history.value, train_after.history.value)


def test_a_deliberate_leak_is_detected() -> None:
    """The outcome named as a family of the profile: no decision sees it, so it is no code."""
    study = read_study("iwpc")
    leaky = replace(
        study, profile=replace(study.profile, families=(*study.profile.families, "OUTCOME"))
    )
    c = build_cohort(events(120), leaky)
    assert not any(code.startswith("OUTCOME") for code in c.profile.codes)


def test_patients_without_an_outcome_in_the_window_are_excluded() -> None:
    study, table = read_study("iwpc"), events(50)
    assert len(build_cohort(table, study)) == 50
    late = pc.and_(
        pc.equal(table["code"], "OUTCOME//WARFARIN_DOSE"), pc.less(table["subject_id"], 11)
    )
    assert len(build_cohort(table.filter(pc.invert(late)), study)) == 40


def test_a_study_without_training_decisions_is_an_error() -> None:
    study = read_study("iwpc")
    short = replace(study, outcome=replace(study.outcome, within_days=30.0))
    with pytest.raises(StudyError) as caught:
        build_cohort(events(50), short)
    assert str(caught.value) == (
        "study iwpc: none of 50 decisions remains for training; 50 have no outcome "
        "(OUTCOME//WARFARIN_DOSE) within 30 days."
    )


def test_a_code_without_events_is_an_error_that_names_the_nearest() -> None:
    study = read_study("iwpc")
    wrong = replace(study, outcome=replace(study.outcome, codes=("OUTCOME//WARFARIN_DOSIS",)))
    with pytest.raises(StudyError) as caught:
        build_cohort(events(50), wrong)
    assert str(caught.value) == (
        "study iwpc: [outcome] codes: no event has the code `OUTCOME//WARFARIN_DOSIS`; "
        "did you mean `OUTCOME//WARFARIN_DOSE`?"
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=50, unique=True))
def test_a_new_patient_does_not_change_the_splits_of_others(subjects: list[int]) -> None:
    split = read_study("iwpc").split
    whole = split_by_hash(np.array(subjects, dtype=np.int64), split)
    for row, subject in enumerate(subjects):
        assert split_by_hash(np.array([subject], dtype=np.int64), split)[0] == whole[row]


def test_the_hash_is_uniform_and_depends_on_the_salt() -> None:
    subjects = np.arange(100_000, dtype=np.int64)
    at = uniform_hash(subjects, "a")
    assert abs(at.mean() - 0.5) < 0.005
    np.testing.assert_allclose(np.histogram(at, 10, (0, 1))[0] / 1e5, 0.1, atol=0.005)
    assert abs(np.corrcoef(at, uniform_hash(subjects, "b"))[0, 1]) < 0.01
