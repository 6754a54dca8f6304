"""The choice that protects: over many decisions a policy is used only if its gain is shown."""

from dataclasses import replace

import numpy as np

from posology.causal.trajectories.bounds import CHANCE_OF_HARM, MIN_EFFECTIVE, lower_bounds
from posology.causal.trajectories.gain import (
    TrajectoryGain,
    effective_patients,
    estimate_trajectory_gain,
)
from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import Policy
from posology.learners.network.policy import NetworkPolicy
from posology.learners.network.policy_selection import BEHAVIOUR_TEMPERATURE
from posology.learners.offline_rl.usual_care import clone_usual_care
from posology.workflows.gate.logged_care import describe_care, first_choices, with_belief
from posology.workflows.gate.protection import Protection
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
    complete, usual = complete_validation(cohort), model_usual_care(cohort, seed)
    patients = len(np.unique(complete.subject))
    if patients < MIN_PATIENTS:
        found = Protection(
            False,
            f"only {patients} validation patients were followed to the end of their trajectory, "
            f"{MIN_PATIENTS} are needed",
            patients=patients,
        )
    else:
        found = _judge(judged, usual, complete, seed)
    return (policy, found) if found.is_used else (usual_care(policy, usual), found)


def complete_validation(cohort: Cohort) -> Cohort:
    """The validation patients who were followed to the end of their trajectory."""
    return complete_trajectories(select_split(cohort, VALIDATION))


def complete_trajectories(cohort: Cohort) -> Cohort:
    """The patients who were followed to the end of their trajectory, or to the horizon."""
    horizon = choose_horizon(cohort, np.ones(len(cohort), dtype=bool))
    return ended_trajectories(cohort, is_complete_trajectory(cohort, horizon))


def model_usual_care(cohort: Cohort, seed: int) -> Policy:
    """How clinicians choose, learned from the training patients; no outcome is used."""
    return clone_usual_care(select_split(cohort, TRAIN), select_split(cohort, VALIDATION), seed)


def _judge(judged: Policy, usual: Policy, cohort: Cohort, seed: int) -> Protection:
    care = with_belief(describe_care(cohort, usual), judged, cohort)
    rng = np.random.default_rng(seed)
    gain = estimate_trajectory_gain(care, first_choices(judged, cohort), rng)
    return judge_gain(gain, float(lower_bounds([gain], rng)[0]))


def judge_gain(gain: TrajectoryGain, low: float) -> Protection:
    """Whether a gain with this lower bound is enough for the policy to be used."""
    size, patients = effective_patients(gain), len(gain.values)
    mean = float(gain.gain.mean())
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


def usual_care(policy: Policy, usual: Policy) -> Policy:
    """A policy that chooses as clinicians do; the network's other predictions are kept."""
    if isinstance(policy, NetworkPolicy):
        decoding = replace(policy.decoding, temperature=BEHAVIOUR_TEMPERATURE)
        every = replace(policy.formulary, unlearned=())
        return replace(policy, decoding=decoding, formulary=every)
    return usual
