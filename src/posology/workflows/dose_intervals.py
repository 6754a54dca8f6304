"""The interval around a recommended dose: its width from validation, its coverage in the test."""

import numpy as np

from posology.domain.cohort import Cohort
from posology.domain.dose_interval import interval_coverage, interval_half_width
from posology.domain.policy import Policy
from posology.evaluation.table1.dose_error import true_dose
from posology.evaluation.table1.predictions import predict_cohort
from posology.workflows.results import Row


def measure_dose_spread(policy: Policy, validation: Cohort) -> dict[str, float]:
    """`{"dose_spread": ...}` for a policy's evidence; empty where no right dose is known."""
    if validation.study.dose is None:
        return {}
    predicted = predict_cohort(policy, validation).dose
    spread = interval_half_width(predicted, true_dose(validation))
    return {} if spread is None else {"dose_spread": spread}


def dose_coverage_rows(predicted: np.ndarray, test: Cohort, spread: float | None) -> list[Row]:
    """Share of right doses inside the interval, as a row; nine in ten are expected."""
    right = true_dose(test)
    known = int(((predicted >= 0) & (right >= 0)).sum())
    if spread is None or not known:
        return []
    names = {"study": test.study.name, "model": "posology", "split": "test"}
    value = interval_coverage(predicted, right, spread)
    error = 1.96 * np.sqrt(value * (1 - value) / known)
    interval = {"value": value, "low": value - error, "high": value + error, "n": known}
    return [names | {"metric": "dose_in_interval"} | interval]
