"""The attention of several decisions, one after the other."""

import numpy as np
import pytest

from posology.domain.history import subject_rows
from posology.domain.policy import AttentivePolicy
from tests.builders.policies import fitted_policy, iwpc_cohort


@pytest.mark.parametrize("name", ["posology_supervised", "condensed"])
def test_the_weights_of_each_decision_sum_to_one_over_its_own_visible_steps(name: str) -> None:
    network, history = fitted_policy(name), iwpc_cohort().history
    decisions = iwpc_cohort().last_step[:20]
    assert isinstance(network, AttentivePolicy)
    found = network.attend(history, decisions)
    np.testing.assert_allclose(np.bincount(found.decision, found.weight), 1.0, atol=1e-5)
    subject = subject_rows(history, decisions)
    assert (subject_rows(history, found.step) == subject[found.decision]).all()
    assert (found.step <= decisions[found.decision]).all()
    counts = decisions + 1 - history.step_offsets[subject]
    np.testing.assert_array_equal(np.bincount(found.decision), counts)
