"""One row per decision from the recent past: last values of codes, and the codes of last steps."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32, Int8, Int32, Int64

from posology.domain.cohort import Cohort
from posology.domain.history import (
    History,
    StepIndex,
    offsets_from_counts,
    ragged_arange,
    subject_rows,
)
from posology.learners.features.last_values import (
    changes_within_subject,
    lagged_values,
    mean_and_spread,
    standard_scores,
)
from posology.learners.features.responses import ResponseSpec, build_responses, fit_responses
from posology.learners.features.treatments_given import earlier_treatments, treatment_of_code


@dataclass(frozen=True, slots=True, eq=False)
class RecentWindowSpec:
    """The values and codes of a row."""

    value_code: Int32[np.ndarray, " feature"]
    """Vocabulary row of the code in each value column."""
    lag: Int8[np.ndarray, " feature"]
    """0 for the code's last visible value, 1 for the one before, ..."""
    center: Float32[np.ndarray, " feature"]
    scale: Float32[np.ndarray, " feature"]
    flag_code: Int32[np.ndarray, " flag"]
    """Vocabulary rows of the codes that occur without a value."""
    code_steps: int
    """Number of last steps whose codes are used, besides an undated first step."""
    treatment_lags: int = 0
    """Number of last treatments used."""
    treatments: int = 0
    option: Int32[np.ndarray, " code"] = field(default_factory=lambda: np.zeros(0, np.int32))
    """Treatment that each row of the vocabulary records; -1 for none. Empty where not known."""
    responses: ResponseSpec | None = None
    """What came of each treatment; its columns stand after the values."""

    @property
    def numbers(self) -> int:
        """Number of columns with numbers."""
        return len(self.value_code) + (len(self.responses.center) if self.responses else 0)

    @property
    def columns(self) -> int:
        """Number of columns for codes and treatments."""
        flags = len(self.flag_code) * (self.code_steps + 1)
        return flags + self.treatment_lags * self.treatments


@dataclass(frozen=True, slots=True, eq=False)
class RecentRows:
    """Standardised values, 0 where missing; and codes as the column numbers that are 1."""

    values: Float32[np.ndarray, "decision feature"]
    column: Int64[np.ndarray, " present"]
    offsets: Int64[np.ndarray, " decision_plus_one"]
    """Columns of decision i are column[offsets[i]:offsets[i + 1]]."""
    last_treatment: Int64[np.ndarray, " decision"]
    """The option given last; -1 for none."""


def fit_recent_window(
    cohort: Cohort,
    lags: int,
    code_steps: int,
    treatment_lags: int = 0,
    *,
    responses: bool = False,
) -> RecentWindowSpec:
    """Columns, means and standard deviations from training decisions.

    Codes whose value changes within a patient get `lags` columns, the others one; each of the last
    `treatment_lags` treatments has a column an option.

    Args:
        responses: whether what was seen so far, and what came of each option, has columns too.
    """
    history, codes = cohort.history, len(cohort.profile.codes)
    has_value = ~np.isnan(history.value)
    flag_code = np.flatnonzero(np.bincount(history.code[~has_value], minlength=codes) > 0)
    value_code, lag = [], []
    for code in np.flatnonzero(np.bincount(history.code[has_value], minlength=codes) > 0):
        for back in range(lags if changes_within_subject(history, int(code)) else 1):
            value_code.append(code)
            lag.append(back)
    codes_of_columns, lags_of_columns = np.array(value_code, np.int32), np.array(lag, np.int8)
    raw = lagged_values((codes_of_columns, lags_of_columns), history, cohort.last_step)
    center, scale = mean_and_spread(raw)
    return RecentWindowSpec(
        codes_of_columns,
        lags_of_columns,
        center.astype(np.float32),
        np.where(scale > 0, scale, 1.0).astype(np.float32),
        flag_code.astype(np.int32),
        code_steps,
        treatment_lags,
        len(cohort.study.formulary.treatments),
        treatment_of_code(cohort),
        fit_responses(cohort) if responses else None,
    )


def build_recent_rows(spec: RecentWindowSpec, history: History, decisions: StepIndex) -> RecentRows:
    """One row per decision, from its visible events only."""
    raw = lagged_values((spec.value_code, spec.lag), history, decisions)
    values = standard_scores(raw, spec.center, spec.scale)
    if spec.responses:
        values = np.hstack([values, build_responses(spec.responses, history, decisions)])
    first = history.step_offsets[subject_rows(history, decisions)]
    owner, place = [], []
    for back in range(spec.code_steps + 1):
        is_static = back == spec.code_steps
        step = first if is_static else decisions - back
        is_used = np.isnan(history.time[first]) if is_static else step >= first
        rows, columns = _codes_in_step(spec, history, step, is_used)
        owner.append(rows)
        place.append(columns + back * len(spec.flag_code))
    earlier = np.full((len(decisions), 1), -1)
    if len(spec.option):
        earlier = earlier_treatments(spec.option, history, decisions, max(spec.treatment_lags, 1))
    if spec.treatment_lags:
        rows, back = np.nonzero(earlier >= 0)
        owner.append(rows)
        base = len(spec.flag_code) * (spec.code_steps + 1)
        place.append(base + back * spec.treatments + earlier[rows, back])
    rows, columns = np.concatenate(owner), np.concatenate(place)
    order = np.lexsort((columns, rows))
    starts = offsets_from_counts(np.bincount(rows, minlength=len(decisions)))
    return RecentRows(values, columns[order], starts, earlier[:, 0])


def _codes_in_step(
    spec: RecentWindowSpec,
    history: History,
    step: StepIndex,
    is_used: Bool[np.ndarray, " decision"],
) -> tuple[Int64[np.ndarray, " present"], Int64[np.ndarray, " present"]]:
    """Decision rows, and positions in `flag_code`, of the codes in one step of each decision."""
    rows = np.flatnonzero(is_used)
    starts = history.event_offsets[step[rows]]
    counts = history.event_offsets[step[rows] + 1] - starts
    code = history.code[ragged_arange(starts, counts)]
    owner = np.repeat(rows, counts)
    known = np.isin(code, spec.flag_code)
    return owner[known], np.searchsorted(spec.flag_code, code[known]).astype(np.int64)
