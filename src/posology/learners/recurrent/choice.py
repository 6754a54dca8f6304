"""Which learner suits a cohort's trajectories, by validation patients, and why."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from posology.domain.cohort import Cohort
from posology.learners.features.rewards import has_next_decision, with_last_states
from posology.learners.offline_rl.dataset import CLEAR_ERRORS, memory_gain
from posology.learners.offline_rl.q_network import QNetworkSettings
from posology.learners.offline_rl.tabular_policy import has_state_codes

STANDARD_ERRORS = 0.5
"""Subtracted from each value when candidates are ranked; as in network/policy_selection.py."""


@dataclass(frozen=True, slots=True)
class MethodChoice:
    """A method, and why it suits the trajectories."""

    method: str
    """Its name in `learners.methods.METHODS`."""
    reason: str
    """One sentence, for people."""


def is_trajectory_study(cohort: Cohort) -> bool:
    """Whether values of later decisions, and nothing else, are to be learned.

    Studies with doses, or with outcomes to predict, need the causal network, as do studies that
    know the reward of every option.
    """
    study = cohort.study
    others = (cohort.diagnosis, cohort.progression, cohort.event_time)
    return (
        study.reward.discount > 0
        and bool(has_next_decision(cohort).any())
        and bool(np.isnan(cohort.potential_rewards).any())
        and not (cohort.best_treatment >= 0).any()
        and study.dose is None
        and all(treatment.dose is None for treatment in study.formulary.treatments)
        and all(column is None or column.shape[1] == 0 for column in others)
    )


def choose_method(train: Cohort, validation: Cohort, seed: int = 0) -> MethodChoice | None:
    """Tables where one code is the whole state, else the recurrent network with fitted values.

    None where the cohort is no trajectory study.
    """
    if not is_trajectory_study(train):
        return None
    if has_state_codes(train) and has_state_codes(validation):
        settings = QNetworkSettings(lags=1, seed=seed)
        full = with_last_states(train, train.study.reward.discount)
        gain, error = memory_gain(full, validation, settings)
        if gain <= CLEAR_ERRORS * error:
            return MethodChoice(
                "tabular",
                "Each decision has one state code, and past treatments do not clearly improve "
                "the prediction of validation patients' returns: the values are tables.",
            )
    return MethodChoice(
        "joint_values",
        "The last visit may not hold the whole state: the values are a weighted mean of a "
        "recurrent network's on the whole history and of fitted values on the last visits.",
    )


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate's name, its estimated value and standard error."""

    name: str
    value: float
    error: float


def rank_candidates(estimates: Mapping[str, tuple[float, float]]) -> tuple[Ranked, ...]:
    """Best first: by the value less `STANDARD_ERRORS` standard errors.

    `estimates` are both of each candidate's name, on patients that no candidate was learned from.
    """
    ranked = [Ranked(name, *estimate) for name, estimate in estimates.items()]
    return tuple(sorted(ranked, key=lambda each: STANDARD_ERRORS * each.error - each.value))
