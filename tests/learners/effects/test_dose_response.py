import numpy as np
import pytest

from posology.causal.dose_support import DoseSupport, fit_dose_support
from posology.domain.formulary import DoseRange
from posology.learners.effects import dose_response
from posology.learners.effects.dose_response import (
    DoseResponseSettings,
    find_optimal_doses,
    fit_dose_response,
    lower_curve,
    predict_curves,
)
from posology.simulators import dose_curves as simulator

SMALL = {"members": 3, "width": 32, "epochs": 40}


def learn(setting: str, shape: str, n: int = 1000, seed: int = 0):
    drawn = simulator.draw_sample(setting, n, np.random.default_rng(seed))
    settings = DoseResponseSettings(shape=shape, **SMALL)
    return fit_dose_response(drawn.covariates, drawn.dose, drawn.outcome, settings), drawn


@pytest.mark.parametrize("setting", simulator.SETTINGS)
def test_advice_beats_the_clinicians_and_stays_inside_the_support(setting: str) -> None:
    response, _ = learn(setting, "unimodal")
    X = np.random.default_rng(9).normal(size=(1500, 6))
    advice = find_optimal_doses(response, X)
    assert (advice.dose >= advice.support_low).all()
    assert (advice.dose <= advice.support_high).all()
    assert simulator.regret(X, advice.dose) < 0.128, "what clinicians lose"
    assert (advice.dose > simulator.toxic_threshold(X)).mean() < 0.03
    np.testing.assert_allclose(
        advice.expected_outcome,
        [predict_curves(response, X[[i]], np.array([d])).mean() for i, d in enumerate(advice.dose)],
        atol=1e-4,
    )


def test_hard_limits_hold_and_where_nothing_is_left_nothing_is_said() -> None:
    response, _ = learn("clinicians", "unimodal")
    X = np.random.default_rng(9).normal(size=(500, 6))
    free, held = (
        find_optimal_doses(response, X),
        find_optimal_doses(response, X, DoseRange(0.0, 0.4, "mg")),
    )
    assert np.nanmax(held.dose) <= 0.4
    assert np.nanmax(free.dose) > 0.6
    empty = free.support_low > 0.41
    assert empty.any()
    assert np.isnan(held.dose[empty]).all()
    assert held.is_at_edge[empty].all()


def test_a_better_dose_beyond_the_data_is_said() -> None:
    """Outcome rises with the dose; clinicians never went far."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(600, 2))
    given = np.clip(0.5 + 0.2 * X[:, 0] + rng.normal(0, 0.05, 600), 0, 1)
    outcome = 3 * given + rng.normal(0, 0.1, 600)
    response = fit_dose_response(
        X, given, outcome, DoseResponseSettings(shape="increasing", **SMALL)
    )
    advice = find_optimal_doses(response, X)
    assert advice.is_at_edge.mean() > 0.9
    np.testing.assert_allclose(advice.dose, advice.support_high, atol=0.02)


def test_curves_have_the_shape_the_study_states() -> None:
    grid = np.linspace(0, 1, 41)
    X = np.random.default_rng(2).normal(size=(200, 6)) * 2
    one_peak = predict_curves(learn("randomised", "unimodal", 300)[0], X, grid)
    turns = np.diff(np.sign(np.diff(one_peak, axis=2)), axis=2)
    assert (turns > 0).sum() == 0, "it may turn from rising to falling, never back"
    rising = predict_curves(learn("randomised", "increasing", 300)[0], X, grid)
    assert (np.diff(rising, axis=2) >= -1e-5).all()
    assert predict_curves(learn("randomised", "free", 300)[0], X, grid).shape == (3, 200, 41)


def test_the_same_seed_gives_the_same_curves_and_units_do_not_matter() -> None:
    drawn = simulator.draw_sample("randomised", 300, np.random.default_rng(3))
    settings = DoseResponseSettings(shape="unimodal", members=2, width=16, epochs=5)
    X, grid = drawn.covariates, np.linspace(0, 1, 5)
    first = fit_dose_response(X, drawn.dose, drawn.outcome, settings)
    again = fit_dose_response(X, drawn.dose, drawn.outcome, settings)
    np.testing.assert_array_equal(predict_curves(first, X, grid), predict_curves(again, X, grid))
    scaled = fit_dose_response(X * 7 + 3, drawn.dose * 50, drawn.outcome * 10 + 1, settings)
    np.testing.assert_allclose(
        predict_curves(scaled, X * 7 + 3, grid * 50),
        predict_curves(first, X, grid) * 10 + 1,
        atol=0.05,
    )


def test_an_unknown_shape_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'flat': choose one of free, unimodal, increasing"):
        learn("randomised", "flat")


def test_a_dose_is_not_taken_where_the_curves_disagree_about_it() -> None:
    members = np.array([[[1.0, 3.0]], [[1.0, 0.0]]])  # the second dose: 1.5 on average
    assert members.mean(axis=0).argmax() == 1
    assert lower_curve(members, "free").argmax() == 0
    assert lower_curve(members, "unimodal").argmax() == 1
    np.testing.assert_allclose(lower_curve(members, "free"), [[1.0, 0.0]])


def test_the_supported_range_is_checked_on_other_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folds by decision would check it on the other decisions of the patients it was fitted on."""
    seen: list[np.ndarray] = []

    def remember(X: np.ndarray, dose: np.ndarray, fold: np.ndarray) -> DoseSupport:  # noqa: N803
        seen.append(fold)
        return fit_dose_support(X, dose, fold)

    monkeypatch.setattr(dose_response, "fit_dose_support", remember)
    drawn = simulator.draw_sample("randomised", 100, np.random.default_rng(0))
    subject = np.arange(100) // 4
    settings = DoseResponseSettings(members=2, width=8, epochs=1)
    fit_dose_response(drawn.covariates, drawn.dose, drawn.outcome, settings, subject)
    assert (seen[0].reshape(25, 4) == seen[0][::4, None]).all(), "a patient is in one fold"
    assert len(np.unique(seen[0])) == 5
