"""A drug that comes while outcomes get worse for another reason is not blamed for these years."""

from dataclasses import replace

import numpy as np
import pytest

from posology.causal.calendar import calendar_columns
from posology.causal.censoring import with_inputs
from posology.causal.doubly_robust_scores import fit_nuisance
from posology.causal.trial import FollowUp, Trial, select_rows
from posology.evaluation.effects.overlap import assess_balance, assess_overlap

DAYS = 4 * 365.25
WINDOW = 180.0


def draw(n: int, is_followed: bool, rng: np.random.Generator) -> Trial:
    """No option differs; the risk rises every year, and the third option exists from year 2 on."""
    day, x = rng.uniform(0, DAYS, n), rng.normal(size=(n, 2))
    new = (day > DAYS / 2) & (rng.random(n) < 0.5)
    treatment = np.where(new, 2, rng.random(n) < 1 / (1 + np.exp(-x[:, 0])))
    hazard = 0.7 / WINDOW * np.exp(0.6 * x[:, 0] + 0.5 * (day / 365.25 - 4))
    event = rng.exponential(1 / hazard)
    settled, left = np.minimum(event, WINDOW), np.full(n, np.inf) if is_followed else DAYS - day
    resolved = settled <= left
    return Trial(
        x,
        treatment.astype(np.int64),
        np.where(resolved, event > WINDOW, 0.0).astype(np.float64),
        np.arange(n),
        3,
        follow_up=FollowUp(np.minimum(settled, left), resolved, resolved, np.zeros(n, bool)),
        calendar=calendar_columns(day),
        has_closed_windows=is_followed,
    )


def difference(trial: Trial) -> tuple[float, float, float]:
    """The third option against the second: estimate, its error, and the population's share."""
    nuisance = fit_nuisance(trial, np.random.default_rng(0))
    population = assess_overlap(trial, nuisance.propensity).population
    scores = nuisance.scores[population]
    each = scores[:, 2] - scores[:, 1]
    return float(each.mean()), float(each.std() / np.sqrt(len(each))), float(population.mean())


@pytest.mark.parametrize("is_followed", [True, False])
def test_an_option_that_came_in_bad_years_is_compared_within_them(is_followed: bool) -> None:
    trial = draw(3000, is_followed, np.random.default_rng(5))
    blamed, error, _ = difference(replace(trial, calendar=None))
    assert blamed < -3 * error
    fair, error, share = difference(trial)
    assert abs(fair) < 2.5 * error
    assert share == pytest.approx(0.5, abs=0.03)  # the years in which there was a choice


def test_the_date_stands_among_what_is_balanced() -> None:
    trial = draw(2000, True, np.random.default_rng(6))
    nuisance = fit_nuisance(trial, np.random.default_rng(0))
    overlap = assess_overlap(trial, nuisance.propensity)
    rows = assess_balance(trial, nuisance.propensity, ("a", "b"), overlap)
    assert {row.covariate for row in rows} == {
        "a",
        "b",
        "date of the decision, years since the first",
    }


def test_leaving_is_not_explained_by_the_date_that_ends_all_follow_up() -> None:
    trial = draw(200, True, np.random.default_rng(7))
    assert trial.follow_up is not None
    followed = with_inputs(trial, trial.follow_up)
    assert followed.inputs.shape[1] == followed.inputs_of_leaving.shape[1] + 3
    np.testing.assert_array_equal(followed.inputs[:, 3:], followed.inputs_of_leaving)


def test_where_windows_are_open_models_of_outcomes_do_not_know_the_date() -> None:
    """Of late decisions only events are known: with the date, all late patients would have them.

    No outcome depends on the date here; before, values were 2 to 3 standard errors too low.
    """
    rng = np.random.default_rng(9)
    open_windows = draw(1500, False, rng)
    assert open_windows.outcome_calendar is None
    assert open_windows.outcome_confounders is open_windows.covariates
    assert open_windows.confounders.shape[1] == open_windows.covariates.shape[1] + 3
    day = rng.uniform(0, 2 * WINDOW, 3000)
    event = rng.exponential(WINDOW, 3000)
    settled, left = np.minimum(event, WINDOW), 2 * WINDOW - day
    resolved = settled <= left
    trial = Trial(
        rng.normal(size=(3000, 2)),
        rng.integers(0, 2, 3000),
        np.where(resolved, event > WINDOW, 0.0).astype(np.float64),
        np.arange(3000),
        2,
        follow_up=FollowUp(np.minimum(settled, left), resolved, resolved, np.zeros(3000, bool)),
        calendar=calendar_columns(day),
        has_closed_windows=False,
    )

    def value(of: Trial) -> tuple[float, float]:
        scores = fit_nuisance(of, np.random.default_rng(0)).scores[:, 1]
        return float(scores.mean()), float(scores.std() / np.sqrt(len(scores)))

    found, error = value(trial)
    assert abs(found - np.exp(-1)) < 2.5 * error
    wrong, error = value(replace(trial, has_closed_windows=True))
    assert wrong < np.exp(-1) - 3 * error, "the test can fail"


def test_without_dates_or_with_one_date_nothing_is_added() -> None:
    assert calendar_columns(None) is None
    assert calendar_columns(np.full(5, 17.0)) is None
    shifted = np.random.default_rng(1).uniform(2100, 2200, 50) * 365.25
    assert calendar_columns(shifted) is None
    trial = draw(50, True, np.random.default_rng(8))
    some = select_rows(trial, trial.covariates[:, 0] > 0)
    assert some.calendar is not None
    assert len(some.calendar) == len(some)
    assert some.confounders.shape[1] == 2 + some.calendar.shape[1]
    assert replace(trial, calendar=None).confounders is trial.covariates
