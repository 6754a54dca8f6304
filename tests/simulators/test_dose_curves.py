import numpy as np
import pytest

from posology.errors import UserError
from posology.simulators import dose_curves as dose

X = np.random.default_rng(0).normal(size=(4000, 6))


def test_equations_by_hand() -> None:
    x = np.array([[1.0, -0.5, 0.4, 2.0, 0.3, -1.0]])
    best = 1 / (1 + np.exp(-(0.9 + 0.3 + 0.32)))
    toxic = best + 0.22 + 0.08 * np.tanh(0.3)
    assert dose.best_dose(x)[0] == pytest.approx(best)
    assert dose.toxic_threshold(x)[0] == pytest.approx(toxic)
    top = 1.0 - 0.5 - 0.24
    given = best + 0.4
    harm = 6 * np.exp(-0.15) * 0.16 + 100 * (given - toxic) ** 2
    assert dose.expected_outcome(x, np.array([given]))[0] == pytest.approx(top - harm)
    assert dose.regret(x, np.array([given])) == pytest.approx(harm)


def test_no_dose_beats_the_best_one() -> None:
    best = dose.expected_outcome(X, dose.best_dose(X))
    for share in np.linspace(0, 1, 21):
        assert (dose.expected_outcome(X, np.full(len(X), share)) <= best + 1e-12).all()
    assert dose.regret(X, dose.best_dose(X)) == 0


def test_the_best_single_dose_loses_what_was_published() -> None:
    losses = [dose.regret(X, np.full(len(X), share)) for share in np.linspace(0, 1, 41)]
    assert min(losses) == pytest.approx(0.42, abs=0.03)  # published: .413 and .426


def test_clinicians_lose_what_was_published() -> None:
    drawn = dose.draw_sample("clinicians", 40_000, np.random.default_rng(1))
    assert dose.regret(drawn.covariates, drawn.dose) == pytest.approx(0.128, abs=0.02)
    toxic = (drawn.dose > dose.toxic_threshold(drawn.covariates)).mean()
    assert toxic == pytest.approx(0.042, abs=0.006)


def test_doses_and_outcomes_are_drawn_as_stated() -> None:
    even = dose.draw_sample("randomised", 40_000, np.random.default_rng(2))
    assert np.quantile(even.dose, [0.25, 0.75]) == pytest.approx([0.25, 0.75], abs=0.01)
    noise = even.outcome - dose.expected_outcome(even.covariates, even.dose)
    assert noise.std() == pytest.approx(0.5, abs=0.01)
    narrow = dose.draw_sample("clinicians", 40_000, np.random.default_rng(3))
    shown = 0.9 * narrow.covariates[:, 0] - 0.6 * narrow.covariates[:, 1]
    assert (np.log(narrow.dose / (1 - narrow.dose)) - shown).std() == pytest.approx(0.45, abs=0.01)


def test_an_unknown_setting_is_named_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="'trial': choose one of randomised, clinicians"):
        dose.draw_sample("trial", 10, np.random.default_rng(0))
