"""Evaluation of predicted benefit: ranking, calibration, decision curve, harms.

`predicted` is the predicted effect of one option against another, `benefit` the difference of their
doubly robust scores (causal/doubly_robust_scores.py), of patients from whom the model was not
learned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Column, Mask, Trial
from posology.evaluation.effects.policy_values import (
    ChosenOption,
    ReferenceOption,
    gain_per_patient,
    option_scores,
)
from posology.evaluation.intervals import (
    REPLICATES,
    Difference,
    Interval,
    Scores,
    Subjects,
    Weights,
    bootstrap_interval,
    bootstrap_means,
    bootstrap_replicates,
    percentile_interval,
    widened_difference,
)

CALIBRATION_GROUPS = 5
MAX_PAIRS = 1000
"""Largest number of matched pairs for the c-for-benefit, which compares all pairs; our choice."""


@dataclass(frozen=True, slots=True)
class RankWeightedEffects:
    """Rank-weighted average treatment effects (Yadlowsky 2025, doi:10.1080/01621459.2024.2393466).

    0 if the ranking is no better than chance.
    """

    autoc: Interval
    qini: Interval


@dataclass(frozen=True, slots=True)
class BenefitGroup:
    """Predicted and observed mean benefit of patients with similar predicted benefit."""

    predicted: float
    observed: Interval
    n: int


@dataclass(frozen=True, slots=True)
class BenefitCalibration:
    """Calibration of predicted benefit: slope 1 and calibration in the large 0 are perfect."""

    groups: tuple[BenefitGroup, ...]
    slope: Interval
    calibration_in_the_large: Interval
    """Mean observed benefit minus mean predicted benefit."""
    p: float
    """Of the test that calibration holds, up to a constant, over the whole range of predictions."""


@dataclass(frozen=True, slots=True)
class NetBenefit:
    """Benefit minus `threshold` per treated patient: by the model, and if all were treated."""

    threshold: float
    model: Interval
    treat_all: Interval
    treated_share: float


@dataclass(frozen=True, slots=True)
class SecondaryOutcome:
    """Another outcome under the rule and under the best single option, such as an adverse event."""

    outcome: str
    rule: float
    best_single: float
    difference: Difference


def rank_weighted_effects(
    predicted: Column, benefit: Column, subject: Subjects, rng: np.random.Generator
) -> RankWeightedEffects:
    """AUTOC and Qini with intervals over subjects; equal predictions are ranked at random."""
    order = np.lexsort((rng.random(len(predicted)), -predicted))

    def areas(weights: Weights) -> Float64[np.ndarray, "replicate two"]:
        w = weights[:, order]
        total = w.sum(axis=1, keepdims=True)
        above = np.cumsum(w, axis=1)
        mean = (w @ benefit[order])[:, None] / total
        gain = np.cumsum(w * benefit[order], axis=1) / np.maximum(above, 1e-12) - mean
        autoc = (w * gain).sum(axis=1) / total[:, 0]
        qini = (w * gain * above).sum(axis=1) / total[:, 0] ** 2
        return np.column_stack([autoc, qini])

    value = areas(np.ones((1, len(predicted))))[0]
    draws = bootstrap_replicates(areas, subject, rng)
    return RankWeightedEffects(*(percentile_interval(float(value[i]), draws[:, i]) for i in (0, 1)))


def calibrate_benefit(
    predicted: Column, benefit: Column, subject: Subjects, rng: np.random.Generator
) -> BenefitCalibration:
    """Mean benefit in groups of equal size, and the regression of benefit on predicted benefit."""
    groups = []
    for rows in np.array_split(np.argsort(predicted, kind="stable"), CALIBRATION_GROUPS):
        draws = bootstrap_means(benefit[rows, None], subject[rows], rng)[:, 0]
        observed = percentile_interval(float(benefit[rows].mean()), draws)
        groups.append(BenefitGroup(float(predicted[rows].mean()), observed, len(rows)))

    def line(weights: Weights) -> Float64[np.ndarray, "replicate two"]:
        total = weights.sum(axis=1)
        x, y = weights @ predicted / total, weights @ benefit / total
        variance = weights @ predicted**2 / total - x**2
        covariance = weights @ (predicted * benefit) / total - x * y
        undefined = np.full(len(total), np.nan)
        slope = np.divide(covariance, variance, out=undefined, where=variance > 1e-12)
        return np.column_stack([slope, y - x])

    value, draws = line(np.ones((1, len(predicted))))[0], bootstrap_replicates(line, subject, rng)
    slope, in_the_large = (percentile_interval(float(value[i]), draws[:, i]) for i in (0, 1))
    p = cumulative_sum_test(predicted, benefit, subject, rng)
    return BenefitCalibration(tuple(groups), slope, in_the_large, p)


def cumulative_sum_test(
    predicted: Column, benefit: Column, subject: Subjects, rng: np.random.Generator
) -> float:
    """p of the largest cumulative sum of calibration errors, ordered by prediction.

    Under calibration the sum is a Brownian bridge (as in arXiv:2512.08140). Here its null
    distribution comes from random signs per subject, so that a subject's decisions count once.
    """
    order = np.argsort(predicted, kind="stable")
    error = (benefit - predicted)[order]
    row = np.unique(subject[order], return_inverse=True)[1]
    error = error - error.mean()
    observed, larger = np.abs(np.cumsum(error)).max(), 0
    for _ in range(REPLICATES // 4):
        drawn = error * rng.choice((-1.0, 1.0), row.max() + 1)[row]
        larger += np.abs(np.cumsum(drawn - drawn.mean())).max() >= observed
    return float((1 + larger) / (1 + REPLICATES // 4))


def c_for_benefit(
    trial: Trial, predicted: Column, option: int, comparator: int, rng: np.random.Generator
) -> Interval:
    """Concordance of predicted and observed benefit in matched pairs; a secondary measure.

    van Klaveren 2018 (doi:10.1016/j.jclinepi.2017.10.021): pairs of patients given either option,
    matched by predicted benefit. It is no proper score (Xia 2023, doi:10.1002/sim.9821) and valid
    only in randomised trials. The interval resamples pairs.
    """
    first, second = (np.flatnonzero(trial.treatment == k) for k in (option, comparator))
    size = min(len(first), len(second), MAX_PAIRS)
    pairs = [rng.choice(rows, size, replace=False) for rows in (first, second)]
    pairs = [rows[np.argsort(predicted[rows], kind="stable")] for rows in pairs]
    of_pair = predicted[np.stack(pairs)].mean(axis=0)
    observed = trial.outcome[pairs[0]] - trial.outcome[pairs[1]]
    higher = np.sign(observed[:, None] - observed[None, :])
    predicted_higher = np.sign(of_pair[:, None] - of_pair[None, :])
    is_correct = np.where(predicted_higher == 0, 0.5, predicted_higher == higher)
    is_comparable = (higher != 0).astype(np.float64)
    concordant = is_correct * is_comparable

    def concordance(weights: Weights) -> Scores:
        comparable = ((weights @ is_comparable) * weights).sum(axis=1)
        return ((weights @ concordant) * weights).sum(axis=1) / comparable

    return bootstrap_interval(concordance, np.arange(size), rng, REPLICATES // 10)


def decision_curve(
    predicted: Column,
    benefit: Column,
    thresholds: Sequence[float],
    subject: Subjects,
    rng: np.random.Generator,
) -> tuple[NetBenefit, ...]:
    """Net benefit of treating the patients whose predicted benefit exceeds a threshold.

    Vickers, Kattan and Sargent 2007 (doi:10.1186/1745-6215-8-14); the threshold is the
    smallest benefit that justifies the burden of treatment.
    """
    treat = predicted[:, None] > np.asarray(thresholds)
    net = benefit[:, None] - np.asarray(thresholds)
    columns = np.hstack([treat * net, net])
    value, draws = columns.mean(axis=0), bootstrap_means(columns, subject, rng)
    size = len(thresholds)
    intervals = [percentile_interval(float(value[i]), draws[:, i]) for i in range(2 * size)]
    return tuple(
        NetBenefit(float(t), intervals[i], intervals[size + i], float(treat[:, i].mean()))
        for i, t in enumerate(thresholds)
    )


def secondary_outcomes(
    outcomes: Mapping[str, Nuisance],
    chosen: ChosenOption,
    best_single: ReferenceOption,
    rng: np.random.Generator,
    population: Mask | None = None,
    error_factor: float = 1.0,
) -> tuple[SecondaryOutcome, ...]:
    """Harms and costs under the rule and under the best single option.

    `error_factor` multiplies the standard errors, for noise that the folds of a cross-fitted rule
    share (shared_noise.py): other outcomes may share as much of it as the main one.
    """
    rows = []
    for outcome, nuisance in outcomes.items():
        scores = nuisance.scores
        included = np.ones(len(scores), dtype=bool) if population is None else population
        per_patient = gain_per_patient(scores, chosen, best_single)[included]
        draws = bootstrap_means(per_patient[:, None], nuisance.trial.subject[included], rng)[:, 0]
        value = float(option_scores(scores, best_single)[included].mean())
        change = widened_difference(float(per_patient.mean()), draws, error_factor)
        rows.append(SecondaryOutcome(outcome, value + change.value, value, change))
    return tuple(rows)
