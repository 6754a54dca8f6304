"""What `fit` picks for trajectories, and how candidates are ranked."""

from dataclasses import replace

import numpy as np

from posology.domain.cohort import TRAIN, VALIDATION, select_split
from posology.learners.methods import METHODS
from posology.learners.recurrent.choice import choose_method, is_trajectory_study, rank_candidates
from posology.simulators.conversion import StudyNames, to_cohort
from posology.simulators.mdp import sample_trajectories
from tests.builders.belief_cohort import small_trajectories
from tests.builders.decision_processes import random_mdp, uniform_policy
from tests.builders.policies import iwpc_cohort

VALUES = {"worst": (0.1, 0.0), "unsure": (1.2, 0.9), "sure": (1.0, 0.1)}


def test_tables_where_one_code_is_the_state_else_values_that_remember() -> None:
    rng = np.random.default_rng(0)
    mdp = random_mdp(rng)
    coded = to_cohort(
        sample_trajectories(mdp, uniform_policy(mdp), 400, rng), StudyNames("codes", mdp.names)
    )
    found = {}
    for name, cohort in {"coded": coded, "seen in part": small_trajectories()}.items():
        assert is_trajectory_study(cohort)
        choice = choose_method(select_split(cohort, TRAIN), select_split(cohort, VALIDATION))
        assert choice is not None
        assert choice.method in METHODS
        assert choice.reason.endswith(".")
        found[name] = choice.method
    assert found == {"coded": "tabular", "seen in part": "joint_values"}


def test_single_decisions_and_studies_with_doses_keep_the_causal_network() -> None:
    assert not is_trajectory_study(iwpc_cohort())
    cohort = small_trajectories()
    undiscounted = replace(cohort.study, reward=replace(cohort.study.reward, discount=0.0))
    single = replace(cohort, study=undiscounted)
    assert choose_method(select_split(single, TRAIN), select_split(single, VALIDATION)) is None


def test_candidates_are_ranked_by_a_cautious_value() -> None:
    ranked = rank_candidates(VALUES)
    assert [each.name for each in ranked] == ["sure", "unsure", "worst"]
