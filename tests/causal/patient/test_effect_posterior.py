"""The effect on a new patient, from what is kept with a policy."""

import numpy as np
import pytest

from posology.causal.conditional_effects import fit_effect_posterior
from posology.causal.patient.effect_basis import (
    EffectBasis,
    expand_effect_basis,
    fit_effect_basis,
)
from posology.causal.patient.effect_posterior import EffectPosterior, contrast, patient_posterior
from posology.domain.serialization import deserialize, serialize
from tests.builders.known_effects import draw_nuisance

NEW_AGAINST_OLD = np.array([-1.0, 1.0])


def predict(scenario: str, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard deviation and truth of the effect on 150 further patients."""
    nuisance, _ = draw_nuisance(scenario, n, seed)
    posterior = fit_effect_posterior(nuisance, np.random.default_rng(seed))
    further, sample = draw_nuisance(scenario, 150, seed + 100)
    found = [
        contrast(patient_posterior(posterior, x), NEW_AGAINST_OLD) for x in further.trial.covariates
    ]
    mean, error = np.array(found).T
    return mean, error, sample.expected[:, 1] - sample.expected[:, 0]


@pytest.mark.parametrize("scenario", ["rct", "obs"])
def test_better_is_right_for_nearly_all_further_patients(scenario: str) -> None:
    mean, error, true = predict(scenario, 1000, 0)
    better, worse = mean > 1.96 * error, mean < -1.96 * error
    assert (better | worse).mean() > 0.2
    assert (true[better] > 0).mean() > 0.97
    assert (true[worse] < 0).mean() > 0.97
    assert (np.abs(mean - true) <= 1.96 * error).mean() > 0.85


def test_where_the_effect_is_constant_intervals_are_narrow_and_hold() -> None:
    mean, error, true = predict("null", 1000, 1)
    assert (np.abs(mean - true) <= 1.96 * error).mean() > 0.9
    assert np.median(error) < 0.2


def test_a_kept_posterior_says_the_same() -> None:
    nuisance, _ = draw_nuisance("rct", 400, 2)
    posterior = fit_effect_posterior(nuisance, np.random.default_rng(0))
    arrays: dict[str, np.ndarray] = {}
    kept = deserialize(EffectPosterior, serialize(posterior, arrays), arrays)
    x = nuisance.trial.covariates[0]
    first, again = (contrast(patient_posterior(p, x), NEW_AGAINST_OLD) for p in (posterior, kept))
    assert first == again
    assert sum(a.nbytes for a in arrays.values()) < 2_000_000


def test_a_missing_fact_is_read_as_the_training_mean() -> None:
    nuisance, _ = draw_nuisance("rct", 400, 3)
    posterior = fit_effect_posterior(nuisance, np.random.default_rng(0))
    x = nuisance.trial.covariates[0].copy()
    x[0] = np.nan
    assert np.isfinite(contrast(patient_posterior(posterior, x), NEW_AGAINST_OLD)).all()


def test_a_posterior_kept_before_relevance_counts_covariates_alike() -> None:
    nuisance, _ = draw_nuisance("rct", 400, 2)
    basis = fit_effect_basis(nuisance.trial.covariates, 2, np.random.default_rng(0))
    arrays: dict[str, np.ndarray] = {}
    kept = serialize(basis, arrays)
    del kept["relevance"]
    again = deserialize(EffectBasis, kept, arrays)
    X = nuisance.trial.covariates
    np.testing.assert_array_equal(
        expand_effect_basis(again, X).interactions, expand_effect_basis(basis, X).interactions
    )
