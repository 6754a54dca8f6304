"""Exploration keeps to the mask, is off unless asked, and says its own chances."""

import numpy as np
import pytest

from posology.domain.policy import Policy, allow_all_treatments
from posology.errors import UserError
from posology.learners.offline_rl.thompson import explore
from tests.builders.policies import fitted_policy, iwpc_cohort


def test_it_must_be_asked_for() -> None:
    with pytest.raises(UserError, match="for simulators and approved trials"):
        explore(fitted_policy("posology_supervised"))


def test_chances_are_shares_of_members_within_the_mask() -> None:
    asked, c = explore(fitted_policy("posology_supervised"), simulated=True), iwpc_cohort()
    assert isinstance(asked, Policy)
    allowed = allow_all_treatments(c.last_step, asked.formulary)
    allowed[::2, 0] = False
    found = asked.choice_probabilities(c.history, c.last_step, allowed)
    said = asked.policy.predict_effectiveness(c.history, c.last_step, allowed)
    for row in range(20):
        best = [
            max(np.flatnonzero(allowed[row]), key=lambda option: said[row, option, member])
            for member in range(said.shape[2])
        ]
        np.testing.assert_allclose(found[row], np.bincount(best, minlength=3) / said.shape[2])
    assert (found[~allowed] == 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
