"""The outcome of patients like this one with the reference."""

import numpy as np

from posology.causal.patient.prognosis import BIN_PATIENTS, fit_prognosis, prognosis_of
from posology.causal.trial import Trial, assign_folds


def draw(n: int, seed: int) -> tuple[Trial, np.ndarray]:
    """A trial in which the outcome depends on the first covariate, and its probabilities."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    p = 1 / (1 + np.exp(-(0.3 + 1.2 * x[:, 0])))
    outcome = (rng.random(n) < p).astype(np.float64)
    return Trial(x, rng.integers(0, 2, n), outcome, np.arange(n), 2), p


def test_levels_are_right_on_average_for_patients_of_every_prognosis() -> None:
    trial, _ = draw(3000, 0)
    fold = assign_folds(trial, np.random.default_rng(0))
    prognosis = fit_prognosis(trial, trial.outcome, fold)
    further, p = draw(1500, 1)
    levels = np.array([prognosis_of(prognosis, x).value for x in further.covariates])
    for at in np.array_split(np.argsort(levels), 5):
        assert abs(levels[at].mean() - p[at].mean()) < 0.06
    assert np.corrcoef(levels, p)[0, 1] > 0.9


def test_only_bins_of_many_patients_are_kept() -> None:
    trial, _ = draw(900, 2)
    prognosis = fit_prognosis(trial, trial.outcome, assign_folds(trial, np.random.default_rng(0)))
    assert len(prognosis.patients) == 4
    assert prognosis.patients.min() >= BIN_PATIENTS
    small, _ = draw(60, 3)
    fitted = fit_prognosis(small, small.outcome, assign_folds(small, np.random.default_rng(0)))
    assert fitted.level.tolist() == [small.outcome.mean()]
    assert prognosis_of(fitted, small.covariates[0]).is_average
    assert not prognosis_of(prognosis, trial.covariates[0]).is_average


def test_a_score_that_tells_nothing_of_others_gives_the_average_of_all() -> None:
    """Bins of it would be folds: the mean of the others is high where the fold's own is low."""
    average = []
    for seed in range(4):
        trial, _ = draw(900, seed)
        outcome = np.random.default_rng(seed).permutation(trial.outcome)
        fold = assign_folds(trial, np.random.default_rng(seed))
        level = prognosis_of(fit_prognosis(trial, outcome, fold), trial.covariates[0])
        average.append(level.is_average)
        if level.is_average:
            np.testing.assert_allclose(level.value, outcome.mean())
    assert any(average)


def test_errors_count_patients_not_decisions() -> None:
    trial, _ = draw(400, 4)
    fold = assign_folds(trial, np.random.default_rng(0))
    once = fit_prognosis(trial, trial.outcome, fold)
    rows = np.repeat(np.arange(400), 4)
    four = Trial(
        trial.covariates[rows], trial.treatment[rows], trial.outcome[rows], trial.subject[rows], 2
    )
    repeated = fit_prognosis(four, four.outcome, fold[rows])
    np.testing.assert_allclose(repeated.error, once.error, rtol=0.3)
