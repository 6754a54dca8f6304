"""Dates without hours: what comes of a treatment on its own day is an outcome, no covariate."""

import numpy as np
import pytest

from posology.cohorts.build import build_cohort
from posology.errors import StudyError
from tests.builders.two_drug_records import FIRST, Row, event_table, extract_from_rows, study

HARM = (
    ('kind = "value_in_range"\ncodes = ["LAB"]', 'kind = "does_not_occur"\ncodes = ["HARM"]'),
    ("from_days = 10\nwithin_days = 40\nrange = { at_most = 5.0 }", "within_days = 30"),
)
DEATH = tuple((old, new.replace("HARM", "DEATH")) for old, new in HARM)


def by_day(*same_day: str) -> tuple[str, str]:
    order = f"\nsame_day = {list(same_day)}" if same_day else ""
    return ("[outcome]", f'[time]\nresolution = "day"{order}\n[outcome]')


def patient(*rows: Row) -> list[Row]:
    base: list[Row] = [(1, 0.0, "REVIEW", None), (1, 0.0, "DRUG//A", None), (1, 90.0, "LAB", 1.0)]
    return sorted([*base, *rows], key=lambda row: row[1] or 0.0)


def test_a_reaction_on_the_day_of_treatment_is_an_outcome_and_no_covariate() -> None:
    """The audit's world: a reaction that day, 10 points more often under B."""
    patients = 1_000
    arm = np.arange(patients) % 2
    hit = np.arange(patients) // 2 / (patients // 2) < np.where(arm == 1, 0.12, 0.02)
    rows: list[Row] = []
    for row in range(patients):
        rows += [(row + 1, 0.0, "REVIEW", None), (row + 1, 0.0, f"DRUG//{'AB'[arm[row]]}", None)]
        rows += [(row + 1, 0.0, "HARM", None)] if hit[row] else []
        rows += [(row + 1, 400.0, "LAB", 1.0)]
    effects, visible = [], []
    for changes in (HARM, (*HARM, by_day())):
        cohort = build_cohort(event_table(*rows), study(*changes))
        arms = [cohort.effective[cohort.treatment == row].mean() for row in (0, 1)]
        effects.append(float(arms[1] - arms[0]))
        visible.append("HARM" in cohort.profile.codes)
    assert effects[0] == 0.0, "as recorded, the reaction is history"
    assert effects[1] == pytest.approx(-0.10)
    assert visible == [True, False]


def test_a_death_on_day_0_and_one_on_the_last_day_lie_in_the_window() -> None:
    for day, survived in ((0, 0.0), (30, 0.0), (31, 1.0)):
        rows: list[Row] = [(1, 0.0, "REVIEW", None), (1, 0.0, "DRUG//A", None)]
        rows += [(1, float(day), "DEATH", None)]
        decided, _ = extract_from_rows((*DEATH, by_day()), *rows)
        assert decided.effective.tolist() == [survived], day
        assert decided.resolved_days.tolist() == [min(day, 30)], "whole days"
    rows = [(1, 0.0, "REVIEW", None), (1, 0.0, "DRUG//A", None), (1, 0.0, "DEATH", None)]
    assert extract_from_rows(DEATH, *rows)[0].effective.tolist() != [0.0], "without the key"


@pytest.mark.parametrize(
    ("order", "effective"),
    [
        (("baseline", "treatment", "outcome"), 0.0),
        (("treatment", "baseline", "outcome"), 0.0),
        (("baseline", "outcome", "treatment"), 1.0),
        (("outcome", "baseline", "treatment"), 1.0),
    ],
)
def test_the_study_states_what_comes_first_on_a_day(
    order: tuple[str, ...], effective: float
) -> None:
    rows = patient((1, 0.0, "HARM", None), (1, 0.0, "NOTE//x", None), (1, -3.0, "NOTE//y", None))
    changes = (*HARM, by_day(*order))
    decided, _ = extract_from_rows(changes, *rows)
    assert decided.effective.tolist() == [effective]
    many = [(s, *row[1:]) for s in range(1, 40) for row in rows]
    many += [(99, 0.0, "DRUG//B", None)]
    codes = build_cohort(event_table(*many), study(*changes)).profile.codes
    assert ("NOTE//x" in codes) is (order.index("baseline") < order.index("treatment"))
    assert ("HARM" in codes) is (order.index("outcome") < order.index("treatment"))


def test_hours_do_not_matter_by_day() -> None:
    rows = patient((1, 0.1, "HARM", None))
    rows = [
        (s, (d or 0.0) + 0.4 * (code == "REVIEW") + 0.3 * (code == "DRUG//A"), code, v)
        for s, d, code, v in rows
    ]
    rows.sort(key=lambda row: row[1])
    decided, _ = extract_from_rows((*HARM, by_day()), *rows)
    assert (decided.time - FIRST).tolist() == [0.0]
    assert decided.effective.tolist() == [0.0]
    assert len(extract_from_rows(HARM, *rows)[0]) == 0, "as recorded, the drug came before"


def test_the_value_of_the_day_is_the_baseline() -> None:
    change = ("range = { at_most = 5.0 }", "change = { at_most = -1.0 }")
    kind = ('kind = "value_in_range"', 'kind = "change"')
    rows = patient((1, 0.0, "LAB", 8.0), (1, 40.0, "LAB", 6.0))
    decided, _ = extract_from_rows((kind, change, by_day()), *rows)
    assert decided.outcome.tolist() == [-2.0]


def test_follow_up_to_the_last_day_of_the_window_is_enough() -> None:
    for last, known in ((29.0, False), (30.0, True)):
        rows: list[Row] = [(1, 0.0, "REVIEW", None), (1, 0.0, "DRUG//A", None)]
        decided, _ = extract_from_rows((*HARM, by_day()), *rows, (1, last, "LAB", 1.0))
        assert decided.outcome_observed.tolist() == [known]
        assert decided.days_followed.tolist() == [last]
        until = ('ended_by = ["DEATH"]', f"until = 2010-01-{int(last) + 1:02d}")
        by_date, _ = extract_from_rows((*HARM, by_day(), until), *rows, (1, 90.0, "LAB", 1.0))
        assert by_date.outcome_observed.tolist() == [known]


def test_the_landmark_counts_whole_days() -> None:
    grace = ("grace_days = 1", "grace_days = 14")
    for day, left in ((14.0, 0), (15.0, 1)):
        rows = patient((1, day, "HARM", None))
        assert len(extract_from_rows((*HARM, by_day(), grace), *rows)[0]) == left, day


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('resolution = "hour"', "`resolution` is 'hour'"),
        ('resolution = "minute"\nsame_day = ["baseline", "treatment", "outcome"]', "goes with"),
        ('resolution = "day"\nsame_day = ["baseline", "outcome"]', "names baseline, treatment and"),
    ],
)
def test_an_impossible_order_is_an_error(text: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        study(("[outcome]", f"[time]\n{text}\n[outcome]"))
