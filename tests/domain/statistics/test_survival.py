"""Cox's model against sums written out row by row, with and without late entry."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.domain.statistics.survival import fit_survival, survival_before


def draw(seed: int, size: int, late: bool) -> tuple[np.ndarray, ...]:
    """Whole days, so that times are tied: entry, exit, whether the event, covariates."""
    rng = np.random.default_rng(seed)
    entry = rng.integers(0, 8, size).astype(float) if late else np.zeros(size)
    return (
        entry,
        entry + rng.integers(0, 9, size),
        rng.random(size) < 0.6,
        rng.normal(size=(size, 2)),
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.booleans())
def test_baseline_is_the_product_over_those_at_risk(seed: int, size: int, late: bool) -> None:
    """Kaplan and Meier's with late entry: at risk are those who entered and have not left."""
    entry, time, is_event, X = draw(seed, size, late)
    stratum, none = np.zeros(size, dtype=np.int64), X[:, :0]
    model = fit_survival(time, is_event, stratum, none, entry=entry if late else None)
    asked = entry if late else None
    found = survival_before(model, time, stratum, none, asked)
    for row in range(size):
        expected = 1.0
        for day in np.unique(time[is_event]):
            if entry[row] <= day < time[row]:
                events = is_event & (time == day)
                at_risk = (entry <= day) & ((time > day) | events)
                expected *= 1 - min(events.sum() / at_risk.sum(), 1 - 1e-9)
        assert found[row] == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("late", [False, True])
def test_coefficients_solve_the_score_equation(late: bool) -> None:
    """The gradient of the penalised partial likelihood, summed over events, is 0 at beta."""
    entry, time, is_event, X = draw(3, 300, late)
    stratum = np.arange(300) % 2
    model = fit_survival(time, is_event, stratum, X, 1e-3, entry if late else None)
    slope = -1e-3 * 300 * model.beta
    for row in np.flatnonzero(is_event):
        day = time[row]
        at_risk = (stratum == stratum[row]) & (entry <= day)
        at_risk &= (time > day) | (is_event & (time == day))
        risk = np.exp(X[at_risk] @ model.beta)
        slope += X[row] - risk @ X[at_risk] / risk.sum()
    np.testing.assert_allclose(slope, 0, atol=1e-5)


def test_no_entry_is_entry_at_the_start() -> None:
    entry, time, is_event, X = draw(5, 200, False)
    stratum = np.zeros(200, dtype=np.int64)
    without = fit_survival(time, is_event, stratum, X)
    with_entry = fit_survival(time, is_event, stratum, X, entry=entry)
    np.testing.assert_allclose(with_entry.beta, without.beta, atol=1e-12)
    np.testing.assert_allclose(
        survival_before(with_entry, time, stratum, X, entry),
        survival_before(without, time, stratum, X),
        atol=1e-12,
    )


def test_those_who_enter_late_do_not_count_before() -> None:
    """Everybody leaves on day 10 of the clock: whoever enters on day 9 is followed a day."""
    entry = np.repeat([0.0, 9.0], 50)
    model = fit_survival(
        np.full(100, 10.0),
        np.ones(100, bool),
        np.zeros(100, np.int64),
        np.zeros((100, 0)),
        0.0,
        entry,
    )
    after = np.array([10.0, 10.1])
    found = survival_before(model, after, np.zeros(2, np.int64), np.zeros((2, 0)), np.full(2, 9.0))
    np.testing.assert_allclose(found, [1.0, 0.0], atol=1e-8)
