"""How long whole trajectories were followed: a fixed time, never only to the death of some."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.causal.censoring import cumulative_hazard
from posology.causal.missing_outcomes import observation_weights
from posology.causal.trial import FollowUp, Trial
from posology.domain.cohort import Cohort, subset_decisions
from posology.learners.effects.target_trial import StudyTrial
from posology.learners.features.rewards import has_next_decision, is_truncated

MIN_FOLLOWED = 0.5
"""Share of patients who must be followed to the horizon, were it not for death. Our choice."""
HUNDREDTH = 0.01
Decisions = Bool[np.ndarray, " decision"]


def choose_horizon(cohort: Cohort, among: Decisions) -> float:
    """Days from the first decision over which trajectories are valued.

    The longest time to which, but for death, at least MIN_FOLLOWED of these patients were followed;
    infinity where the cohort does not say how long they were.
    """
    if cohort.days_followed is None or cohort.time is None:
        return float("inf")
    first = among & _is_first(cohort)
    days, ended = _days_of_trajectory(cohort)[first], _has_ended(cohort)[first]
    times, hazard = cumulative_hazard(days, ~ended, np.ones(len(days)))
    still = np.exp(-hazard[:-1]) >= MIN_FOLLOWED  # before each day on which somebody leaves
    return float(times[still].max()) if still.any() else float("inf")


def is_complete_trajectory(cohort: Cohort, horizon: float) -> Decisions:
    """Decisions within the horizon of patients followed to it or to death, with known rewards.

    Within it are decisions whose reward is settled by then. A trajectory without a horizon is
    complete if it ended, as where the end is the world's (a simulator's).
    """
    known = (cohort.treatment >= 0) & ~np.isnan(cohort.reward)
    if not np.isfinite(horizon):
        bad = ~known | is_truncated(cohort)
        return ~np.isin(cohort.subject, cohort.subject[bad])
    is_inside = _is_inside(cohort, horizon)
    followed = _has_ended(cohort) | (_days_of_trajectory(cohort) >= horizon)
    bad = ~followed | (is_inside & ~known)
    return is_inside & ~np.isin(cohort.subject, cohort.subject[bad])


def ended_trajectories(cohort: Cohort, keep: Decisions) -> Cohort:
    """These decisions; nothing counts after a patient's last one."""
    kept = subset_decisions(cohort, keep)
    return replace(kept, trajectory_ended=~has_next_decision(kept))


def trajectory_weights(
    cohort: Cohort,
    study_trial: StudyTrial,
    keep: Decisions,
    horizon: float,
    rng: np.random.Generator,
) -> Float64[np.ndarray, " patient"] | None:
    """Weight of each complete trajectory, of mean 1, for those alike that were not complete.

    The product over a patient's decisions of 1 / P(followed to the next decision, to death or the
    horizon, with the reward measured | what was known at the decision, and its option),
    cross-fitted: what happened since the first decision says who leaves, too. None where all are
    complete.
    """
    if not np.isfinite(horizon) or cohort.time is None:
        return None
    is_kept = np.isin(cohort.subject, cohort.subject[keep])
    start = _start_of_trajectory(cohort)
    among = cohort.time[study_trial.row] - start[study_trial.row] < horizon
    row = study_trial.row[among]
    if is_kept[row].all():
        return None
    full = study_trial.trial
    trial = Trial(
        full.covariates[among],
        full.treatment[among],
        np.zeros(len(row)),
        full.subject[among],
        full.n_options,
        follow_up=_follow_up_to_the_next(cohort, row, start, horizon),
    )
    weight = np.zeros(len(cohort))
    weight[row] = observation_weights(trial, rng)
    first = row[np.append(True, cohort.subject[row][1:] != cohort.subject[row][:-1])]
    position = np.searchsorted(row, first)
    product = np.multiply.reduceat(weight[row], position)[is_kept[first]]
    return product / product.mean()


def _follow_up_to_the_next(
    cohort: Cohort,
    row: Int64[np.ndarray, " selected"],
    start: Float64[np.ndarray, " decision"],
    horizon: float,
) -> FollowUp:
    """How long each of these decisions was followed: to the next, to death or to the horizon."""
    assert cohort.time is not None
    day = cohort.time[row] - start[row]
    has_next = np.append(cohort.subject[row][1:] == cohort.subject[row][:-1], False)
    end = np.minimum(_days_of_trajectory(cohort)[row], horizon)
    until = np.where(has_next, np.append(day[1:], 0.0), end)
    resolved = has_next | (_has_ended(cohort) | (_days_of_trajectory(cohort) >= horizon))[row]
    needed = _is_inside(cohort, horizon)[row]
    is_known = resolved & ~(needed & np.isnan(cohort.reward[row]))
    return FollowUp(np.maximum(until - day, 0.0), resolved, is_known, needed)


def _is_first(cohort: Cohort) -> Decisions:
    return np.append(True, cohort.subject[1:] != cohort.subject[:-1])[: len(cohort)]


def _start_of_trajectory(cohort: Cohort) -> Float64[np.ndarray, " decision"]:
    """Day of the patient's first decision."""
    assert cohort.time is not None
    first = np.flatnonzero(_is_first(cohort))
    return np.repeat(cohort.time[first], np.diff(np.append(first, len(cohort))))


def _is_inside(cohort: Cohort, horizon: float) -> Decisions:
    """Whether the decision's reward is settled by the horizon."""
    assert cohort.time is not None
    study = cohort.study
    windows = [
        study.outcome.within_days,
        *(cost.within_days for cost in study.reward.costs),
        *(budget.within_days for budget in study.budgets),
    ]
    settled = (
        cohort.time - _start_of_trajectory(cohort) + study.assignment.grace_days + max(windows)
    )
    return settled <= horizon + HUNDREDTH


def _days_of_trajectory(cohort: Cohort) -> Float64[np.ndarray, " decision"]:
    """Days from the patient's first decision to the end of follow-up, at each decision.

    Rounded to hundredths, within which sums of rounded days may differ.
    """
    assert cohort.time is not None
    assert cohort.days_followed is not None
    first = np.flatnonzero(_is_first(cohort))
    counts = np.diff(np.append(first, len(cohort)))
    last = first + counts - 1
    days = cohort.time[last] + cohort.days_followed[last] - cohort.time[first]
    return np.repeat(np.round(days.astype(np.float64), 2), counts)


def _has_ended(cohort: Cohort) -> Decisions:
    """Whether an event ended the patient's trajectory for good, at each decision."""
    if cohort.trajectory_ended is None:
        return np.zeros(len(cohort), dtype=bool)
    return np.isin(cohort.subject, cohort.subject[cohort.trajectory_ended])
