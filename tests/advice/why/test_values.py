"""Effects as values: the answer's own differences, and the error of any change of them."""

import numpy as np
import pytest

from posology.advice.why.values import OptionValues, effect_values, first_by_value
from posology.causal.conditional_effects import fit_effect_posterior
from posology.causal.patient.effect_posterior import EffectPosterior, contrast, patient_posterior
from tests.builders.known_effects import draw_nuisance
from tests.builders.reasons import WOMAN

SHARES = np.array([0.25, 0.75])


@pytest.fixture(scope="module")
def fitted() -> tuple[EffectPosterior, np.ndarray, OptionValues]:
    nuisance, _ = draw_nuisance("rct", 400, 2)
    posterior, X = (
        fit_effect_posterior(nuisance, np.random.default_rng(0)),
        nuisance.trial.covariates,
    )
    values = effect_values(
        posterior,
        lambda _, decisions: X[decisions],
        lambda _, decisions: np.tile([True, False], (len(decisions), 1)),
        ("usual care", SHARES),
        (("old", "new"), ("Old", "New"), ""),
    )
    return posterior, X, values


def test_differences_are_those_of_the_answer(
    fitted: tuple[EffectPosterior, np.ndarray, OptionValues],
) -> None:
    posterior, X, values = fitted
    outputs, allowed = values.predict(WOMAN, np.arange(5))
    for row in range(5):
        patient = patient_posterior(posterior, X[row])
        against_old = contrast(patient, np.array([-1.0, 1.0]))[0]
        against_usual = contrast(patient, np.array([0.0, 1.0]) - SHARES)[0]
        assert outputs[row, 1] - outputs[row, 0] == pytest.approx(100 * against_old)
        assert outputs[row, 1] - outputs[row, 2] == pytest.approx(100 * against_usual)
    assert values.titles == ("Old", "New", "usual care")
    assert allowed.sum() == 5, "neither usual care nor the basis is an option"
    assert (first_by_value(values)(WOMAN, np.arange(5)) == 0).all()


def test_the_error_of_a_change_is_that_of_the_coefficients_it_moves(
    fitted: tuple[EffectPosterior, np.ndarray, OptionValues],
) -> None:
    posterior, _, values = fitted
    outputs, _ = values.predict(WOMAN, np.arange(2))
    change = outputs[0] - outputs[1]
    assert values.error is not None
    basis, weight = change[3:], np.array([0.0, 1.0]) - SHARES
    variance = sum(
        weight[k] * weight[m] * basis @ posterior.covariance[k, :, m, :] @ basis
        for k in range(2)
        for m in range(2)
    )
    expected = 100 * np.sqrt(variance * posterior.design_effect)
    assert values.error((1, 2), change) == pytest.approx(float(expected), rel=1e-4)
    assert values.error((1, 2), np.zeros_like(change)) == 0
