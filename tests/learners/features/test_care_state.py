"""A decision's state leaves out what was given before; its path does not."""

from dataclasses import replace

import numpy as np

from posology.learners.features.care_state import care_states, has_one_code
from posology.learners.features.treatments_given import treatment_of_code
from posology.simulators.conversion import StudyNames, to_cohort
from posology.simulators.mdp import sample_trajectories
from tests.builders.belief_cohort import small_trajectories
from tests.builders.decision_processes import survival_mdp, uniform_policy


def test_only_the_path_knows_what_was_given() -> None:
    cohort = small_trajectories(60)
    history, given = cohort.history, treatment_of_code(cohort) >= 0
    code = history.code.copy()
    one = int(np.flatnonzero(given)[0])
    code[given[code]] = one
    same = replace(cohort, history=replace(history, code=code))
    state, path = care_states(cohort)
    changed, _ = care_states(same)
    np.testing.assert_array_equal(state, changed)
    assert path is not None
    assert path.shape[1] > state.shape[1]
    for columns in (state, path):
        np.testing.assert_allclose(columns[:, 0], 1)
        np.testing.assert_allclose(columns[:, 1:].mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(columns[:, 1:].std(axis=0), 1)


def test_a_state_code_has_no_path() -> None:
    mdp = survival_mdp()
    logged = sample_trajectories(mdp, uniform_policy(mdp), 200, np.random.default_rng(0))
    cohort = to_cohort(logged, StudyNames("ward", ("t0", "t1", "t2", "t3")))
    state, path = care_states(cohort)
    assert has_one_code(cohort)
    assert path is None
    assert state.shape[1] > 10
