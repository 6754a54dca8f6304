"""Error of the dose and calibration of the class, on validation patients."""

from dataclasses import replace

import numpy as np
import pytest

from posology.evaluation.table1.dose_error import true_dose
from posology.evaluation.table1.dose_evidence import calibrate_classes, measure_dose_evidence
from posology.evaluation.table1.predictions import predict_cohort
from tests.builders.policies import fitted_policy, iwpc_cohort


def test_the_error_is_that_of_the_validation_patients_with_each_rule_beside_it() -> None:
    validation = iwpc_cohort()
    policy = fitted_policy("formula_refit")
    rules = {"fixed": fitted_policy("fixed"), "clinical": fitted_policy("clinical_formula")}
    found = measure_dose_evidence(policy, rules, validation, np.random.default_rng(0))
    assert found is not None
    assert found.error is not None
    error = np.abs(predict_cohort(policy, validation).dose - true_dose(validation))
    assert found.error.value == pytest.approx(np.nanmean(error), rel=1e-6)
    assert found.error.low < found.error.value < found.error.high
    fixed = next(rule for rule in found.rules if rule.name == "fixed")
    assert fixed.difference.value == pytest.approx(found.error.value - fixed.error.value)


def test_without_right_doses_there_is_no_evidence() -> None:
    validation = iwpc_cohort()
    unknown = replace(validation, outcome=np.full_like(validation.outcome, np.nan))
    rng = np.random.default_rng(0)
    assert measure_dose_evidence(fitted_policy("logistic"), {}, unknown, rng) is None


def test_overconfident_probabilities_are_brought_back_to_what_was_seen() -> None:
    rng = np.random.default_rng(1)
    n = 3000
    likely = rng.integers(0, 2, n)
    probability = np.where(np.arange(2) == likely[:, None], 0.99, 0.01)
    right = np.where(rng.random(n) < 0.7, likely, 1 - likely)
    bins = calibrate_classes(probability + rng.normal(0, 1e-4, (n, 2)), right, np.arange(n))
    for b in bins:
        expected = 70.0 if b.predicted > 0.5 else 30.0
        assert b.observed.low - 2 < expected < b.observed.high + 2
        assert b.patients >= 50


def test_few_patients_tell_likely_classes_from_unlikely_ones() -> None:
    """75 patients were one bin of all classes: a page read 34, 33 and 33 of 100, whatever came."""
    rng = np.random.default_rng(1)
    right = rng.choice(3, 75, p=[0.2, 0.75, 0.05])
    probability = np.tile([0.2, 0.75, 0.05], (75, 1)) + rng.normal(0, 1e-3, (75, 3))
    bins = calibrate_classes(probability, right, np.arange(75))
    assert len(bins) == 3
    for found, share in zip(bins, (5.0, 20.0, 75.0), strict=True):
        assert found.observed.low < share < found.observed.high
        assert found.patients >= 50


def test_one_bin_of_all_classes_says_nothing_of_any() -> None:
    right = np.random.default_rng(1).choice(3, 75)
    assert calibrate_classes(np.full((75, 3), 1 / 3), right, np.arange(75)) == ()
