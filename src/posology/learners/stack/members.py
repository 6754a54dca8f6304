"""Which models join the network in a stack."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from posology.domain.cohort import Cohort, held_out_sites, join_cohorts, subset_decisions
from posology.domain.policy import Learner, Policy
from posology.learners.outcome_models import lightgbm_trees
from posology.learners.outcome_models.kernel_regression import KernelLearner
from posology.learners.outcome_models.tuned_boosting import TunedBoostingLearner

MAX_KERNEL_DECISIONS, MAX_DECISIONS = 30_000, 200_000
"""With more training decisions kernel regression, or every member, would need too much memory (12
KB a decision for kernel regression). Our choice."""

_ONE_LOSS = ("squared_error",)


@dataclass(frozen=True, slots=True)
class MemberLearner:
    """A learner of a member that is no network."""

    name: str
    learner: Learner
    learns_from_validation: bool = False
    """Whether its `fit` learns from the validation patients too, not only chooses on them."""

    def choose(self, parts: tuple[Cohort, Cohort]) -> "MemberLearner":
        """With its settings chosen once, so that both fits have the same.

        Learners of other kinds choose in `fit`.
        """
        if isinstance(self.learner, KernelLearner | TunedBoostingLearner):
            return replace(self, learner=self.learner.choose(*parts))
        return self

    def fit_on_all(self, train: Cohort, validation: Cohort, parts: tuple[Cohort, Cohort]) -> Policy:
        """Fit with the validation patients; `parts` are a larger and a smaller part of `train`."""
        if self.learns_from_validation:
            return self.learner.fit(train, validation)
        return self.learner.fit(join_cohorts(parts[0], validation), parts[1])


def members_for(train: Cohort, seed: int) -> tuple[MemberLearner, ...]:
    """Boosting and kernel regression; none where there are too many decisions."""
    if len(train) > MAX_DECISIONS:
        return ()
    trees = TunedBoostingLearner("lightgbm", seed=seed)
    if not lightgbm_trees.is_installed():  # slower, so with fewer choices
        trees = TunedBoostingLearner("sklearn", (100, 200, 300), _ONE_LOSS, 2, 2, seed=seed)
    boosting = MemberLearner("boosting", trees, True)
    kernel = MemberLearner("kernel", KernelLearner(seed=seed), True)
    return (boosting, kernel) if len(train) <= MAX_KERNEL_DECISIONS else (boosting,)


def split_training(train: Cohort, validation: Cohort, seed: int) -> tuple[Cohort, Cohort]:
    """A larger part of the training patients, and one about as large as the validation split.

    Whole sites where the study splits by site, so that what is chosen holds at other sites.
    """
    unit = independent_units(train)
    order = np.random.default_rng(seed).permutation(unit.max(initial=-1) + 1)
    size = np.bincount(unit, minlength=len(order))[order]
    before = np.cumsum(size) - size
    count = min(max(int((before + size / 2 <= len(validation)).sum()), 1), len(order) - 1)
    is_smaller = np.isin(unit, order[:count])
    return subset_decisions(train, ~is_smaller), subset_decisions(train, is_smaller)


def independent_units(cohort: Cohort) -> Int64[np.ndarray, " decision"]:
    """Number of each decision's patient, or of its site where the study splits by site."""
    site = held_out_sites(cohort)
    if site is None or len(np.unique(site)) < 2:
        return cohort.subject
    return np.unique(site, return_inverse=True)[1].astype(np.int64)
