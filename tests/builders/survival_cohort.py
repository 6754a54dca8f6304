"""A cohort of patients of the survival process, treated at random."""

import numpy as np

from posology.domain.cohort import Cohort
from posology.simulators.conversion import StudyNames, to_cohort
from posology.simulators.mdp import sample_trajectories
from tests.builders.decision_processes import survival_mdp, uniform_policy

NAMES = StudyNames("ward", ("t0", "t1", "t2", "t3"))


def survival_cohort(episodes: int) -> Cohort:
    """Episodes of `survival_mdp` under `uniform_policy`."""
    mdp = survival_mdp()
    logged = sample_trajectories(mdp, uniform_policy(mdp), episodes, np.random.default_rng(0))
    return to_cohort(logged, NAMES)
