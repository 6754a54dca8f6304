"""Which options are safe: one mechanism for cohorts, learners, evaluation and advice."""

import numpy as np
from jaxtyping import Bool, Float64

from posology.domain.cohort import Cohort
from posology.domain.history import History, StepIndex, days_since, has_code, latest_value
from posology.domain.policy import AllowedMask, Doses
from posology.domain.profile import Profile
from posology.domain.safety_rules.bounds import is_at_least, is_at_most
from posology.domain.safety_rules.check import Limits, check_safety
from posology.domain.safety_rules.facts import VisibleFacts as VisibleFacts
from posology.domain.study import Bounds, Study, ValueRange


def history_facts(
    profile: Profile,
    history: History,
    decisions: StepIndex,
    time: Float64[np.ndarray, " decision"] | None = None,
) -> VisibleFacts:
    """The facts that a History shows to each decision.

    time: of each decision, in days since 1970-01-01; None: the time of its last visible step.
    """
    now = history.time[decisions] if time is None else time
    return VisibleFacts(
        now,
        lambda codes: has_code(history, decisions, profile.rows(codes)),
        lambda codes: latest_value(history, decisions, profile.rows(codes)),
        lambda codes, numeric: days_since(history, decisions, profile.rows(codes), now, numeric),
    )


def contraindicated(study: Study, facts: VisibleFacts) -> Bool[np.ndarray, "decision treatment"]:
    """True where a rule forbids the option."""
    return check_safety(study, facts).forbidden


def allowed_treatments(
    study: Study, profile: Profile, history: History, decisions: StepIndex
) -> Bool[np.ndarray, "decision treatment"]:
    """True where no rule forbids the option; a row may be all False.

    Judged by the codes of the profile: where a cohort or the patient's events are at hand, use
    `allowed_in_cohort` or `cohorts.patient`, which see every event.
    """
    return ~contraindicated(study, history_facts(profile, history, decisions))


def allowed_in_cohort(cohort: Cohort) -> AllowedMask:
    """True where no rule forbids the option; everything is allowed where a row would be empty."""
    if cohort.allowed is None:
        mask = allowed_treatments(cohort.study, cohort.profile, cohort.history, cohort.last_step)
    else:
        mask = np.asarray(cohort.allowed)
    return mask | ~mask.any(axis=1, keepdims=True)


def limit_doses(doses: Doses, limits: Limits | None, allowed: AllowedMask) -> Doses:
    """The doses, none beyond what rules leave; the single one within what any option leaves."""
    if limits is None:
        return doses
    low, high = limits[:, :, 0], limits[:, :, 1]
    single_low = np.where(allowed, low, np.inf).min(axis=1, keepdims=True)
    single_high = np.where(allowed, high, -np.inf).max(axis=1, keepdims=True)
    return Doses(
        np.clip(doses.by_treatment, low, high), np.clip(doses.overall, single_low, single_high)
    )


def is_condition_met(
    facts: VisibleFacts, codes: tuple[str, ...], ranges: tuple[ValueRange, ...]
) -> Bool[np.ndarray, " decision"]:
    """Whether any of the codes is visible, or any last number lies in its range."""
    met = facts.has_code(codes)
    for value_range in ranges:
        met = met | is_in_range(facts, value_range)
    return met


def is_in_range(facts: VisibleFacts, value_range: ValueRange) -> Bool[np.ndarray, " decision"]:
    """Whether the last visible number of the codes is known and lies within its bounds."""
    return is_within(facts.latest_value(value_range.codes), value_range.bounds)


def is_within(
    value: Float64[np.ndarray, " _"], bounds: Bounds, scale: Float64[np.ndarray, " _"] | float = 0.0
) -> Bool[np.ndarray, " _"]:
    """Whether each number lies within the bounds; False for NaN.

    scale: size of the numbers that each number is a difference of, whose rounding it has.
    """
    low, high = _limits(bounds)
    return is_at_least(value, low, scale) & is_at_most(value, high, scale)


def distance_inside(value: Float64[np.ndarray, " _"], bounds: Bounds) -> Float64[np.ndarray, " _"]:
    """Distance to the nearer bound: positive inside the bounds, negative outside."""
    low, high = _limits(bounds)
    return np.minimum(value - low, high - value)


def _limits(bounds: Bounds) -> tuple[float, float]:
    low = -np.inf if bounds.at_least is None else bounds.at_least
    high = np.inf if bounds.at_most is None else bounds.at_most
    return low, high
