"""Observations of a cohort's decisions, and the reference of a policy that is fitted on it."""

import numpy as np

from posology.advice.uncertainty.facts import fact_codes, read_facts
from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split, subset_decisions
from posology.domain.policy import Policy
from posology.evaluation.table1.predictions import predict_cohort
from posology.lifecycle.monitoring.observations import UNKNOWN, Observations
from posology.lifecycle.monitoring.reference import Reference, measure_reference

MAX_DECISIONS = 20_000
"""Decisions of the reference; of more, whole patients are drawn. Limits hardly narrow with more."""


def measure_monitoring(policy: Policy, cohort: Cohort, seed: int = 0) -> Reference:
    """The monitors of a policy that was fitted on the cohort's training split."""
    rng = np.random.default_rng([seed, 2])
    train, validation = (
        observe_decisions(policy, _sample(select_split(cohort, split), rng))
        for split in (TRAIN, VALIDATION)
    )
    return measure_reference(train, validation, titles_of(policy))


def titles_of(policy: Policy) -> dict[str, str]:
    """Name in words of each code and option of a policy."""
    profile = policy.profile
    names = {code: profile.name(row) for row, code in enumerate(profile.codes)}
    return names | {t.name: t.title for t in policy.formulary.treatments}


def observe_decisions(policy: Policy, cohort: Cohort) -> Observations:
    """What a cohort in the policy's encoding shows of each decision.

    An outcome counts in the month in which its window closes, even if it came early: otherwise the
    first months would hold only the outcomes that come early. Where the outcome is the right dose,
    effective means that the option put first was the right one.
    """
    codes = fact_codes(policy.profile)
    facts = read_facts(cohort.history, cohort.last_step, codes)
    time = np.zeros(len(cohort)) if cohort.time is None else cohort.time  # as of one month
    given, effective = cohort.treatment.astype(np.int64), cohort.effective.astype(np.float64)
    first, probability = _predictions(policy, cohort)
    judged = given
    if cohort.study.outcome.kind == "dose_class":
        judged, effective = first, np.where(given >= 0, first == given, np.nan)
    is_known = ~np.isnan(effective) & cohort.outcome_observed & (given >= 0)
    predicted = probability[np.arange(len(cohort)), np.maximum(judged, 0)]
    within = cohort.study.outcome.within_days
    # The outcome of a window without an end (a return) counts in the month of its decision.
    closed = month_of(time + (within if np.isfinite(within) else 0.0))
    return Observations(
        facts=tuple(policy.profile.codes[row] for row in codes),
        options=policy.formulary.names,
        patient=cohort.history.subject_id[cohort.subject].astype(np.int64),
        decided=month_of(time),
        followed=np.where(is_known, closed, UNKNOWN),
        recorded=facts.recorded,
        number=facts.number,
        given=given,
        first=first,
        predicted=np.where(judged >= 0, predicted, np.nan),
        effective=np.where(is_known, effective, np.nan),
    )


def month_of(days: np.ndarray) -> np.ndarray:
    """Calendar months, counted from January of year 0, of days since 1970-01-01."""
    since_1970 = np.floor(days).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return since_1970 + 12 * 1970


def _predictions(policy: Policy, cohort: Cohort) -> tuple[np.ndarray, np.ndarray]:
    """The option put first, and P(effective) of every option."""
    if not len(cohort):
        return np.zeros(0, np.int64), np.zeros((0, len(policy.formulary.treatments)))
    predictions = predict_cohort(policy, cohort)
    return predictions.probabilities.argmax(axis=1), predictions.effectiveness


def _sample(cohort: Cohort, rng: np.random.Generator) -> Cohort:
    if len(cohort) <= MAX_DECISIONS:
        return cohort
    subjects, row = np.unique(cohort.subject, return_inverse=True)
    order = rng.permutation(len(subjects))
    sizes = np.bincount(row)[order]
    chosen = order[np.cumsum(sizes) <= MAX_DECISIONS]
    return subset_decisions(cohort, np.isin(row, chosen))
