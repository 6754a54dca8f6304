from dataclasses import replace

import numpy as np
import pytest

from posology.causal.propensity import known_propensity
from posology.causal.trial import Trial
from posology.evaluation.effects.overlap import assess_balance, assess_overlap, compare_excluded
from tests.builders.known_effects import draw_nuisance

NAMES = tuple(f"x{i}" for i in range(8))


def test_a_randomised_trial_excludes_no_patient() -> None:
    nuisance, _ = draw_nuisance("rct", 500, 0)
    overlap = assess_overlap(nuisance.trial, nuisance.propensity)
    assert not overlap.excludes_many
    assert overlap.population.all()
    assert overlap.options_without_overlap == ()
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


def test_options_of_separate_patients_lack_overlap() -> None:
    nuisance, _ = draw_nuisance("rct", 600, 2)
    x = nuisance.trial.covariates[:, 0]
    sure = np.where(x > 0, 0.999, 0.001)
    trial = replace(nuisance.trial, treatment=(x > 0).astype(np.int64))
    overlap = assess_overlap(trial, known_propensity(np.column_stack([1 - sure, sure])))
    assert overlap.options_without_overlap == ("old", "new")
    assert overlap.excluded_share == 1.0


def test_the_decisions_of_six_patients_do_not_count_as_ninety_patients() -> None:
    """400 patients of 5 decisions; six of them were given the option, at 15 decisions each."""
    subject = np.concatenate([np.arange(2000) % 400, np.arange(6).repeat(10)])
    trial = Trial(np.zeros((2060, 1)), (subject < 6).astype(np.int64), np.zeros(2060), subject, 2)
    overlap = assess_overlap(trial, known_propensity(np.tile([0.94, 0.06], (2060, 1))))
    assert overlap.options[1].patients == 6
    assert overlap.options[1].effective_sample_size == pytest.approx(6)
    assert overlap.options[1].lacks_overlap
    assert overlap.options[0].effective_sample_size == pytest.approx(394)


def test_weighting_balances_confounders() -> None:
    nuisance, _ = draw_nuisance("obs", 8000, 3)
    rows = assess_balance(nuisance.trial, nuisance.propensity, NAMES)
    assert len(rows) == 16
    x0 = [row for row in rows if row.covariate == "x0"]
    assert all(abs(row.before) > 0.25 for row in x0)
    assert all(abs(row.after) < 0.1 for row in rows)
    x, given = nuisance.trial.covariates[:, 0], nuisance.trial.treatment == 1
    new = next(row for row in x0 if row.option == "new")
    assert new.before == pytest.approx((x[given].mean() - x.mean()) / x.std())


def test_means_ignore_missing_values() -> None:
    nuisance, _ = draw_nuisance("rct", 400, 4)
    X = nuisance.trial.covariates.copy()
    X[::2, 1] = np.nan
    X[:, 2] = np.nan
    rows = assess_balance(replace(nuisance.trial, covariates=X), nuisance.propensity, NAMES)
    assert np.isfinite(rows[1].before)
    assert np.isnan(rows[2].before)
