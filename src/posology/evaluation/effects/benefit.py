"""Whether those said to benefit most do: ranking, calibration, decision curve, harms.

`predicted` is what the model says one option adds to another, `benefit` the difference of their
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
    paired_difference,
    percentile_interval,
)

CALIBRATION_GROUPS = 5
MAX_PAIRS = 1000
"""Of patients matched for the c-for-benefit: every pair is held against every other; our choice."""


@dataclass(frozen=True, slots=True)
class RankWeightedEffects:
    """Rank-weighted average treatment effects (Yadlowsky 2025, doi:10.1080/01621459.2024.2393466).

    0 where the ranking is no better than chance.
    """

    autoc: Interval
    qini: Interval


@dataclass(frozen=True, slots=True)
class BenefitGroup:
    """Patients of alike predicted benefit, and what they did benefit."""

    predicted: float
    observed: Interval
    n: int


@dataclass(frozen=True, slots=True)
class BenefitCalibration:
    """Slope 1 and level 0 are perfect; slope 0 says that predictions tell nothing."""

    groups: tuple[BenefitGroup, ...]
    slope: Interval
    calibration_in_the_large: Interval
    """What was seen beyond what was said, on average."""
    p: float
    """That what was seen follows what was said, but for the level, along the whole range."""


@dataclass(frozen=True, slots=True)
class NetBenefit:
    """Benefit less `threshold` for each patient treated: by the model, and if all were treated."""

    threshold: float
    model: Interval
    treat_all: Interval
    treated_share: float


@dataclass(frozen=True, slots=True)
class SecondaryOutcome:
    """Another outcome of the same rule, such as an adverse event."""

    outcome: str
    rule: float
    single: float
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
        top = np.cumsum(w * benefit[order], axis=1) / np.maximum(above, 1e-12) - mean
        return np.column_stack([
            (w * top).sum(axis=1) / total[:, 0],
            (w * top * above).sum(axis=1) / total[:, 0] ** 2,
        ])  # fmt: skip

    value = areas(np.ones((1, len(predicted))))[0]
    draws = bootstrap_replicates(areas, subject, rng)
    return RankWeightedEffects(*(percentile_interval(float(value[i]), draws[:, i]) for i in (0, 1)))


def calibrate_benefit(
    predicted: Column, benefit: Column, subject: Subjects, rng: np.random.Generator
) -> BenefitCalibration:
    """Groups of equal size, and the line of doubly robust benefit on predicted benefit."""
    groups = []
    for rows in np.array_split(np.argsort(predicted, kind="stable"), CALIBRATION_GROUPS):
        draws = bootstrap_means(benefit[rows, None], subject[rows], rng)[:, 0]
        observed = percentile_interval(float(benefit[rows].mean()), draws)
        groups.append(BenefitGroup(float(predicted[rows].mean()), observed, len(rows)))

    def line(weights: Weights) -> Float64[np.ndarray, "replicate two"]:
        total = weights.sum(axis=1)
        x, y = weights @ predicted / total, weights @ benefit / total
        square = weights @ predicted**2 / total - x**2
        shared = weights @ (predicted * benefit) / total - x * y
        slope = np.divide(shared, square, out=np.full(len(total), np.nan), where=square > 1e-12)
        return np.column_stack([slope, y - x])

    value, draws = line(np.ones((1, len(predicted))))[0], bootstrap_replicates(line, subject, rng)
    slope, level = (percentile_interval(float(value[i]), draws[:, i]) for i in (0, 1))
    return BenefitCalibration(
        tuple(groups), slope, level, _bridge(predicted, benefit, subject, rng)
    )


def _bridge(
    predicted: Column, benefit: Column, subject: Subjects, rng: np.random.Generator
) -> float:
    """p of the largest cumulative sum of what was seen beyond what was said, ordered by what was
    said: a Brownian bridge where both agree (as in arXiv:2512.08140), here by resampled signs of
    subjects, so that several decisions of one count once."""
    off = (benefit - predicted)[np.argsort(predicted, kind="stable")]
    row = np.unique(subject[np.argsort(predicted, kind="stable")], return_inverse=True)[1]
    off = off - off.mean()
    seen, larger = np.abs(np.cumsum(off)).max(), 0
    for _ in range(REPLICATES // 4):
        drawn = off * rng.choice((-1.0, 1.0), row.max() + 1)[row]
        larger += np.abs(np.cumsum(drawn - drawn.mean())).max() >= seen
    return float((1 + larger) / (1 + REPLICATES // 4))


def c_for_benefit(
    trial: Trial, predicted: Column, option: int, comparator: int, rng: np.random.Generator
) -> Interval:
    """Concordance of predicted and observed benefit in matched pairs; secondary, never alone.

    van Klaveren 2018 (doi:10.1016/j.jclinepi.2017.10.021): pairs of patients given either option,
    matched by predicted benefit. It is no proper score (Xia 2023, doi:10.1002/sim.9821) and holds
    only where treatment was randomised. The interval resamples pairs.
    """
    first, second = (np.flatnonzero(trial.treatment == k) for k in (option, comparator))
    size = min(len(first), len(second), MAX_PAIRS)
    pairs = [rng.choice(rows, size, replace=False) for rows in (first, second)]
    pairs = [rows[np.argsort(predicted[rows], kind="stable")] for rows in pairs]
    said = predicted[np.stack(pairs)].mean(axis=0)
    seen = trial.outcome[pairs[0]] - trial.outcome[pairs[1]]
    higher = np.sign(seen[:, None] - seen[None, :])
    right = np.where(said[:, None] == said[None, :], 0.5,
                     np.sign(said[:, None] - said[None, :]) == higher)  # fmt: skip
    told = (higher != 0).astype(np.float64)
    agree = right * told

    def concordance(weights: Weights) -> Scores:
        return ((weights @ agree) * weights).sum(axis=1) / ((weights @ told) * weights).sum(axis=1)

    return bootstrap_interval(concordance, np.arange(size), rng, REPLICATES // 10)


def decision_curve(
    predicted: Column,
    benefit: Column,
    thresholds: Sequence[float],
    subject: Subjects,
    rng: np.random.Generator,
) -> tuple[NetBenefit, ...]:
    """Net benefit of treating whom the model says gains more than a threshold.

    Vickers, Kattan and Sargent 2007 (doi:10.1186/1745-6215-8-14); the threshold is the benefit
    that treatment must bring to be worth its burden.
    """
    treat = predicted[:, None] > np.asarray(thresholds)
    net = benefit[:, None] - np.asarray(thresholds)
    columns = np.hstack([treat * net, net])
    value, draws = columns.mean(axis=0), bootstrap_means(columns, subject, rng)
    size = len(thresholds)
    spans = [percentile_interval(float(value[i]), draws[:, i]) for i in range(2 * size)]
    return tuple(
        NetBenefit(float(t), spans[i], spans[size + i], float(treat[:, i].mean()))
        for i, t in enumerate(thresholds)
    )


def number_needed_to_treat(gained: Difference) -> Interval:
    """Patients to be treated by the rule for one more good outcome; of 0 or 1 outcomes only.

    The limits are those of the gain, inverted: infinite where the gain may be nothing.
    """

    def inverted(share: float) -> float:
        return 1 / share if share > 0 else float("inf")

    return Interval(inverted(gained.value), inverted(gained.high), inverted(gained.low))


def secondary_outcomes(
    outcomes: Mapping[str, Nuisance],
    chosen: ChosenOption,
    single: ReferenceOption,
    rng: np.random.Generator,
    population: Mask | None = None,
) -> tuple[SecondaryOutcome, ...]:
    """Harms and costs of the rule, beside its benefit: each outcome has scores of its own."""
    rows = []
    kept = np.ones(len(chosen), dtype=bool) if population is None else population
    for outcome, nuisance in outcomes.items():
        scores = nuisance.scores
        per_patient = gain_per_patient(scores, chosen, single)[kept]
        draws = bootstrap_means(per_patient[:, None], nuisance.trial.subject[kept], rng)[:, 0]
        value = float(scores[np.arange(len(chosen)), single][kept].mean())
        change = paired_difference(float(per_patient.mean()), draws, np.zeros(len(draws)))
        rows.append(SecondaryOutcome(outcome, value + change.value, value, change))
    return tuple(rows)
