"""The choice that protects: over many decisions a policy is used only if its gain is shown."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from posology.causal.trajectories.bounds import (
    CHANCE_OF_HARM,
    MIN_EFFECTIVE,
    effective_patients,
    lower_bounds,
)
from posology.causal.trajectories.care import LoggedCare
from posology.causal.trajectories.gain import estimate_trajectory_gain
from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import Policy
from posology.domain.trajectories import episode_offsets, without_observations
from posology.learners.features.care_state import care_state
from posology.learners.features.rewards import permitted_treatments
from posology.learners.network.policy import NetworkPolicy
from posology.learners.network.policy_selection import BEHAVIOUR_TEMPERATURE
from posology.learners.offline_rl.behaviour_cloning import BehaviourCloning
from posology.learners.offline_rl.q_network import QNetworkSettings
from posology.workflows.gate.protection import Protection
from posology.workflows.policies.choices import choice_probabilities, predict_effectiveness
from posology.workflows.trajectory_follow_up import (
    choose_horizon,
    ended_trajectories,
    is_complete_trajectory,
)

MIN_PATIENTS = 50
"""Fewer complete trajectories outside training show nothing. Our choice."""


def protect(policy: Policy, judged: Policy, cohort: Cohort, seed: int) -> tuple[Policy, Protection]:
    """The policy if its gain over usual care is shown, else usual care; and why.

    Args:
        policy: what would be used.
        judged: the same, learned from no validation patient.
        cohort: with a validation split, on whose complete trajectories the gain is estimated.
        seed: of the behaviour model and of the folds.
    """
    validation = select_split(cohort, VALIDATION)
    horizon = choose_horizon(validation, np.ones(len(validation), dtype=bool))
    complete = ended_trajectories(validation, is_complete_trajectory(validation, horizon))
    patients = len(np.unique(complete.subject))
    usual = BehaviourCloning(QNetworkSettings(seed=seed)).fit(
        select_split(cohort, TRAIN), validation
    )
    if patients < MIN_PATIENTS:
        found = Protection(
            False,
            f"only {patients} validation patients were followed to the end of their trajectory, "
            f"{MIN_PATIENTS} are needed",
            patients=patients,
        )
    else:
        found = _judge(judged, usual, complete, seed)
    return (policy, found) if found.is_used else (_usual_care(policy, usual), found)


def _judge(judged: Policy, usual: Policy, cohort: Cohort, seed: int) -> Protection:
    rng, rows = np.random.default_rng(seed), np.arange(len(cohort))
    allowed = permitted_treatments(cohort)
    drawn = choice_probabilities(judged, cohort, rows, allowed)
    first_choice = np.eye(drawn.shape[1])[drawn.argmax(axis=1)]
    care = LoggedCare(
        without_observations(
            cohort.treatment,
            cohort.reward.astype(np.float64),
            choice_probabilities(usual, cohort, rows, allowed),
            episode_offsets(cohort.subject),
            logged_probability=_logged(cohort, usual),
        ),
        care_state(cohort),
        predict_effectiveness(judged, cohort, rows),
        cohort.study.reward.discount,
    )
    gain = estimate_trajectory_gain(care, first_choice, rng)
    low, size = float(lower_bounds([gain], rng)[0]), effective_patients(gain)
    mean, patients = float(gain.gain.mean()), len(care.trajectories)
    if size < MIN_EFFECTIVE:
        reason = (
            f"only {size:.0f} of {patients} validation patients count as treated like that, "
            f"{MIN_EFFECTIVE:.0f} are needed"
        )
        return Protection(False, reason, mean, None, patients, size)
    reason = (
        f"gain {mean:+.3g}, at least {low:.3g} with {100 * (1 - CHANCE_OF_HARM):.0f} % confidence, "
        f"on {patients} validation patients"
    )
    return Protection(low > 0, reason, mean, low, patients, size)


def _logged(cohort: Cohort, usual: Policy) -> Float64[np.ndarray, " decision"]:
    """Probability of the option given: as recorded, else as the behaviour model has it."""
    recorded = cohort.logged_probability.astype(np.float64)
    if not np.isnan(recorded).any():
        return recorded
    rows = np.arange(len(cohort))
    everything = np.ones((len(cohort), len(cohort.study.formulary.treatments)), dtype=bool)
    modelled = choice_probabilities(usual, cohort, rows, everything)[rows, cohort.treatment]
    return np.where(np.isnan(recorded), modelled, recorded)


def _usual_care(policy: Policy, usual: Policy) -> Policy:
    """A policy that chooses as clinicians do; the network's other predictions are kept."""
    if isinstance(policy, NetworkPolicy):
        decoding = replace(policy.decoding, temperature=BEHAVIOUR_TEMPERATURE)
        return replace(policy, decoding=decoding)
    return usual
