"""The value of following a policy over whole trajectories of the test split's patients."""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from posology.causal.trajectories.care import LoggedCare
from posology.domain.cohort import TEST, Cohort
from posology.domain.policy import Policy
from posology.domain.trajectories import episode_offsets, without_observations
from posology.evaluation.intervals import Interval
from posology.evaluation.off_policy import trajectory_value as off_policy
from posology.evaluation.off_policy.by_state import estimate_by_state
from posology.evaluation.off_policy.estimators import OffPolicyData
from posology.evaluation.off_policy.harm_budgets import BudgetFinding, HarmCare, judge_budgets
from posology.evaluation.off_policy.state_tables import with_tables
from posology.evaluation.off_policy.support import Refusal
from posology.evaluation.off_policy.trajectory_value import TrajectoryValue
from posology.learners.features.care_state import MAX_COLUMNS, care_states
from posology.learners.features.harms import known_harms
from posology.learners.features.rewards import permitted_treatments
from posology.learners.offline_rl.fqe import FittedQEvaluation
from posology.learners.offline_rl.tabular_policy import has_state_codes
from posology.workflows.effect_study import EffectResult
from posology.workflows.policies.choices import choice_probabilities
from posology.workflows.progress import Progress
from posology.workflows.results import Row, finite_or_none
from posology.workflows.trajectory_follow_up import (
    choose_horizon,
    ended_trajectories,
    is_complete_trajectory,
    trajectory_weights,
)

Probabilities = Float64[np.ndarray, "decision treatment"]
FIRST_CHOICE, DRAWN = "posology's first choice", "posology as it draws"


def estimate_trajectory_value(
    policy: Policy,
    effects: EffectResult,
    max_decisions: int,
    rng: np.random.Generator,
    progress: Progress,
) -> TrajectoryValue | None:
    """The value of the policy's first choice, and of its draws, at every decision of a trajectory.

    None if no trajectory of the test split was followed so long (trajectory_follow_up.py). The
    behaviour policy is the recorded one, else the propensities of `effects`. The Q-function is
    fitted on at most `max_decisions` decisions of patients outside the test split.
    """
    cohort = effects.cohort
    in_test = cohort.split == TEST
    horizon = choose_horizon(cohort, in_test)
    keep = in_test & is_complete_trajectory(cohort, horizon)
    if not keep.any():
        return None
    progress("trajectories: a model of the expected reward")
    test = ended_trajectories(cohort, keep)
    learns = ~in_test & is_complete_trajectory(cohort, horizon)
    others = ended_trajectories(cohort, sample_patients(cohort, learns, max_decisions, rng))
    followed, learned_from = _ways_to_follow(policy, test), _ways_to_follow(policy, others)
    if np.array_equal(followed[FIRST_CHOICE], followed[DRAWN]):
        del followed[DRAWN]  # the policy is deterministic
    targets = np.stack([learned_from[way] for way in followed])
    q_values = FittedQEvaluation().fit(others, targets)(test)
    given = np.arange(len(test)), test.treatment.astype(np.int64)
    trajectories = without_observations(
        test.treatment,
        test.reward.astype(np.float64),
        np.full(q_values.shape[1:], np.nan),
        episode_offsets(test.subject),
        logged_probability=_behaviour(effects, keep),
    )
    weight = trajectory_weights(cohort, effects.trial, keep, horizon, rng)
    data = {
        way: OffPolicyData(
            trajectories,
            target=target[given],
            discount=cohort.study.reward.discount,
            q=q[given],
            v=(target * q).sum(axis=1),
            weight=weight,
        )
        for (way, target), q in zip(followed.items(), q_values, strict=True)
    }
    data = {way: _with_tables(each, test, followed[way], rng) for way, each in data.items()}
    progress("trajectories: weights of states")
    state, path = care_states(test)
    care = LoggedCare(trajectories, state, weight=weight, path=path)
    discount = cohort.study.reward.discount
    by_state = {
        way: estimate_by_state(replace(care, believed=q, discount=discount), target, rng)
        for (way, target), q in zip(followed.items(), q_values, strict=True)
    }
    excluded = len(np.unique(cohort.subject[in_test])) - len(trajectories)
    budgets = _budgets(care, test, followed[FIRST_CHOICE], rng)
    return off_policy.estimate_trajectory_value(data, excluded, rng, horizon, by_state, budgets)


def _with_tables(
    data: OffPolicyData, test: Cohort, policy: Probabilities, rng: np.random.Generator
) -> OffPolicyData:
    """With models from tables where each state is one of many codes, which columns describe poorly.

    The policy must depend on that code alone.
    """
    if not has_state_codes(test):
        return data
    state = test.history.code[test.history.event_offsets[test.last_step]].astype(np.int64)
    if len(np.unique(state)) <= MAX_COLUMNS:
        return data
    return with_tables(data, state, policy, rng) or data


def _budgets(
    care: LoggedCare, test: Cohort, policy: Probabilities, rng: np.random.Generator
) -> tuple[BudgetFinding, ...]:
    """What the policy costs of each harm budget; a harm that is not known counts as none."""
    if not test.study.budgets:
        return ()
    harm, units = known_harms(test)
    harms = HarmCare(
        care, test.study.budgets, np.nan_to_num(harm), np.where(np.isnan(harm), 0.0, units)
    )
    return judge_budgets(harms, policy, int(rng.integers(2**31)))


def sample_patients(
    cohort: Cohort,
    among: Bool[np.ndarray, " decision"],
    max_decisions: int,
    rng: np.random.Generator,
) -> Bool[np.ndarray, " decision"]:
    """All decisions of sampled patients: at most so many, but at least one patient's."""
    subjects, counts = np.unique(cohort.subject[among], return_counts=True)
    order = rng.permutation(len(subjects))
    fitting = int(np.searchsorted(np.cumsum(counts[order]), max_decisions, side="right"))
    return among & np.isin(cohort.subject, subjects[order[: max(1, fitting)]])


def trajectory_rows(study: str, value: TrajectoryValue | None) -> list[Row]:
    """Every figure as a row; a refused estimate with its reason."""
    if value is None:
        return []
    names: Row = {"study": study, "split": "test", "n": value.patients}
    names["horizon_days"] = finite_or_none(value.horizon)
    usual = {"model": "usual care", "metric": "course_value", **_interval(value.usual_care)}
    rows = [names | usual]
    for each in value.estimates:
        one = names | {"model": each.policy, "estimator": each.result.estimator}
        reason = each.result.reason if isinstance(each.result, Refusal) else None
        rows.append(one | {"metric": "course_value", **_interval(each.value), "refused": reason})
        rows.append(one | {"metric": "course_gain", **_interval(each.gain)})
        rows.append(one | {"metric": "course_effective", "value": each.result.effective_size})
        tail = None if isinstance(each.result, Refusal) else finite_or_none(each.result.pareto_k)
        rows.append(one | {"metric": "course_pareto_k", "value": tail})
    for found in value.budgets:
        one = names | {"model": FIRST_CHOICE, "budget": found.name, "at_most": found.at_most}
        rate = {"value": finite_or_none(found.rate), "high": finite_or_none(found.upper)}
        rows.append(one | {"metric": "harm_rate", "low": None, **rate, "held": found.is_held})
    return rows


def _ways_to_follow(policy: Policy, cohort: Cohort) -> dict[str, Probabilities]:
    """Its most probable option, and its own probabilities."""
    rows = np.arange(len(cohort))
    drawn = choice_probabilities(policy, cohort, rows, permitted_treatments(cohort))
    first_choice = np.eye(drawn.shape[1])[drawn.argmax(axis=1)]
    return {FIRST_CHOICE: first_choice, DRAWN: drawn.astype(np.float64)}


def _behaviour(
    effects: EffectResult, keep: Bool[np.ndarray, " decision"]
) -> Float64[np.ndarray, " kept"]:
    """Probability of the treatment given, as recorded or as estimated."""
    cohort, trial = effects.cohort, effects.trial
    recorded = cohort.logged_probability[keep].astype(np.float64)
    if not np.isnan(recorded).any():
        return recorded
    estimated = np.full((len(cohort), trial.trial.n_options), np.nan)
    estimated[trial.row] = effects.nuisance.propensity.probability
    return estimated[keep, cohort.treatment[keep]]


def _interval(interval: Interval | None) -> dict[str, Any]:
    names = ("value", "low", "high")
    return {name: None if interval is None else getattr(interval, name) for name in names}
