import numpy as np
import pytest

from posology.evaluation.arms.baseline import MEAN, MEDIAN, SHARE, describe_arms

TREATMENT = np.array([0, 0, 0, 0, 1, 1, 1, 1])


def described(column: list[float]):
    (row,) = describe_arms(np.array(column, dtype=np.float64)[:, None], ["x"], TREATMENT, 2)
    return row


def test_a_number_has_its_mean_and_sample_deviation_by_arm() -> None:
    row = described([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, np.nan])
    first, second = row.cells
    assert row.kind == MEAN
    assert (first.total, first.known, first.mean) == (4, 4, 2.5)
    assert first.deviation == pytest.approx(np.std([1, 2, 3, 4], ddof=1))
    assert (second.total, second.known, second.mean) == (4, 3, 6.0)
    spread = np.sqrt((5 / 3 + 1.0) / 2)
    assert row.difference == pytest.approx(3.5 / spread)


def test_yes_or_no_is_a_share_and_a_skewed_number_has_quartiles() -> None:
    row = described([1, 1, 1, 0, 1, 0, 0, 0])
    assert row.kind == SHARE
    assert [c.mean for c in row.cells] == [0.75, 0.25]
    assert row.difference == pytest.approx(0.5 / np.sqrt(0.1875))
    skewed = described([1, 2, 3, 100, 1, 2, 3, 90])
    assert skewed.kind == MEDIAN
    assert (skewed.cells[0].median, skewed.cells[0].lower) == (2.5, 1.75)


def test_an_arm_of_which_nothing_is_known_has_no_figures() -> None:
    row = described([1, 2, 3, 4, np.nan, np.nan, np.nan, np.nan])
    assert row.cells[1].known == 0
    assert np.isnan(row.cells[1].mean)
    assert np.isnan(row.difference)
