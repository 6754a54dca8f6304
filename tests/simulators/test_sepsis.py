"""The sepsis simulator against the values that its matrices imply."""

from importlib.util import find_spec

import numpy as np
import pytest

from posology.domain.trajectories import episode_returns, state_codes
from posology.errors import UserError
from posology.simulators import sepsis
from posology.simulators.mdp import optimal_policy, policy_value, sample_trajectories

needs_package = pytest.mark.skipif(
    find_spec("icu_sepsis") is None, reason="the package icu-sepsis is not installed"
)


@pytest.fixture(scope="module")
def world():
    return sepsis.load()


def test_a_missing_package_is_named_with_its_mend(monkeypatch):
    monkeypatch.setattr(sepsis, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install --no-deps icu-sepsis==2\.0\.1"):
        sepsis.load()


@needs_package
def test_survival_of_known_policies(world):
    mdp, admissible = world.mdp, world.admissible
    everything = np.ones_like(admissible)
    greedy = np.eye(25)[world.clinician.argmax(axis=1)]
    assert policy_value(mdp, everything / 25) == pytest.approx(0.7801, abs=1e-4)
    assert policy_value(mdp, world.clinician) == pytest.approx(0.7818, abs=1e-4)
    assert policy_value(mdp, greedy) == pytest.approx(0.7868, abs=1e-4)
    assert policy_value(mdp, optimal_policy(mdp, everything)) == pytest.approx(0.8751, abs=1e-4)
    assert policy_value(mdp, optimal_policy(mdp, admissible)) == pytest.approx(0.8751, abs=1e-4)


@needs_package
def test_about_three_treatments_are_admissible_in_a_state(world):
    assert world.admissible[: sepsis.DEATH].sum(axis=1).mean() == pytest.approx(3.14, abs=0.01)


@needs_package
def test_sampled_survival_agrees_with_the_exact_value(world):
    logged = sample_trajectories(world.mdp, world.clinician, 20_000, np.random.default_rng(3))
    survival = episode_returns(logged)
    error = survival.std() / np.sqrt(len(survival))
    exact = policy_value(world.mdp, world.clinician)
    assert abs(survival.mean() - exact) < 4 * error
    assert np.diff(logged.offsets).mean() == pytest.approx(9.24, abs=0.15)
    assert np.all(logged.logged_probability > 0)
    assert np.allclose(
        logged.logged_probability, world.clinician[state_codes(logged), logged.treatment]
    )
