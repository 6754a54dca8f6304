"""How wrong the dose is, and how often a class is right, where the right dose is known."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float64

from posology.domain.cohort import Cohort
from posology.domain.policy import Policy
from posology.domain.recommendation.evidence import DoseEvidence, ProbabilityBin, RuleError
from posology.domain.recommendation.option import Estimate
from posology.evaluation.intervals import (
    Difference,
    Interval,
    bootstrap_means,
    clustered_wilson_interval,
    paired_difference,
    percentile_interval,
)
from posology.evaluation.table1.dose_error import true_dose
from posology.evaluation.table1.predictions import predict_cohort

MAX_BINS = 10
BIN_PATIENTS = 50
"""Fewest patients of a bin; our choice."""
_REPLICATES = 1000


def measure_dose_evidence(
    policy: Policy, rules: Mapping[str, Policy], validation: Cohort, rng: np.random.Generator
) -> DoseEvidence | None:
    """Evidence from decisions whose right dose is known; None without any."""
    truth = true_dose(validation)
    known = np.isfinite(truth)
    if known.sum() < BIN_PATIENTS:
        return None
    predicted = predict_cohort(policy, validation)
    subject = validation.subject[known].astype(np.int64)
    names = list(rules)
    doses = [predicted.dose, *(predict_cohort(rules[name], validation).dose for name in names)]
    errors = np.column_stack([np.abs(dose - truth)[known] for dose in doses])
    unit = validation.study.dose.unit if validation.study.dose else validation.study.outcome.unit
    calibration = calibrate_classes(
        predicted.effectiveness[known], validation.best_treatment[known], subject
    )
    if not np.isfinite(errors[:, 0]).all():
        return DoseEvidence(unit, len(np.unique(subject)), None, (), calibration)
    complete = np.array([bool(np.isfinite(column).all()) for column in errors.T])
    columns = errors[:, complete]
    draws = bootstrap_means(columns, subject, rng, _REPLICATES)
    means = columns.mean(axis=0)
    found = [name for name, is_known in zip(names, complete[1:], strict=True) if is_known]
    return DoseEvidence(
        unit=unit,
        patients=len(np.unique(subject)),
        error=_estimate(percentile_interval(float(means[0]), draws[:, 0])),
        rules=tuple(
            RuleError(
                name,
                _estimate(percentile_interval(float(means[at]), draws[:, at])),
                _estimate(
                    paired_difference(float(means[0] - means[at]), draws[:, 0], draws[:, at])
                ),
            )
            for at, name in enumerate(found, start=1)
        ),
        calibration=calibration,
    )


def calibrate_classes(
    probability: Float64[np.ndarray, "decision treatment"],
    right: np.ndarray,
    subject: np.ndarray,
) -> tuple[ProbabilityBin, ...]:
    """Share of right classes by predicted probability, every class of every decision counted.

    In as many bins as have enough patients; none where that is one, which holds every class alike.
    """
    options = probability.shape[1]
    is_right = (right[:, None] == np.arange(options)).ravel()
    predicted, owner = probability.ravel(), np.repeat(subject, options)
    bins = []
    for at in _bins(predicted, owner):
        low, high = clustered_wilson_interval(is_right[at], owner[at])
        share = Estimate(100.0 * float(is_right[at].mean()), 100.0 * low, 100.0 * high)
        bins.append(ProbabilityBin(float(predicted[at].mean()), share, len(np.unique(owner[at]))))
    return tuple(bins)


def _bins(predicted: np.ndarray, owner: np.ndarray) -> list[Bool[np.ndarray, " class"]]:
    """Masks by rising probability, each of BIN_PATIENTS or more."""
    for count in range(MAX_BINS, 1, -1):
        edges = np.quantile(predicted, np.arange(1, count) / count)
        row = np.searchsorted(edges, predicted, side="right")
        bins = [row == b for b in np.unique(row)]
        if len(bins) > 1 and all(len(np.unique(owner[at])) >= BIN_PATIENTS for at in bins):
            return bins
    return []


def _estimate(found: Interval | Difference) -> Estimate:
    return Estimate(found.value, found.low, found.high)
