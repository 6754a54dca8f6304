"""What describes a decision's state in plain columns: the recent past, and how much has passed."""

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.domain.cohort import Cohort
from posology.learners.features.recent_window import (
    RecentWindowSpec,
    build_recent_rows,
    fit_recent_window,
)
from posology.learners.features.treatments_given import treatment_of_code

LAGS, CODE_STEPS = 3, 4
"""Last values of a code, and last steps whose codes are seen: two decisions and treatments. Where a
state is one code, only the last step is (docs/decisions/trajectory-gain.md)."""
MAX_COLUMNS = 40
"""Above so many columns, the directions in which decisions differ most. Our choice."""
MIN_SPREAD = 0.05
"""Columns of a smaller standard deviation, such as codes of one patient in 400, are left out."""
State = Float64[np.ndarray, "decision feature"]
Path = Float64[np.ndarray, "decision path_feature"]


def care_states(cohort: Cohort) -> tuple[State, Path | None]:
    """Each decision's visible past without what was given, and with it.

    Standardised columns, the first one constant: values and their squares, codes of the last steps,
    and the number of earlier decisions. The second is None where treatments are no events of the
    last steps, or where the state is one code.
    """
    spec = fit_recent_window(cohort, LAGS, 1 if has_one_code(cohort) else CODE_STEPS)
    rows = build_recent_rows(spec, cohort.history, cohort.last_step)
    values = rows.values.astype(np.float64)
    codes = np.zeros((len(cohort), spec.columns))
    codes[np.repeat(np.arange(len(cohort)), np.diff(rows.offsets)), rows.column] = 1.0
    number = earlier_decisions(cohort)[:, None].astype(np.float64)
    columns = np.hstack([values, values**2, codes, number, number**2, np.exp(-number)])
    given = _treatment_columns(cohort, spec)
    given = np.concatenate([given, np.zeros(columns.shape[1] - len(given), dtype=bool)])
    state = _standardise(columns[:, ~given])
    return state, _standardise(columns) if columns[:, given].any() else None


def _treatment_columns(cohort: Cohort, spec: RecentWindowSpec) -> Bool[np.ndarray, " column"]:
    """Which columns of values, of squares and of codes record a treatment."""
    is_given = treatment_of_code(cohort) >= 0
    of_values = is_given[spec.value_code]
    of_codes = np.tile(is_given[spec.flag_code], spec.code_steps + 1)
    return np.concatenate([of_values, of_values, of_codes])


def _standardise(columns: Float64[np.ndarray, "decision column"]) -> State:
    kept = columns[:, columns.std(axis=0) > MIN_SPREAD]
    scores = (kept - kept.mean(axis=0)) / kept.std(axis=0)
    if scores.shape[1] > MAX_COLUMNS:
        _, directions = np.linalg.eigh(scores.T @ scores)
        scores = scores @ directions[:, -MAX_COLUMNS:]
        scores = scores / scores.std(axis=0)
    return np.hstack([np.ones((len(columns), 1)), scores])


def has_one_code(cohort: Cohort) -> bool:
    """Whether the last step of every decision is one code without a number: a state."""
    first = cohort.history.event_offsets[cohort.last_step]
    alone = cohort.history.event_offsets[cohort.last_step + 1] - first == 1
    return bool(alone.all() and np.isnan(cohort.history.value[first]).all())


def earlier_decisions(cohort: Cohort) -> Int64[np.ndarray, " decision"]:
    """How many decisions of the same patient came before each."""
    first = np.append(True, cohort.subject[1:] != cohort.subject[:-1])[: len(cohort)]
    start = np.flatnonzero(first)
    return np.arange(len(cohort)) - np.repeat(start, np.diff(np.append(start, len(cohort))))
