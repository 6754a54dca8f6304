"""Harms of a budget are counted until the next decision, with the time over which they were."""

import numpy as np
import pytest

from posology.domain.safety_rules.harm_budget import HarmBudget, budget_units
from posology.errors import StudyError
from tests.builders.two_drug_records import extract_from_rows, study

BUDGET = """[[budgets]]
name = "falls"
codes = ["HARM"]
at_most = 0.02
per = "year"
within_days = 30
"""
WITH = (("[profile]", BUDGET + "[profile]"),)
ROWS = (
    (1, 0, "REVIEW", None),
    (1, 0, "DRUG//A", None),
    (1, 5, "HARM", None),
    (1, 6, "HARM", None),
    (1, 20, "REVIEW", None),
    (1, 20, "DRUG//A", None),
    (1, 25, "HARM", None),
    (1, 70, "HARM", None),
)


def test_harms_and_days_are_counted_until_the_next_decision_or_the_window_ends():
    d, _ = extract_from_rows(WITH, *ROWS)
    assert d.harm.tolist() == [[2.0], [1.0]]
    assert d.harm_days.tolist() == [[20.0], [30.0]]


def test_harms_are_unknown_where_follow_up_ends_before():
    d, _ = extract_from_rows(WITH, *ROWS[:-1])
    assert d.harm[0].tolist() == [2.0]
    assert np.isnan(d.harm[1]).all()


def test_a_death_ends_the_count():
    d, _ = extract_from_rows(WITH, *ROWS[:-1], (1, 26, "DEATH", None))
    assert d.harm.tolist() == [[2.0], [1.0]]
    assert d.harm_days.tolist() == [[20.0], [6.0]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('per = "year"', 'per = "month"', "budgets"),
        ('name = "falls"', 'name = "falls"\nlimit = 3', "limit"),
    ],
)
def test_impossible_budgets_are_refused(old: str, new: str, message: str):
    with pytest.raises(StudyError, match=message):
        study(("[profile]", BUDGET.replace(old, new) + "[profile]"))


def test_a_name_is_used_once():
    with pytest.raises(StudyError, match=r"\[\[budgets\]\] falls: the name is used twice"):
        study(("[profile]", BUDGET + BUDGET + "[profile]"))


def test_single_decisions_have_no_budgets():
    with pytest.raises(StudyError, match=r"budgets are for policies over many decisions, but"):
        study(*WITH, ('which = "every"', 'which = "first"'))


def test_units_are_years_patients_or_decisions():
    days, first = np.array([365.25, 730.5, 10.0]), np.array([True, False, True])
    per = {
        per: budget_units(HarmBudget("h", ("H",), 0.1, per, 30.0), days, first).tolist()
        for per in ("year", "patient", "decision")
    }
    assert per["year"][:2] == [1.0, 2.0]
    assert per["patient"] == [1.0, 0.0, 1.0]
    assert per["decision"] == [1.0, 1.0, 1.0]
