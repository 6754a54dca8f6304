"""What decisions earned to the end of the course."""

import numpy as np
from jaxtyping import Float64

from posology.domain.cohort import Cohort
from posology.learners.tensors import goes_on, known_rewards


def to_go(cohort: Cohort, discount: float) -> Float64[np.ndarray, "decision treatment"]:
    """Known rewards, and beside that of the option given what the later decisions earned.

    A later reward that is not known counts as 0: a place to start from, not a target.
    """
    rewards = known_rewards(cohort).astype(np.float64)
    if discount == 0:
        return rewards
    row, given = np.arange(len(cohort)), np.maximum(cohort.treatment, 0)
    own, more = np.nan_to_num(rewards[row, given]), goes_on(cohort)
    total = own.copy()
    for last in range(len(own) - 2, -1, -1):
        if more[last]:
            total[last] += discount * total[last + 1]
    rewards[row, given] += total - own
    return rewards
