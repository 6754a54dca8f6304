"""How clinicians choose, as a policy to compare with: the clone that best predicts others."""

import numpy as np

from posology.domain.cohort import Cohort
from posology.domain.policy import allow_all_treatments
from posology.learners.offline_rl.behaviour_cloning import BehaviourCloning
from posology.learners.offline_rl.policy import RecentWindowPolicy
from posology.learners.offline_rl.q_network import QNetworkSettings

MEMORIES = (2, 5)
"""Last values and treatments seen. Fewer patients teach less of them."""


def clone_usual_care(train: Cohort, validation: Cohort, seed: int) -> RecentWindowPolicy:
    """The clone of each memory that gives validation patients' treatments the least log loss."""
    clones = [
        BehaviourCloning(QNetworkSettings(seed=seed, lags=memory, treatment_lags=memory)).fit(
            train, validation
        )
        for memory in MEMORIES
    ]
    losses = [treatment_log_loss(clone, validation) for clone in clones]
    return clones[int(np.argmin(losses))]


def treatment_log_loss(policy: RecentWindowPolicy, cohort: Cohort) -> float:
    """Mean negative logarithm of the probability of what was given; 0 without decisions."""
    given = np.flatnonzero(cohort.treatment >= 0)
    if not len(given):
        return 0.0
    decisions = cohort.last_step[given]
    allowed = allow_all_treatments(decisions, cohort.study.formulary)
    chance = policy.choice_probabilities(cohort.history, decisions, allowed)
    return float(-np.log(chance[np.arange(len(given)), cohort.treatment[given]] + 1e-12).mean())
