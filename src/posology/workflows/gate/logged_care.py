"""A cohort's logged trajectories, described for the value of a policy not learned from them."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from posology.causal.trajectories.care import LoggedCare
from posology.domain.cohort import Cohort
from posology.domain.policy import Policy
from posology.domain.trajectories import episode_offsets, without_observations
from posology.learners.features.care_state import care_states
from posology.learners.features.rewards import permitted_treatments
from posology.workflows.policies.choices import choice_probabilities, predict_effectiveness

Probabilities = Float64[np.ndarray, "decision treatment"]


def first_choices(policy: Policy, cohort: Cohort) -> Probabilities:
    """Probability 1 of the policy's most probable option."""
    drawn = choice_probabilities(
        policy, cohort, np.arange(len(cohort)), permitted_treatments(cohort)
    )
    return np.eye(drawn.shape[1])[drawn.argmax(axis=1)]


def describe_care(cohort: Cohort, usual: Policy) -> LoggedCare:
    """The trajectories of a cohort, each of which is complete.

    Args:
        cohort: with the rewards whose sum is valued.
        usual: a model of usual care, where its probabilities are not recorded.
    """
    rows = np.arange(len(cohort))
    state, path = care_states(cohort)
    return LoggedCare(
        without_observations(
            cohort.treatment,
            cohort.reward.astype(np.float64),
            choice_probabilities(usual, cohort, rows, permitted_treatments(cohort)),
            episode_offsets(cohort.subject),
            logged_probability=_logged(cohort, usual),
        ),
        state,
        discount=cohort.study.reward.discount,
        path=path,
    )


def with_belief(care: LoggedCare, policy: Policy, cohort: Cohort) -> LoggedCare:
    """The care with a policy's own predictions, which may help; nothing is assumed of them."""
    return replace(care, believed=predict_effectiveness(policy, cohort, np.arange(len(cohort))))


def _logged(cohort: Cohort, usual: Policy) -> Float64[np.ndarray, " decision"]:
    """Probability of the option given: as recorded, else as the model of usual care has it."""
    recorded = cohort.logged_probability.astype(np.float64)
    if not np.isnan(recorded).any():
        return recorded
    rows = np.arange(len(cohort))
    everything = np.ones((len(cohort), len(cohort.study.formulary.treatments)), dtype=bool)
    modelled = choice_probabilities(usual, cohort, rows, everything)[rows, cohort.treatment]
    return np.where(np.isnan(recorded), modelled, recorded)
