import numpy as np
import pytest

from posology.causal.dose_support import fit_dose_support, supported_dose_range
from posology.simulators import dose_curves as simulator


def learn(setting: str, n: int, seed: int):
    drawn = simulator.draw_sample(setting, n, np.random.default_rng(seed))
    return fit_dose_support(drawn.covariates, drawn.dose, np.arange(n) % 5)


@pytest.mark.parametrize("setting", simulator.SETTINGS)
def test_90_percent_of_new_patients_have_a_supported_dose(setting: str) -> None:
    new = simulator.draw_sample(setting, 5000, np.random.default_rng(9))
    low, high = supported_dose_range(learn(setting, 1500, 0), new.covariates)
    assert ((new.dose >= low) & (new.dose <= high)).mean() == pytest.approx(0.9, abs=0.025)
    assert (new.dose < low).mean() == pytest.approx(0.05, abs=0.015)


def test_support_depends_on_the_patient_if_the_dose_does() -> None:
    X = np.random.default_rng(1).normal(size=(2000, 6))
    low, high = supported_dose_range(learn("clinicians", 1500, 1), X)
    center = 0.9 * X[:, 0] - 0.6 * X[:, 1]
    true_low = 1 / (1 + np.exp(-(center - 1.645 * 0.45)))
    true_high = 1 / (1 + np.exp(-(center + 1.645 * 0.45)))
    assert np.abs(low - true_low).mean() < 0.03
    assert np.abs(high - true_high).mean() < 0.03
    low, high = supported_dose_range(learn("randomised", 1500, 1), X)
    assert low.std() < 0.03
    assert high.mean() - low.mean() == pytest.approx(0.9, abs=0.03)


def test_support_is_wider_where_doses_vary_more() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(3000, 2))
    given = 50 + rng.normal(0, np.exp(0.7 * X[:, 0]))
    support = fit_dose_support(X, given, np.arange(3000) % 5)
    low, high = supported_dose_range(support, np.array([[1.5, 0.0], [-1.5, 0.0]]))
    width = high - low
    assert width[0] > 3 * width[1]
