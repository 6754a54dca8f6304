import numpy as np
import pytest

from posology.domain.dose_interval import interval_around, interval_coverage, interval_half_width


def test_the_interval_contains_nine_in_ten_correct_doses_of_new_patients() -> None:
    """300 draws of 200 patients to measure and one to check; 85 to 95 %: three standard errors."""
    rng, contained = np.random.default_rng(0), []
    for _ in range(300):
        correct = rng.uniform(10, 60, 201)
        predicted = correct * np.exp(rng.normal(0, 0.3, 201))
        half_width = interval_half_width(predicted[:200], correct[:200])
        assert half_width is not None
        low, high = interval_around(float(predicted[200]), half_width)
        contained.append(low <= correct[200] <= high)
    assert 0.85 <= np.mean(contained) <= 0.95


def test_the_quantile_has_the_finite_sample_correction() -> None:
    predicted, correct = np.zeros(9), np.arange(1.0, 10.0) ** 2
    assert interval_half_width(predicted, correct) == 9.0
    assert interval_half_width(predicted[:8], correct[:8]) is None


def test_unknown_doses_are_ignored() -> None:
    predicted, correct = np.append(np.zeros(9), np.nan), np.append(np.arange(1.0, 10.0) ** 2, 4.0)
    assert interval_half_width(predicted, correct) == 9.0
    assert interval_coverage(predicted, correct, 4.5) == pytest.approx(4 / 9)


def test_the_interval_has_no_negative_dose() -> None:
    assert interval_around(4.0, 3.0) == (0.0, 25.0)
