"""Measure how sure a policy's answers are, on patients that it did not learn from."""

import numpy as np

from posology.advice.uncertainty.alike import fit_patients_alike
from posology.advice.uncertainty.distance import fit_distance
from posology.advice.uncertainty.dose_intervals import (
    DoseBand,
    DoseIntervals,
    band_of,
    dose_intervals,
    fit_dose_intervals,
)
from posology.advice.uncertainty.evidence import UncertaintyEvidence
from posology.advice.uncertainty.number_pairs import fit_number_pairs
from posology.advice.uncertainty.option_sets import fit_option_sets
from posology.advice.uncertainty.predictions import dose_bands, dose_predictions
from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split, subset_decisions
from posology.domain.policy import Policy
from posology.evaluation.intervals import wilson_interval
from posology.evaluation.table1.dose_error import true_dose
from posology.evaluation.table1.predictions import Predictions, predict_cohort
from posology.workflows.results import Row, finite_or_none


def measure_uncertainty(policy: Policy, cohort: Cohort, seed: int = 0) -> UncertaintyEvidence:
    """The evidence `uncertainty` of a policy fitted on the cohort's training split.

    Intervals and sets are calibrated on the validation split, counts of patients alike are of
    training and validation, the distance is from training. The test split is not used.
    """
    train, validation = select_split(cohort, TRAIN), select_split(cohort, VALIDATION)
    learned = subset_decisions(cohort, np.isin(cohort.split, (TRAIN, VALIDATION)))
    rng = np.random.default_rng(seed)
    predicted = predict_cohort(policy, validation) if len(validation) else None
    return UncertaintyEvidence(
        dose=None if predicted is None else calibrate_doses(predicted, validation),
        options=None
        if predicted is None
        else fit_option_sets(predicted.effectiveness, validation.best_treatment.astype(np.int64)),
        alike=fit_patients_alike(learned, cohort.study.advice.needed_alike, rng),
        distance=fit_distance(train, rng) if len(train) else None,
        number_pairs=fit_number_pairs(train, rng) if len(train) else None,
    )


def calibrate_doses(predicted: Predictions, validation: Cohort) -> DoseIntervals | None:
    """Both intervals of the single dose; None where the study has none or none is known."""
    study = validation.study
    if study.dose is None:
        return None
    at = (validation.history, validation.last_step)
    predictions = dose_predictions(
        study, validation.profile, at, predicted.dose, predicted.effectiveness
    )
    return fit_dose_intervals(predictions, true_dose(validation), dose_bands(study))


def coverage_rows(
    predicted: Predictions, test: Cohort, intervals: DoseIntervals | None
) -> list[Row]:
    """Share of right doses inside each interval, over all and by band, and the median widths."""
    right = true_dose(test)
    known = (predicted.dose > 0) & (right > 0)
    if intervals is None or not known.any():
        return []
    at = (test.history, test.last_step)
    predictions = dose_predictions(
        test.study, test.profile, at, predicted.dose, predicted.effectiveness
    )
    found = dose_intervals(intervals, predictions)
    band = band_of(right, intervals.bands)
    rows = []
    for name, low, high in (
        ("plan_for", found.plan_low, found.plan_high),
        ("ready_for", found.ready_low, found.ready_high),
    ):
        inside = (low <= right) & (right <= high)
        for number in range(-1, len(intervals.bands)):
            here = known if number < 0 else known & (band == number)
            group = "all" if number < 0 else _band_title(intervals.bands[number])
            rows.append(_share_row(test, f"dose_in_{name}", group, inside[here]))
        width = {"metric": f"width_{name}", "group": "all", "n": int(known.sum())}
        rows.append(_names(test) | width | {"value": float(np.median((high - low)[known]))})
    return rows


def _share_row(test: Cohort, metric: str, group: str, inside: np.ndarray) -> Row:
    n = len(inside)
    low, high = wilson_interval(int(inside.sum()), n) if n else (np.nan, np.nan)
    value = float(inside.mean()) if n else np.nan
    return _names(test) | {
        "metric": metric,
        "group": group,
        "value": finite_or_none(value),
        "low": finite_or_none(low),
        "high": finite_or_none(high),
        "n": n,
    }


def _names(test: Cohort) -> Row:
    return {"study": test.study.name, "model": "posology", "split": "test"}


def _band_title(band: DoseBand) -> str:
    return f"right dose {band.low:.3g} to {band.high:.3g}"
