"""What facts that are not recorded could change."""

import numpy as np
import pytest

from posology.advice.why.contrasts import explain_dose
from posology.advice.why.explain import predict_single_dose
from posology.advice.why.missing import help_to_choose, help_to_dose
from posology.advice.why.table import Situation, make_table
from tests.builders.reasons import FACTS, PROFILE, forbidding, patient, policy, situation

TITLES = ("drug A", "drug B", "drug C")
UNKNOWN = patient((("SEX//male", np.nan),), (("SEX//male", np.nan),))
"""Nothing but the sex; heart failure is then absent, not unknown."""


def test_the_share_of_training_values_that_would_change_the_order_is_told() -> None:
    kidney, mass = help_to_choose(make_table(situation(UNKNOWN)), TITLES)
    # A leads from 0.8 down to 0.5, which eGFR 90 alone (of 30, 50, 70, 90) brings it to.
    assert kidney.fact == "eGFR"
    assert kidney.change == pytest.approx(0.25)
    assert kidney.sentence == (
        "If it were known, drug B would come first for 25 of 100 patients with values like those "
        "of earlier ones."
    )
    assert mass.change == 0
    assert mass.sentence == "Whatever its value, the first option would most likely stay the same."


def test_a_value_with_which_every_option_is_forbidden_is_said() -> None:
    """Once drug A, the first column, came first there: 50 of 100, or nothing would change."""
    s = situation(UNKNOWN, level=(0.5, 0.8, 0.1))
    kidney, _ = help_to_choose(make_table(forbidding(s, 60.0)), TITLES)
    assert (kidney.fact, kidney.change) == ("eGFR", 0.5)
    assert kidney.sentence == (
        "If it were known, every option would be forbidden for 50 of 100 patients with values like "
        "those of earlier ones."
    )
    kidney, _ = help_to_choose(make_table(forbidding(situation(UNKNOWN), 40.0)), TITLES)
    assert kidney.change == 0.75


def test_for_a_dose_it_is_the_range_in_which_the_dose_would_be() -> None:
    numbers = (("LAB//egfr", (0.5, 0.0, 0.0)), ("LAB//bmi", (0.0, 1.0, 0.0)))
    predict = predict_single_dose(policy(level=(10.0, 0.0, 0.0), numbers=numbers, codes=()))
    kidney, mass = help_to_dose(
        make_table(Situation(predict, UNKNOWN, PROFILE, 1, FACTS)), "mg/week"
    )
    assert kidney.sentence == (
        "If it were known, the dose would be from 25 to 55 mg/week. Every value would move it: "
        "that it is not recorded counts too."
    ), "the dose is 10 while it is not"
    assert mass.sentence == "Whatever its value, the dose would stay nearly the same."


def test_a_dose_below_one_is_not_rounded_to_nothing() -> None:
    """Digoxin: the dose would have been `from 0 to 0 mg/d`, whatever the kidneys do."""
    numbers = (("LAB//egfr", (0.0025, 0.0, 0.0)),)
    predict = predict_single_dose(policy(level=(0.03, 0.0, 0.0), numbers=numbers, codes=()))
    table = make_table(Situation(predict, UNKNOWN, PROFILE, 1, FACTS))
    kidney = next(h for h in help_to_dose(table, "mg/d") if h.fact == "eGFR")
    assert kidney.sentence.startswith("If it were known, the dose would be from 0.10 to 0.26 mg/d.")
    kept = patient((("LAB//egfr", 50.0),), (("LAB//egfr", 50.0),))
    (reason,) = explain_dose(
        make_table(Situation(predict, kept, PROFILE, 1, FACTS)), PROFILE, "mg/d"
    )
    assert reason.sentence.endswith("Without it the dose would be 0.18 mg/d.")


def test_findings_that_the_patient_does_not_have_are_not_tried_for_a_dose() -> None:
    """A study may know hundreds: 500 of 640 predictions of a warfarin dose were of those."""
    every, known = make_table(situation(UNKNOWN)), make_table(situation(UNKNOWN), False)
    left_out = {e.fact.name for e in every.facts} - {e.fact.name for e in known.facts}
    assert left_out == {"heart failure"}
    for table in (every, known):
        assert [h.fact for h in help_to_choose(table, TITLES)] == ["eGFR", "body mass index"]
