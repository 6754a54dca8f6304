"""Copies of a patient with changed facts."""

from dataclasses import replace

import numpy as np

from posology.advice.why.facts import SINCE, Fact, FactValue
from posology.advice.why.what_if import change_facts
from posology.domain.formulas.formula import Formula, Term
from posology.domain.history import History
from posology.domain.profile import Profile
from tests.builders.reasons import BMI, CODES, EGFR, FAILING, PROFILE, SEX, WOMAN, patient


def events(history: History, copy: int) -> list[tuple[int, str, float]]:
    """Step, code and number of each event of a copy."""
    first, last = history.step_offsets[copy : copy + 2]
    found = []
    for step in range(first, last):
        for e in range(*history.event_offsets[step : step + 2]):
            found.append((step - first, int(history.code[e]), float(history.value[e])))
    return [(step, CODES[code] if code < len(CODES) else "formula", v) for step, code, v in found]


def test_the_empty_case_is_the_patient_as_recorded() -> None:
    same = change_facts(WOMAN, PROFILE, 2, [()])
    np.testing.assert_array_equal(same.code, WOMAN.code)
    np.testing.assert_array_equal(same.value, WOMAN.value)
    np.testing.assert_array_equal(same.event_offsets, WOMAN.event_offsets)
    np.testing.assert_array_equal(same.time, WOMAN.time)


def test_all_events_of_a_fact_go_together_and_steps_stay() -> None:
    without = change_facts(WOMAN, PROFILE, 2, [((EGFR, None),)])
    assert [e[1] for e in events(without, 0)] == ["SEX//female", "LAB//bmi", "CONDITION//failing"]
    assert len(without.time) == 3


def test_a_number_moves_its_whole_course() -> None:
    moved = change_facts(WOMAN, PROFILE, 2, [((EGFR, FactValue(0, 60.0, 1.0)),)])
    assert [e[2] for e in events(moved, 0) if e[1] == "LAB//egfr"] == [72.0, 60.0]


def test_a_course_that_was_never_negative_is_not_moved_below_zero() -> None:
    history = patient((("SEX//male", np.nan),), (("LAB//egfr", 5.0),), (("LAB//egfr", 40.0),))
    moved = change_facts(history, PROFILE, 2, [((EGFR, FactValue(0, 30.0, 1.0)),)])
    assert [e[2] for e in events(moved, 0) if e[1] == "LAB//egfr"] == [0.0, 30.0]


def test_findings_and_choices_are_swapped_removed_and_added() -> None:
    history = patient((("SEX//female", np.nan),), (("LAB//bmi", 33.0),))
    cases = [
        ((SEX, FactValue(3, None, 0.6)),),
        ((FAILING, FactValue(4, None, 0.1)),),
        ((replace(FAILING, days_before=0.0), FactValue(4, None, 0.1)), (BMI, None)),
        ((EGFR, FactValue(0, 60.0, 1.0)),),
    ]
    made = change_facts(history, PROFILE, 1, cases)
    assert [[e[:2] for e in events(made, copy)] for copy in range(4)] == [
        [(0, "SEX//male"), (1, "LAB//bmi")],
        [(0, "SEX//female"), (0, "CONDITION//failing"), (1, "LAB//bmi")],
        [(0, "SEX//female"), (1, "CONDITION//failing")],
        [(0, "SEX//female"), (0, "LAB//egfr"), (1, "LAB//bmi")],
    ]
    gone = change_facts(WOMAN, PROFILE, 2, [((FAILING, FactValue(-1, None, 0.9)),)])
    assert all(e[1] != "CONDITION//failing" for e in events(gone, 0))


def test_what_comes_after_the_decision_is_not_there() -> None:
    earlier = change_facts(WOMAN, PROFILE, 1, [()])
    assert [e[2] for e in events(earlier, 0) if e[1] == "LAB//egfr"] == [50.0]


def test_formulas_are_worked_out_again() -> None:
    formula = Formula("half", "made up", "", "", (Term("bmi", "value", ("LAB//bmi",), 0.5),))
    codes = (*CODES, formula.event)
    profile = Profile(codes, np.zeros(7, np.float32), np.ones(7, np.float32), (formula,))
    static = patient((("SEX//male", np.nan), ("LAB//bmi", 30.0)), (("LAB//egfr", 50.0),))
    made = change_facts(static, profile, 1, [(), ((BMI, FactValue(1, 20.0, 1.0)),), ((BMI, None),)])
    results = [[e[2] for e in events(made, c) if e[1] == "formula"] for c in range(3)]
    assert results == [[15.0], [10.0], []]


def test_a_date_moves_between_its_neighbours_and_only_alone() -> None:
    since = Fact("heart failure", "", SINCE, (4,), (), 1.0)
    history = patient(
        (("SEX//male", np.nan),),
        (("CONDITION//failing", np.nan),),
        (("LAB//egfr", 50.0),),
        (("LAB//bmi", 30.0),),
    )
    years = [((since, FactValue(4, x, 1.0)),) for x in (1.0, 0.0)]
    made = change_facts(history, PROFILE, 3, years)
    np.testing.assert_allclose(made.time[[1, 5]], [30.0 - 365, 20.0])
    together = change_facts(WOMAN, PROFILE, 2, [((since, FactValue(4, 1.0, 1.0)),)])
    np.testing.assert_array_equal(together.time, WOMAN.time)
