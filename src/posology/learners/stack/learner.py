"""Fit networks, boosted trees and kernel regression, and weight them on validation patients."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float64

from posology.domain.cohort import Cohort, join_cohorts, subset_decisions
from posology.domain.policy import Learner, Policy, allow_all_treatments
from posology.learners.outcome_models.design import extract_labels, mean_dose_error, mean_log_loss
from posology.learners.outcome_models.kernel_regression import KernelLearner
from posology.learners.outcome_models.tuned_boosting import TunedBoostingLearner
from posology.learners.recipes import NetworkLearner
from posology.learners.stack.policy import StackedPolicy
from posology.learners.stack.weights import fit_weights


@dataclass(frozen=True, slots=True)
class StackLearner:
    """Two networks that each choose their epochs on other patients, boosting, kernel regression.

    Boosting and kernel regression learn once without the validation patients, on whom all members
    are weighted, and once more with them.
    """

    network: Callable[[int], Learner] = NetworkLearner
    """The learner of a network with a random seed."""
    boosting: TunedBoostingLearner = field(default_factory=TunedBoostingLearner)
    kernel: KernelLearner = field(default_factory=KernelLearner)
    seed: int = 0

    def fit(self, train: Cohort, validation: Cohort) -> StackedPolicy:
        """Fit the members, weight them, and fit again what can learn from all patients."""
        return self.extend(self.network(self.seed).fit(train, validation), train, validation)

    def extend(self, first: Policy, train: Cohort, validation: Cohort) -> StackedPolicy:
        """The stack around a network that learned from `train` and chose on `validation`."""
        seed = self.seed
        boosting, kernel = replace(self.boosting, seed=seed), replace(self.kernel, seed=seed)
        larger, smaller = _split(train, len(validation) / max(len(train), 1), seed)
        tried = (first, boosting.fit(larger, smaller), kernel.fit(larger, smaller))
        effectiveness, dose = _weights(tried, validation)
        second = self.network(seed + 1).fit(join_cohorts(larger, validation), smaller)
        members = (
            first,
            second,
            boosting.fit(train, validation),
            kernel.fit(train, validation),
        )
        return StackedPolicy(
            formulary=train.study.formulary,
            profile=train.profile,
            members=members,
            networks=2,
            effectiveness_weight=_share(effectiveness),
            dose_weight=_share(dose),
            reward=_mean_rewards(train),
        )


def _split(train: Cohort, share: float, seed: int) -> tuple[Cohort, Cohort]:
    """A larger and a smaller part of the training patients."""
    subjects = len(train.history.subject_id)
    count = min(max(round(share * subjects), 1), subjects - 1)
    chosen = np.zeros(subjects, dtype=bool)
    chosen[np.random.default_rng(seed).permutation(subjects)[:count]] = True
    is_smaller: Bool[np.ndarray, " decision"] = chosen[train.subject]
    return subset_decisions(train, ~is_smaller), subset_decisions(train, is_smaller)


def _weights(
    policies: tuple[Policy, ...], validation: Cohort
) -> tuple[Float64[np.ndarray, " policy"], Float64[np.ndarray, " policy"]]:
    """Weights of P(effective) by log loss, and of the dose by its absolute error."""
    labels = extract_labels(validation)
    allowed = allow_all_treatments(validation.last_step, validation.study.formulary)
    p = np.stack(
        [
            policy.predict_effectiveness(validation.history, validation.last_step, allowed).mean(2)
            for policy in policies
        ]
    )
    dose = np.stack(
        [
            policy.predict_doses(validation.history, validation.last_step, allowed).overall.mean(1)
            for policy in policies
        ]
    )
    known = labels.best >= 0 if labels.is_multiclass else ~np.isnan(labels.effective)
    has_dose = ~np.isnan(labels.dose) & ~np.isnan(dose).any(axis=0)
    return (
        fit_weights(
            lambda w: mean_log_loss(np.tensordot(w, p, 1), labels), len(policies), int(known.sum())
        ),
        fit_weights(
            lambda w: mean_dose_error(np.where(has_dose, w @ dose, np.nan), labels),
            len(policies),
            int(has_dose.sum()),
        ),
    )


def _share(weights: Float64[np.ndarray, " policy"]) -> Float64[np.ndarray, " member"]:
    """The network's weight, shared by the two networks, and the others'."""
    return np.concatenate([np.full(2, weights[0] / 2), weights[1:]])


def _mean_rewards(train: Cohort) -> Float64[np.ndarray, "treatment best"]:
    """Mean reward of each option where each is the most effective one; empty where unknown."""
    rewards, best = train.potential_rewards.astype(np.float64), train.best_treatment
    options = len(train.study.formulary.treatments)
    known = (best >= 0) & ~np.isnan(rewards).any(axis=1)
    if not all((known & (best == option)).any() for option in range(options)):
        return np.zeros((options, 0))
    return np.column_stack(
        [rewards[known & (best == option)].mean(axis=0) for option in range(options)]
    )
