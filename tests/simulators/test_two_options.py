import numpy as np
import pytest

from posology.errors import UserError
from posology.simulators import two_options as effects


def test_the_best_rule_gains_what_was_published_over_treating_nobody() -> None:
    """0.519 over option 0 for all, 0.266 over option 1 for all."""
    drawn = effects.draw_sample("rct", 400_000, np.random.default_rng(0))
    gain = drawn.expected.max(axis=1).mean() - drawn.expected[:, 0].mean()
    assert gain == pytest.approx(0.519, abs=0.005)
    assert effects.regret(drawn, np.ones(400_000, np.int64)) == pytest.approx(0.266, abs=0.005)
    assert effects.regret(drawn, drawn.expected.argmax(axis=1)) == 0


def test_equations_by_hand() -> None:
    x = np.array([[0.2, -1.0, 0.5, 2.0, -0.5, 0.7, 9.0, 9.0], [0, 0, -1.0, 0, 0, 0.4, 0, 0]])
    base = [0.2 - 0.8 + 0.75 - 0.5, 0.0]
    tau = [0.5 + np.tanh(0.3) - 0.8 + 0.2, 0.5 - 0.4]
    np.testing.assert_allclose(effects.baseline_outcome(x), base, atol=1e-12)
    np.testing.assert_allclose(effects.treatment_effect(x), tau, atol=1e-12)


@pytest.mark.parametrize(
    ("scenario", "log_odds"),
    [
        ("rct", lambda x: 0 * x[:, 0]),
        ("null", lambda x: 0 * x[:, 0]),
        ("obs", lambda x: 0.9 * x[:, 0] - 0.7 * x[:, 1] + 0.5 * x[:, 2]),
        ("obs_low", lambda x: 2.6 * x[:, 0] - 2.0 * x[:, 1] + 1.2 * x[:, 2]),
    ],
)
def test_clinicians_choose_by_the_stated_log_odds(scenario: str, log_odds) -> None:
    drawn = effects.draw_sample(scenario, 50_000, np.random.default_rng(1))
    np.testing.assert_allclose(
        np.log(drawn.propensity / (1 - drawn.propensity)), log_odds(drawn.covariates), atol=1e-9
    )
    assert drawn.treatment.mean() == pytest.approx(drawn.propensity.mean(), abs=0.01)
    noise = drawn.outcome - drawn.expected[np.arange(50_000), drawn.treatment]
    assert noise.std() == pytest.approx(1.0, abs=0.02)


def test_two_in_five_have_hardly_any_overlap() -> None:
    p = effects.draw_sample("obs_low", 100_000, np.random.default_rng(2)).propensity
    assert ((p < 0.05) | (p > 0.95)).mean() == pytest.approx(
        0.399, abs=0.005
    )  # 2 Phi(-logit(.95) / sqrt(12.2))


def test_the_hidden_reason_moves_treatment_and_outcome_and_is_withheld() -> None:
    drawn = effects.draw_sample("obs_hidden", 200_000, np.random.default_rng(3))
    assert drawn.covariates.shape[1] == 8
    shown = 0.6 * drawn.covariates[:, 0] - 0.5 * drawn.covariates[:, 1]
    by_propensity = np.log(drawn.propensity / (1 - drawn.propensity)) - shown
    by_outcome = drawn.expected[:, 0] - effects.baseline_outcome(drawn.covariates)
    np.testing.assert_allclose(by_propensity, by_outcome, atol=1e-9)
    assert by_outcome.std() == pytest.approx(1.2, abs=0.01)


def test_a_null_effect_is_the_same_for_everybody() -> None:
    drawn = effects.draw_sample("null", 100, np.random.default_rng(4))
    np.testing.assert_allclose(drawn.expected[:, 1] - drawn.expected[:, 0], 0.3)


def test_an_unknown_scenario_is_named_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="'trial': choose one of rct, obs, obs_low"):
        effects.draw_sample("trial", 10, np.random.default_rng(0))
