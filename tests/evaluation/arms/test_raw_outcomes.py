import numpy as np
import pytest

from posology.evaluation.arms.raw_outcomes import describe_outcome

OPTIONS = ("control", "new", "never given")


def test_counts_means_and_differences_are_those_of_the_data() -> None:
    rng = np.random.default_rng(0)
    treatment = np.repeat([0, 1], 100)
    outcome = (rng.random(200) < 0.3 + 0.2 * treatment).astype(float)
    outcome[:7] = np.nan
    found = describe_outcome("x", outcome, (treatment, np.arange(200)), OPTIONS, 0)
    control, new, never = found.arms
    assert (control.decisions, control.known, control.total) == (100, 93, np.nansum(outcome[:100]))
    assert control.mean == np.nanmean(outcome[:100])
    assert new.mean == outcome[100:].mean()
    assert (never.patients, never.known) == (0, 0)
    difference = found.differences[1]
    assert difference.value == new.mean - control.mean
    welch = np.sqrt(control.deviation**2 / 93 + new.deviation**2 / 100)
    half = (difference.high - difference.low) / 2
    assert half == pytest.approx(1.96 * welch, rel=0.01)
    assert found.differences[0].value == 0
    assert np.isnan(found.differences[2].value)


def test_decisions_of_a_patient_are_not_counted_as_independent() -> None:
    treatment = np.repeat([0, 1], 50)
    outcome = np.random.default_rng(1).normal(size=100)
    once = describe_outcome("x", outcome, (treatment, np.arange(100)), OPTIONS, 0)
    four = [np.repeat(a, 4) for a in (outcome, treatment, np.arange(100))]
    repeated = describe_outcome("x", four[0], (four[1], four[2]), OPTIONS, 0)
    assert repeated.arms[0].patients == 50
    assert repeated.differences[1].p == pytest.approx(once.differences[1].p)


def test_an_interval_excludes_0_as_often_as_its_p_value_says() -> None:
    rng = np.random.default_rng(2)
    treatment, subject = np.repeat([0, 1], 60), np.arange(120)
    draws = [
        describe_outcome("x", rng.normal(size=120), (treatment, subject), OPTIONS[:2], 0)
        for _ in range(400)
    ]
    excluded = [d.differences[1].low > 0 or d.differences[1].high < 0 for d in draws]
    assert excluded == [d.differences[1].p < 0.05 for d in draws]
    assert 0.02 < np.mean(excluded) < 0.09
