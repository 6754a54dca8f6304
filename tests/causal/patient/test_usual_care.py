"""What patients like this one are given in usual care."""

import numpy as np
import pytest

from posology.causal.patient.usual_care import fit_usual_care, usual_shares
from posology.causal.trial import Trial


def draw(options: int) -> Trial:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 2))
    second = rng.random(2000) < 1 / (1 + np.exp(-1.5 * x[:, 0]))
    return Trial(x, second.astype(np.int64), np.zeros(2000), np.arange(2000), options)


def test_shares_follow_the_covariates_in_records_and_not_in_a_trial() -> None:
    usual = fit_usual_care(draw(2), is_randomised=False)
    assert usual_shares(usual, np.array([1.0, 0.0]))[1] == pytest.approx(0.82, abs=0.06)
    assert usual_shares(usual, np.array([-1.0, 0.0]))[1] == pytest.approx(0.18, abs=0.06)
    trial = draw(2)
    constant = fit_usual_care(trial, is_randomised=True)
    shares = usual_shares(constant, np.array([5.0, 0.0]))
    np.testing.assert_allclose(shares, [1 - trial.treatment.mean(), trial.treatment.mean()])


def test_an_option_that_nobody_was_given_has_no_share() -> None:
    shares = usual_shares(fit_usual_care(draw(3), is_randomised=False), np.array([0.0, 0.0]))
    assert shares[2] < 1e-9
    assert shares.sum() == pytest.approx(1.0)
