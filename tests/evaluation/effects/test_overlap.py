from dataclasses import replace

import numpy as np
import pytest

from posology.causal.propensity import Propensity, known_propensity
from posology.causal.trial import Trial
from posology.evaluation.effects.judged_options import NO_OTHER, NO_OVERLAP, TOO_FEW
from posology.evaluation.effects.overlap import (
    Balance,
    assess_balance,
    assess_overlap,
    compare_excluded,
)
from tests.builders.known_effects import draw_nuisance

NAMES = tuple(f"x{i}" for i in range(8))


def test_a_randomised_trial_excludes_no_patient() -> None:
    nuisance, _ = draw_nuisance("rct", 500, 0)
    overlap = assess_overlap(nuisance.trial, nuisance.propensity)
    assert not overlap.excludes_many
    assert overlap.population.all()
    assert overlap.judged == (0, 1)
    assert compare_excluded(nuisance.trial, overlap.population, NAMES) == ()
    for k, option in enumerate(overlap.options):
        assert (
            option.patients == option.effective_sample_size == (nuisance.trial.treatment == k).sum()
        )
        assert option.extreme_share == 0


def test_low_overlap_excludes_patients_and_describes_them() -> None:
    nuisance, truth = draw_nuisance("obs_low", 3000, 1)
    overlap = assess_overlap(nuisance.trial, nuisance.propensity)
    assert overlap.excludes_many
    assert overlap.excluded_share == pytest.approx(0.40, abs=0.03)
    inside = (truth.propensity >= 0.05) & (truth.propensity <= 0.95)
    np.testing.assert_array_equal(overlap.population, inside)
    assert all(option.effective_sample_size < option.patients for option in overlap.options)
    rows = {
        row.covariate: row for row in compare_excluded(nuisance.trial, overlap.population, NAMES)
    }
    assert rows["x7"].difference == pytest.approx(0, abs=0.15)
    x = nuisance.trial.covariates[:, 0]
    assert rows["x0"].included == pytest.approx(x[overlap.population].mean())
    assert rows["x0"].difference == pytest.approx(
        (x[~overlap.population].mean() - x[overlap.population].mean()) / x.std()
    )


def test_a_patient_of_many_excluded_decisions_counts_once_among_them() -> None:
    """Nine decisions of one patient, 9 years old, and one of another, 1 year: 5, not 8.2."""
    subject = np.array([0] * 9 + [1, 2, 3])
    years = np.array([9.0] * 9 + [1.0, 4.0, 6.0])[:, None]
    trial = Trial(years, np.arange(12) % 2, np.zeros(12), subject, 2)
    [row] = compare_excluded(trial, np.arange(12) > 9, ("age",))
    assert (row.included, row.excluded) == (5.0, 5.0)
    assert row.difference == 0.0


def test_options_of_separate_patients_lack_overlap() -> None:
    nuisance, _ = draw_nuisance("rct", 600, 2)
    x = nuisance.trial.covariates[:, 0]
    sure = np.where(x > 0, 0.999, 0.001)
    trial = replace(nuisance.trial, treatment=(x > 0).astype(np.int64))
    overlap = assess_overlap(trial, known_propensity(np.column_stack([1 - sure, sure])))
    assert [option.reason for option in overlap.options] == [NO_OVERLAP, NO_OVERLAP]
    assert overlap.excluded_share == 1.0


def test_the_decisions_of_six_patients_do_not_count_as_ninety_patients() -> None:
    """400 patients of 5 decisions; six of them were given the option, at 15 decisions each."""
    subject = np.concatenate([np.arange(2000) % 400, np.arange(6).repeat(10)])
    trial = Trial(np.zeros((2060, 1)), (subject < 6).astype(np.int64), np.zeros(2060), subject, 2)
    overlap = assess_overlap(trial, known_propensity(np.tile([0.94, 0.06], (2060, 1))))
    assert overlap.options[1].patients == 6
    assert overlap.options[1].effective_sample_size == pytest.approx(6)
    assert [option.reason for option in overlap.options] == [NO_OTHER, TOO_FEW]
    assert overlap.options[0].effective_sample_size == pytest.approx(394)


def test_weighting_balances_confounders() -> None:
    nuisance, _ = draw_nuisance("obs", 8000, 3)
    rows = _balance_rows(nuisance.trial, nuisance.propensity)
    assert [row.covariate for row in rows] == list(NAMES)
    assert {(row.option, row.comparator) for row in rows} == {("old", "new")}
    assert abs(rows[0].before) > 0.5
    assert all(abs(row.after) < 0.1 for row in rows)


def test_balance_is_the_difference_of_two_options_not_of_one_from_everybody() -> None:
    """Difference 0.18 standard deviations: above 0.1, though each arm is 0.09 from the mean."""
    rng = np.random.default_rng(0)
    treatment = rng.integers(0, 2, 20_000)
    x = rng.normal(size=20_000) + 0.18 * treatment
    trial = Trial(x[:, None], treatment, x, np.arange(20_000), 2, ("old", "new"))
    (row,) = _balance_rows(trial, known_propensity(np.full((20_000, 2), 0.5)))
    new, old = x[treatment == 1], x[treatment == 0]
    difference = (old.mean() - new.mean()) / np.sqrt((old.var() + new.var()) / 2)
    assert row.before == pytest.approx(difference)
    assert row.after == pytest.approx(difference)
    assert abs(difference) > 0.1


def test_balance_is_of_the_analysis_population() -> None:
    """The excluded patients, given the first option only, have another mean."""
    rng = np.random.default_rng(1)
    outside = np.arange(3000) < 1000
    treatment = np.where(outside, 0, rng.integers(0, 2, 3000))
    x = rng.normal(size=3000) + 4.0 * outside
    chance = np.where(outside, 0.01, 0.5)
    trial = Trial(x[:, None], treatment, x, np.arange(3000), 2)
    (row,) = _balance_rows(trial, known_propensity(np.column_stack([1 - chance, chance])))
    assert abs(row.before) < 0.15
    assert abs(row.after) < 0.15


def test_balance_compares_every_two_options_with_overlap() -> None:
    rng = np.random.default_rng(2)
    treatment = rng.choice(4, 4000, p=[0.31, 0.31, 0.31, 0.07])
    x = rng.normal(size=4000)
    trial = Trial(x[:, None], treatment, x, np.arange(4000), 4, ("a", "b", "c", "d"))
    propensity = known_propensity(np.tile([0.31, 0.31, 0.31, 0.07], (4000, 1)))
    pairs = [(row.option, row.comparator) for row in _balance_rows(trial, propensity)]
    assert pairs == [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")]
    rare = replace(trial, treatment=np.where(np.cumsum(treatment == 3) > 20, 0, treatment))
    pairs = [(row.option, row.comparator) for row in _balance_rows(rare, propensity)]
    assert pairs == [("a", "b"), ("a", "c"), ("b", "c")]


def test_a_covariate_that_separates_two_options_is_not_called_balanced() -> None:
    treatment = np.arange(400) % 2
    trial = Trial(treatment[:, None].astype(float), treatment, np.zeros(400), np.arange(400), 2)
    (row,) = _balance_rows(trial, known_propensity(np.full((400, 2), 0.5)))
    assert row.before == pytest.approx(-2.0)


def test_means_ignore_missing_values() -> None:
    nuisance, _ = draw_nuisance("rct", 400, 4)
    X = nuisance.trial.covariates.copy()
    X[::2, 1] = np.nan
    X[:, 2] = np.nan
    rows = _balance_rows(replace(nuisance.trial, covariates=X), nuisance.propensity)
    assert np.isfinite(rows[1].before)
    assert np.isnan(rows[2].before)


def _balance_rows(trial: Trial, propensity: Propensity) -> tuple[Balance, ...]:
    names = NAMES[: trial.covariates.shape[1]]
    return assess_balance(trial, propensity, names, assess_overlap(trial, propensity))
