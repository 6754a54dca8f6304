"""Fit a network and other models, weight them on validation patients, and fit them again on all."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from posology.domain.cohort import Cohort, join_cohorts
from posology.domain.policy import Learner, Policy
from posology.learners.features.rewards import has_next_decision
from posology.learners.network.policy import NetworkPolicy
from posology.learners.network.supervised import Supervised
from posology.learners.recipes import NetworkLearner, recipe_for_cohort
from posology.learners.stack.judge import Judgement, Weights, judge_members
from posology.learners.stack.members import MemberLearner, members_for, split_training
from posology.learners.stack.policy import EFFECTIVENESS, NETWORK, REWARD, StackedPolicy

NETWORK_NAME = "network"
"""The network's name among the members."""


FitNetwork = Callable[[Supervised, Cohort, Cohort], NetworkPolicy]
"""Fits a network on the first cohort; the second one chooses."""


@dataclass(frozen=True, slots=True, eq=False)
class OtherMembers:
    """All members but the network, fitted without the validation patients."""

    learners: tuple[MemberLearner, ...]
    policies: tuple[Policy, ...]


@dataclass(frozen=True, slots=True, eq=False)
class StackTrial:
    """A stack whose members learned from no validation patient, and how they did on them."""

    learners: tuple[MemberLearner, ...]
    """Of all members but the network."""
    policy: StackedPolicy
    """For measuring on validation patients; advice needs the one that learned from all."""
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class StackLearner:
    """A network, and models that answer the same question in other ways.

    All are weighted on the validation patients, from whom none of them learned. Then all are fitted
    again, from training and validation patients together; epochs and settings are known by then.
    """

    network: Callable[[int], Learner] = NetworkLearner
    """The learner of the first network, with a random seed."""
    again: Callable[[Cohort, int], Supervised] = lambda train, seed: (
        recipe_for_cohort(train, seed).supervised
    )
    """The supervised phase of the network that is fitted again."""
    members: Callable[[Cohort, int], tuple[MemberLearner, ...]] = members_for
    seed: int = 0

    def fit(self, train: Cohort, validation: Cohort) -> StackedPolicy:
        """Fit the members, weight them, and fit them again on all patients."""
        return self.extend(self.network(self.seed).fit(train, validation), train, validation)

    def extend(self, first: Policy, train: Cohort, validation: Cohort) -> StackedPolicy:
        """The stack around a network that learned from `train` and chose on `validation`."""
        others = self.fit_members(train, validation)
        trial = self.judge(first, others, train, validation)
        return self.complete(trial, train, validation)

    def fit_members(self, train: Cohort, validation: Cohort) -> OtherMembers:
        """All members but the network, from `train` alone, part of which chooses."""
        parts = split_training(train, validation, self.seed)
        learners = tuple(member.choose(parts) for member in self.members(train, self.seed))
        return OtherMembers(learners, tuple(m.learner.fit(*parts) for m in learners))

    def judge(
        self, first: Policy, others: OtherMembers, train: Cohort, validation: Cohort
    ) -> StackTrial:
        """Weight the members on `validation`, and measure what each adds."""
        names = (NETWORK_NAME, *(member.name for member in others.learners))
        policies = (first, *others.policies)
        judgement = judge_members(names, policies, validation, self.seed)
        policy = StackedPolicy(
            formulary=train.study.formulary,
            profile=train.profile,
            members=policies,
            networks=1,
            effectiveness_weight=judgement.effectiveness_weight,
            dose_weight=judgement.dose_weight,
            reward=(reward := _mean_rewards(train)),
            chooses_by=_chooses_by(first, train, reward),
        )
        return StackTrial(others.learners, policy, judgement)

    def complete(
        self,
        trial: StackTrial,
        train: Cohort,
        validation: Cohort,
        fit_network: FitNetwork = Supervised.fit,
    ) -> StackedPolicy:
        """The same stack with members that learned from training and validation patients.

        The first network stays beside the one fitted again only where its second phase, which was
        selected on the validation patients, chooses the option or the option's own dose.
        """
        parts = split_training(train, validation, self.seed)
        learner = self.again(train, self.seed + 1)
        again = fit_network(learner, *_cohorts_again(learner, train, validation, parts))
        others = [member.fit_on_all(train, validation, parts) for member in trial.learners]
        first = trial.policy.members[0]
        if not (trial.policy.chooses_by == NETWORK or _doses_each_option(first)):
            return replace(trial.policy, members=(again, *others))
        return replace(
            trial.policy,
            members=(first, again, *others),
            networks=2,
            effectiveness_weight=_shared_by_two(trial.judgement.effectiveness_weight),
            dose_weight=_shared_by_two(trial.judgement.dose_weight),
        )


def _doses_each_option(policy: Policy) -> bool:
    """Whether a network chooses a dose of each option itself."""
    return isinstance(policy, NetworkPolicy) and bool(policy.decoding.dose_levels)


def _cohorts_again(
    learner: Supervised, train: Cohort, validation: Cohort, parts: tuple[Cohort, Cohort]
) -> tuple[Cohort, Cohort]:
    """What a network learns from again, and what chooses.

    All patients where the recipe stops at a known epoch. Tasks' heads are shrunk, and their errors
    measured, on patients that the network did not learn from, so that there others are left out.
    """
    study = train.study
    if learner.training.patience or study.diagnosis or study.progression or study.time_to_event:
        return join_cohorts(parts[0], validation), parts[1]
    return join_cohorts(train, validation), validation


def _shared_by_two(weights: Weights) -> Float64[np.ndarray, " member"]:
    """The network's weight, shared by the two networks, and the others'."""
    return np.concatenate([np.full(2, weights[0] / 2), weights[1:]])


def _chooses_by(first: Policy, train: Cohort, reward: Float64[np.ndarray, "_ _"]) -> str:
    """What the choice among the options follows."""
    if reward.size:
        return REWARD
    has_values = isinstance(first, NetworkPolicy) and first.decoding.temperature is not None
    is_sequential = train.study.reward.discount > 0 and bool(has_next_decision(train).any())
    return NETWORK if has_values or is_sequential else EFFECTIVENESS


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
