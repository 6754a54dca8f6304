"""What a saved policy would earn over whole courses of the test split, where no truth is known."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float64

from posology.cli.effect_run import Judged
from posology.cli.policy_run import probabilities
from posology.domain.cohort import TEST, Cohort, take
from posology.domain.policy import Policy
from posology.domain.trajectories import episode_offsets, without_observations
from posology.evaluation.off_policy.estimators import OffPolicyData
from posology.evaluation.off_policy.support import Refusal
from posology.evaluation.off_policy.trajectory_value import (
    TrajectoryValue,
    estimate_trajectory_value,
)
from posology.evaluation.significance import Interval
from posology.learners.features.rewards import is_truncated, permitted_treatments
from posology.learners.offline_rl.fqe import FittedEvaluation

Told = Callable[[str], None]
Chances = Float64[np.ndarray, "decision treatment"]
FIRST, DRAWN = "posology's first choice", "posology as it draws"


def run_courses(
    policy: Policy, cohort: Cohort, judged: Judged, most: int, rng: np.random.Generator, told: Told
) -> TrajectoryValue | None:
    """What the policy puts first, and what it draws, at every decision of the test split's courses;
    None where no course was followed to its end.

    What clinicians do is as recorded, else what `judged` learned of all patients, each from the
    others. The model of what is earned is learned from at most so many decisions of patients
    outside the test split.
    """
    test = cohort.split == TEST
    keep = test & whole(cohort)
    if not keep.any():
        return None
    told("whole courses: a model of what is earned")
    mine, others = take(cohort, keep), take(cohort, some(cohort, ~test, most, rng))
    chances, learned_from = _ways(policy, mine), _ways(policy, others)
    if np.array_equal(chances[FIRST], chances[DRAWN]):
        del chances[DRAWN]  # it never draws
    q = FittedEvaluation().fit(others, np.stack([learned_from[way] for way in chances]), mine)
    row = np.arange(len(mine)), mine.treatment.astype(np.int64)
    trajectories = without_observations(
        mine.treatment,
        mine.reward.astype(np.float64),
        np.full(q.shape[1:], np.nan),
        episode_offsets(mine.subject),
        logged_probability=_behaviour(cohort, judged, keep),
    )
    data = {
        way: OffPolicyData(
            trajectories,
            target=chance[row],
            discount=cohort.study.reward.discount,
            q=worth[row],
            v=(chance * worth).sum(axis=1),
        )
        for (way, chance), worth in zip(chances.items(), q, strict=True)
    }
    excluded = len(np.unique(cohort.subject[test])) - len(trajectories)
    return estimate_trajectory_value(data, excluded, rng)


def whole(cohort: Cohort) -> Bool[np.ndarray, " decision"]:
    """Decisions of patients whose every treatment and reward is known, to their course's end."""
    lost = (cohort.treatment < 0) | np.isnan(cohort.reward) | is_truncated(cohort)
    return ~np.isin(cohort.subject, cohort.subject[lost])


def some(
    cohort: Cohort, among: Bool[np.ndarray, " decision"], most: int, rng: np.random.Generator
) -> Bool[np.ndarray, " decision"]:
    """All decisions of patients drawn among these, at most so many, of one patient at least."""
    subjects, counts = np.unique(cohort.subject[among], return_counts=True)
    order = rng.permutation(len(subjects))
    upto = max(1, int(np.searchsorted(np.cumsum(counts[order]), most, side="right")))
    return among & np.isin(cohort.subject, subjects[order[:upto]])


def course_rows(study: str, found: TrajectoryValue | None) -> list[dict]:
    """Every figure as a row; refused ones with the reason."""
    if found is None:
        return []
    named = {"study": study, "split": "test", "n": found.patients}
    usual = {"model": "usual care", "metric": "course_value", **_figures(found.usual_care)}
    rows = [named | usual]
    for each in found.estimates:
        one = named | {"model": each.policy, "estimator": each.result.estimator}
        reason = each.result.reason if isinstance(each.result, Refusal) else None
        rows.append(one | {"metric": "course_value", **_figures(each.value), "refused": reason})
        rows.append(one | {"metric": "course_gain", **_figures(each.gain)})
        rows.append(one | {"metric": "course_effective", "value": each.result.effective_size})
    return rows


def _ways(policy: Policy, cohort: Cohort) -> dict[str, Chances]:
    drawn = probabilities(policy, cohort, np.arange(len(cohort)), permitted_treatments(cohort))
    return {FIRST: np.eye(drawn.shape[1])[drawn.argmax(axis=1)], DRAWN: drawn.astype(np.float64)}


def _behaviour(
    cohort: Cohort, judged: Judged, keep: Bool[np.ndarray, " decision"]
) -> Float64[np.ndarray, " kept"]:
    """Probability of what was given, as recorded or as learned."""
    recorded = cohort.logged[keep].astype(np.float64)
    if not np.isnan(recorded).any():
        return recorded
    learned = np.full((len(cohort), judged.asked.trial.n_options), np.nan)
    learned[judged.asked.row] = judged.nuisance.propensity.probability
    return learned[keep, cohort.treatment[keep]]


def _figures(found: Interval | None) -> dict[str, float | None]:
    names = ("value", "low", "high")
    return {name: None if found is None else getattr(found, name) for name in names}
