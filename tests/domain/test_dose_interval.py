import numpy as np
import pytest

from posology.domain.dose_interval import interval_around, interval_coverage, interval_half_width


def test_nine_in_ten_of_others_are_covered() -> None:
    """300 draws of 200 to measure by and one to cover: 85 to 95 % within three errors."""
    rng, held = np.random.default_rng(0), []
    for _ in range(300):
        right = rng.uniform(10, 60, 201)
        said = right * np.exp(rng.normal(0, 0.3, 201))
        spread = interval_half_width(said[:200], right[:200])
        assert spread is not None
        low, high = interval_around(float(said[200]), spread)
        held.append(low <= right[200] <= high)
    assert 0.85 <= np.mean(held) <= 0.95


def test_the_rank_is_counted_with_the_patient_to_come() -> None:
    said, right = np.zeros(9), np.arange(1.0, 10.0) ** 2
    assert interval_half_width(said, right) == 9.0
    assert interval_half_width(said[:8], right[:8]) is None
    assert interval_half_width(np.append(said, np.nan), np.append(right, 4.0)) == 9.0
    assert interval_coverage(said, right, 4.5) == pytest.approx(4 / 9)


def test_an_interval_never_falls_below_nothing() -> None:
    assert interval_around(4.0, 3.0) == (0.0, 25.0)
