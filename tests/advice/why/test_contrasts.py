"""Reasons for a difference: what the difference would be without each fact."""

from dataclasses import replace

import numpy as np
import pytest

from posology.advice.why.contrasts import contrast_options, explain_dose
from posology.advice.why.explain import predict_single_dose
from posology.advice.why.facts import FactValue
from posology.advice.why.table import Situation, make_table
from posology.advice.why.values import policy_values
from posology.domain.history import History
from posology.domain.recommendation.why import ContrastReason
from tests.builders.reasons import FACTS, PROFILE, STUDY, WOMAN, patient, policy, situation

VALUES = policy_values(policy(), STUDY)


def test_a_reason_is_the_change_of_the_difference_and_its_sentence_says_what_would_remain() -> None:
    contrast = contrast_options(make_table(situation()), PROFILE, (0, 1), VALUES)
    # A: 0.8 - 0.004 * 38 - 0.165 + 0.01; B: 0.5 - 0.165 + 0.06
    assert contrast.difference == pytest.approx(9.8)
    kidney, heart, sex = contrast.reasons
    # Over eGFR 30, 50, 70, 90 A's part is -0.24 on average, 0.152 with this patient's 38.
    assert kidney.contribution == pytest.approx(8.8)
    assert kidney.fact == "eGFR 38 mL/min"
    assert kidney.code == "LAB//egfr"
    assert kidney.sentence == (
        "eGFR 38 mL/min speaks for drug A. Without it the lead would be 1 of 100."
    )
    assert heart.contribution == pytest.approx(-6.0)
    assert heart.sentence == (
        "Heart failure speaks for drug B. Without it the lead would be 16 of 100."
    )
    assert sex.contribution == pytest.approx(0.6)
    assert sex.fact == "female"


def test_what_is_bad_for_both_options_is_no_reason() -> None:
    table = make_table(situation())
    assert all(
        reason.code != "LAB//bmi"
        for reason in contrast_options(table, PROFILE, (0, 1), VALUES).reasons
    )
    against_c = contrast_options(table, PROFILE, (0, 2), VALUES).reasons
    assert any(reason.code == "LAB//bmi" for reason in against_c)


def test_a_fact_without_which_the_other_would_lead_says_so() -> None:
    table = make_table(situation(level=(0.75, 0.5, 0.1)))
    kidney = contrast_options(table, PROFILE, (0, 1), VALUES).reasons[0]
    assert kidney.sentence.endswith("Without it drug B would lead by 4 of 100.")


def test_an_error_of_rounding_is_no_reason() -> None:
    """The mean of equal outputs is not exactly each of them; nor is its standard error 0."""
    table = make_table(situation())
    sex = next(e for e in table.facts if e.fact.name == "sex")
    nothing = replace(sex, without=table.recorded + np.array([4e-14, 0.0, 0.0]))
    table = replace(table, facts=(nothing,))
    values = replace(VALUES, unit="kg", error=lambda pair, change: 1e-17)
    assert contrast_options(table, PROFILE, (0, 1), values).reasons == ()


def test_units_stand_instead_of_patients() -> None:
    table = make_table(situation())
    kidney = contrast_options(table, PROFILE, (0, 1), replace(VALUES, unit="mmol/mol")).reasons[0]
    assert kidney.sentence.endswith("Without it the lead would be 1 mmol/mol.")


def test_a_treatment_given_before_is_left_out_and_never_changed() -> None:
    history = patient((("SEX//male", np.nan),), (("DRUG//b", 5.0),), (("LAB//egfr", 38.0),))
    codes = (("DRUG//b", (0.0, -0.2, 0.0)),)
    table = make_table(situation(history, codes=codes))
    earlier = next(e for e in table.facts if e.fact.is_treatment)
    assert len(earlier.values) == 0
    reasons = contrast_options(table, PROFILE, (0, 1), VALUES).reasons
    drug = next(r for r in reasons if r.code == "DRUG//b")
    assert drug.contribution == pytest.approx(20.0)


def test_what_is_not_recorded_is_no_reason() -> None:
    history = patient((("SEX//male", np.nan),), (("LAB//bmi", 33.0),))
    codes = {r.code for r in _reasons(history)}
    assert "LAB//egfr" not in codes
    assert "CONDITION//failing" not in codes


def _reasons(history: History) -> tuple[ContrastReason, ...]:
    table = make_table(situation(history))
    return contrast_options(table, PROFILE, (0, 2), VALUES).reasons


def test_reasons_for_a_dose_are_in_its_unit() -> None:
    numbers = (("LAB//egfr", (0.5, 0.0, 0.0)), ("LAB//bmi", (0.0, 1.0, 0.0)))
    predict = predict_single_dose(policy(level=(10.0, 0.0, 0.0), numbers=numbers, codes=()))
    table = make_table(Situation(predict, WOMAN, PROFILE, 2, FACTS))
    (kidney,) = explain_dose(table, PROFILE, "mg/week")
    assert kidney.contribution == pytest.approx(0.5 * (38 - 60))
    assert kidney.sentence == (
        "eGFR 38 mL/min lowers the dose. Without it the dose would be 40.0 mg/week."
    )


def test_a_number_that_is_the_first_among_training_values_still_counts() -> None:
    assert FactValue(0, 30.0, 0.25) in FACTS[0].values
    history = patient((("SEX//male", np.nan),), (("LAB//egfr", 30.0),))
    kidney = next(r for r in _reasons(history) if r.code == "LAB//egfr")
    assert kidney.contribution == pytest.approx(12.0)


def test_what_is_within_its_error_is_no_reason() -> None:
    table = make_table(situation())
    asked: list[float] = []

    def error(pair: tuple[int, int], change: np.ndarray) -> float:
        asked.append(float(change[pair[0]] - change[pair[1]]))
        return 7.0

    sure = contrast_options(table, PROFILE, (0, 1), replace(VALUES, error=error)).reasons
    assert [reason.code for reason in sure] == ["LAB//egfr"]
    assert sorted(asked) == pytest.approx([-6.0, 0.6, 8.8])
