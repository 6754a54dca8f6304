"""Inverse probability of censoring weights: each observed outcome stands for those lost like it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8

from posology.cohorts.decisions.decision_table import DecisionTable
from posology.domain.cohort import CENSORED, OUTCOME, TRAIN, WINDOW_END
from posology.domain.scaling import mean_and_std
from posology.domain.statistics.logistic_regression import fit_ridge_logistic
from posology.domain.statistics.survival import SurvivalModel, fit_survival, survival_before
from posology.domain.study import Study

_RIDGE, _MAX_STEPS, _MAX_DECISIONS = 1e-3, 25, 200_000
"""Penalty per decision, Newton steps, and decisions to fit on. Our choice."""
_LEAST, _TRUNCATE = 0.01, 0.99
"""Smallest probability of staying, and the quantile of the training weights at which weights are
truncated (Cole and Hernan 2008, doi:10.1093/aje/kwn164)."""
_MUCH = 0.05
"""Share of the known that counts for nothing, from which on it is a warning. Our choice."""
_ROUNDING = 1e-6
"""Of weights, relative: those with the largest one are not beyond it."""


@dataclass(frozen=True, slots=True, eq=False)
class ObservedWeights:
    """Weights of the observed outcomes; None where every one is observed."""

    outcome: Float32[np.ndarray, " decision"] | None
    reward: Float32[np.ndarray, " decision"] | None
    diagnosis: Float32[np.ndarray, "decision condition"] | None


@dataclass(frozen=True, slots=True, eq=False)
class _Predictors:
    """What explains who stays: the option, and covariates (standardised; none may be missing)."""

    option: np.ndarray
    X: Float64[np.ndarray, "decision covariate"]
    is_train: Bool[np.ndarray, " decision"]
    """The decisions to fit on."""
    since_first: Float64[np.ndarray, " decision"]
    """Days since the patient's first decision."""


def weigh_observed(decisions: DecisionTable, study: Study) -> ObservedWeights:
    """Delta / G(T*- | option, covariates) of the outcome, the reward and every diagnosis.

    T* is when the outcome was settled, Delta whether follow-up reached it, G(t-) the probability of
    still being followed (Robins and Rotnitzky 1992). The weighted mean of what was observed is that
    of all decisions, if leaving depends on the option and the covariates alone: the number of
    earlier decisions and the study's `weighted_by`.
    """
    predictors = _predictors(decisions, len(study.formulary.treatments))
    settled = (decisions.resolved_days, decisions.resolved_by)
    measured, reward = 1.0, None
    is_numeric = study.outcome.kind in ("value_in_range", "change")
    if is_numeric and (decisions.resolved_by[predictors.is_train] == WINDOW_END).any():
        measured = _measured(settled, predictors, study.outcome.from_days)
    # A number may be known from this day on, the absence of an event at the window's end only.
    least = study.outcome.from_days if is_numeric else study.outcome.within_days
    outcome = _weights(settled, decisions.outcome_observed, predictors, least, measured)
    if study.reward.costs:
        known = ~np.isnan(decisions.reward)
        least = max(least, *(cost.within_days for cost in study.reward.costs))
        reward = _weights(_reward_settled(decisions), known, predictors, least, measured)
    columns = [
        _weights(
            (decisions.diagnosis_days[:, c], decisions.diagnosis_resolved_by[:, c]),
            ~np.isnan(decisions.diagnosis[:, c]),
            predictors,
            target.within_days,
        )
        for c, target in enumerate(study.diagnosis)
    ]
    ones = np.ones(len(decisions), np.float32)
    filled = [ones if column is None else column for column in columns]
    return ObservedWeights(
        None if study.outcome.kind == "dose_class" else outcome,
        reward,
        np.stack(filled, axis=1) if any(c is not None for c in columns) else None,
    )


def reach_warnings(study: Study, decisions: DecisionTable) -> tuple[str, ...]:
    """A warning of the outcome and each diagnosis of which much that is known counts for nothing.

    Such decisions have weight 0: the end of their window is out of reach.
    """
    weights = weigh_observed(decisions, study)
    by, known = decisions.resolved_by, decisions.outcome_observed
    found = [("the outcome", known, by, weights.outcome, study.outcome)]
    for c, target in enumerate(study.diagnosis):
        column = None if weights.diagnosis is None else weights.diagnosis[:, c]
        known, by = ~np.isnan(decisions.diagnosis[:, c]), decisions.diagnosis_resolved_by[:, c]
        found.append((target.name, known, by, column, target))
    texts = []
    for name, known, by, weight, target in found:
        # Of options of which nobody is followed to the end, follow_up_rule.py warns.
        ends = np.isin(decisions.treatment, np.unique(decisions.treatment[by == WINDOW_END]))
        lost = 0 if weight is None else int((known & ends & (weight == 0)).sum())
        if lost > _MUCH * known.sum():
            texts.append(
                f"{name}: {lost:,} of the {known.sum():,} decisions of which it is known count for "
                "nothing. So late in the records hardly anybody was followed for "
                f"{target.within_days:g} days, and only what happened early is known. "
                "Ingest longer records, or shorten `within_days`."
            )
    return tuple(texts)


_Settled = tuple[Float32[np.ndarray, " decision"], Int8[np.ndarray, " decision"]]
"""Days to what settled the outcome, and what it was."""


def _reward_settled(decisions: DecisionTable) -> _Settled:
    """The reward is settled when both outcome and costs are; censored when the first of them is."""
    outcome, cost = decisions.resolved_by != CENSORED, decisions.cost_resolved_by != CENSORED
    both = np.maximum(decisions.resolved_days, decisions.cost_days)
    days = np.select([~outcome, ~cost], [decisions.resolved_days, decisions.cost_days], both)
    by = np.where(outcome & cost, decisions.resolved_by, CENSORED)
    return days.astype(np.float32), by.astype(np.int8)


def _weights(
    settled: _Settled,
    observed: Bool[np.ndarray, " decision"],
    predictors: _Predictors,
    least_days: float,
    measured: Float64[np.ndarray, " decision"] | float = 1.0,
) -> Float32[np.ndarray, " decision"] | None:
    """The weights of one outcome.

    An event is known as soon as it occurs, its absence only at the window's end. Where hardly
    anybody is followed to the end (a patient's last year, where records cover five), nearly all
    that is known are events. A model that sees how long a patient has been observed would learn
    that, and not the risk. So the time scale of leaving is days since the first decision, which
    each decision enters late (left truncation); and decisions out of reach of the end have weight
    0, whatever was seen (`_in_reach`).

    Args:
        settled: when the outcome was settled, and by what.
        observed: whether it is known.
        predictors: of leaving.
        least_days: days from a decision after which a good and a bad outcome can both be known.
        measured: factor of each for numbers that were not measured.
    """
    if observed.all():
        return None
    days, by = settled[0].astype(np.float64), settled[1]
    (staying,) = _staying(predictors, days, by == CENSORED, (days,))
    weight = observed * measured / np.maximum(staying, _LEAST)
    weight = np.minimum(weight, _limit(weight, observed, predictors))
    reached = _in_reach(predictors, days, by == CENSORED, observed, least_days)
    return np.where(reached, weight, 0.0).astype(np.float32)


def _staying(
    predictors: _Predictors,
    days: Float64[np.ndarray, " decision"],
    is_left: Bool[np.ndarray, " decision"],
    untils: Sequence[Float64[np.ndarray, " decision"] | float],
) -> list[Float64[np.ndarray, " decision"]]:
    """P(followed for `until` days) of each, by one model on the clock of days since the patient's
    first decision.

    days: until follow-up ended, or the outcome was settled.
    """
    entry, rows = predictors.since_first, np.flatnonzero(predictors.is_train)
    option, X = predictors.option, predictors.X
    exits = entry + days
    model = fit_survival(exits[rows], is_left[rows], option[rows], X[rows], _RIDGE, entry[rows])
    return [survival_before(model, entry + until, option, X, entry) for until in untils]


def _in_reach(
    predictors: _Predictors,
    days: Float64[np.ndarray, " decision"],
    is_left: Bool[np.ndarray, " decision"],
    observed: Bool[np.ndarray, " decision"],
    least_days: float,
) -> Bool[np.ndarray, " decision"]:
    """Whether a decision's end could be reached: some of its option at its time do reach it.

    False where one that is followed so long would have a weight beyond nearly all of the option
    (Crump et al. 2009, doi:10.1093/biomet/asn055, on such overlap). Only time and option count, not
    who leaves: those with covariates of many who leave have large weights, and stay.
    """
    clock = replace(predictors, X=predictors.X[:, :0])
    seen, least = (
        np.maximum(staying, _LEAST)
        for staying in _staying(clock, days, is_left, (days, least_days))
    )
    reached = np.ones(len(days), dtype=bool)
    for k in np.unique(predictors.option):
        mine = predictors.option == k
        limit = _limit(1 / seen, observed & mine, predictors)
        reached[mine] = 1 / least[mine] <= limit * (1 + _ROUNDING)
    return reached


def _limit(
    weight: Float64[np.ndarray, " decision"],
    observed: Bool[np.ndarray, " decision"],
    predictors: _Predictors,
) -> float:
    """The largest weight."""
    usual = weight[predictors.is_train & observed]
    return float(np.quantile(usual, _TRUNCATE)) if len(usual) else np.inf


def _fit_free(
    days: Float64[np.ndarray, " decision"],
    is_event: Bool[np.ndarray, " decision"],
    predictors: _Predictors,
) -> SurvivalModel:
    """Cox's model of the time to an event, with one baseline an option."""
    rows, option = np.flatnonzero(predictors.is_train), predictors.option
    return fit_survival(days[rows], is_event[rows], option[rows], predictors.X[rows], _RIDGE)


def _probability_free(
    days: Float64[np.ndarray, " decision"],
    is_event: Bool[np.ndarray, " decision"],
    predictors: _Predictors,
) -> Float64[np.ndarray, " decision"]:
    """P(no event before `days`) of each decision."""
    model = _fit_free(days, is_event, predictors)
    return survival_before(model, days, predictors.option, predictors.X)


def _measured(
    settled: _Settled, predictors: _Predictors, opens: float
) -> Float64[np.ndarray, " decision"]:
    """Factor that makes the measured stand for those followed through the window unmeasured.

    opens: day from which numbers count.

    1 / P(measured) for a measured number. Who was stopped or died in the window would have been
    measured before that with probability F, and is less unlikely not to have been: (1 - F) /
    (1 - P F), F by Kaplan-Meier in each option.
    """
    days, by = settled[0].astype(np.float64), settled[1]
    is_value, is_gap = by == OUTCOME, by == WINDOW_END
    at_risk = is_value | is_gap
    fitted = np.flatnonzero(predictors.is_train & at_risk)
    removed = _probability_free(days, ~at_risk, predictors)
    columns = _dummies(predictors)
    weight = 1 / np.maximum(removed[fitted], _LEAST)
    penalty = np.full(columns.shape[1], _RIDGE) * len(fitted)
    y = is_value[fitted].astype(np.float64)
    beta = fit_ridge_logistic(columns[fitted], y, weight, penalty, _MAX_STEPS, 1e-8)
    probability = np.maximum(1 / (1 + np.exp(-np.clip(columns @ beta, -30, 30))), _LEAST)
    none = replace(predictors, X=predictors.X[:, :0])
    model = _fit_free(days, is_value, none)
    unmeasured, at_end = (
        survival_before(model, until, none.option, none.X)
        for until in (days, np.full(len(days), np.inf))
    )
    measured_by = np.clip((1 - unmeasured) / np.maximum(1 - at_end, 1e-9), 0, 1)
    factor = np.ones(len(days))
    factor[is_value] = 1 / probability[is_value]
    late = ~at_risk & (days > opens)
    late_factor = (1 - measured_by) / (1 - probability * measured_by + 1e-9)
    factor[late] = np.maximum(late_factor, _LEAST)[late]
    return factor


def _dummies(predictors: _Predictors) -> Float64[np.ndarray, "decision column"]:
    """One column an option, then the covariates."""
    options = np.arange(int(predictors.option.max(initial=0)) + 1)
    given = (predictors.option[:, None] == options).astype(np.float64)
    return np.concatenate([given, predictors.X], axis=1)


def _predictors(decisions: DecisionTable, options: int) -> _Predictors:
    train = np.flatnonzero(decisions.split == TRAIN)
    rows = train[:: 1 + len(train) // _MAX_DECISIONS]
    covariate = decisions.covariate.astype(np.float64)
    covariate = np.concatenate([covariate, np.log1p(_rank(decisions.subject_id))[:, None]], axis=1)
    is_known = (~np.isnan(covariate)).astype(np.float64)
    columns = np.concatenate([covariate, is_known], axis=1)
    columns = columns[:, [len(np.unique(c[rows])) > 1 for c in columns.T]]
    center, spread = mean_and_std(columns[rows])
    is_train = np.zeros(len(decisions), dtype=bool)
    is_train[rows] = True
    option = np.clip(decisions.treatment, 0, options - 1).astype(np.int64)
    is_first = np.append(True, decisions.subject_id[1:] != decisions.subject_id[:-1])
    first = np.maximum.accumulate(
        np.where(is_first[: len(decisions)], np.arange(len(decisions)), 0)
    )
    since_first = decisions.time - decisions.time[first]
    return _Predictors(option, np.nan_to_num((columns - center) / spread), is_train, since_first)


def _rank(subject_id: np.ndarray) -> Float64[np.ndarray, " decision"]:
    """Number of earlier decisions of the same subject."""
    is_new = np.ones(len(subject_id), dtype=bool)
    is_new[1:] = subject_id[1:] != subject_id[:-1]
    starts = np.flatnonzero(is_new)
    sizes = np.diff(np.append(starts, len(subject_id)))
    return (np.arange(len(subject_id)) - np.repeat(starts, sizes)).astype(np.float64)
