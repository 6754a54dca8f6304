"""A cohort of patients of the survival process, treated at random."""

import numpy as np

from posology.domain.cohort import Cohort
from posology.simulators.mdp import sample
from posology.simulators.rollout import Naming, as_cohort
from tests.builders.decision_processes import survival_mdp, uniform_policy

NAMES = Naming("ward", ("t0", "t1", "t2", "t3"))


def survival_cohort(episodes: int) -> Cohort:
    """Episodes of `survival_mdp` under `uniform_policy`."""
    mdp = survival_mdp()
    logged = sample(mdp, uniform_policy(mdp), episodes, np.random.default_rng(0))
    return as_cohort(logged, NAMES)
