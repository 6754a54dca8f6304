"""The recent past as one row a decision: the last numbers of codes, the codes of last steps."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int8, Int32, Int64

from posology.domain.cohort import Cohort
from posology.domain.history import History, StepIndex, offsets, ragged_arange, subject_of

FAR = 6.0
"""Standard deviations beyond which a number is taken to be no further out (our choice)."""


@dataclass(frozen=True, slots=True, eq=False)
class RecentSpec:
    """Which numbers and codes make a row."""

    number: Int32[np.ndarray, " feature"]
    """Row of the vocabulary of each column of numbers."""
    lag: Int8[np.ndarray, " feature"]
    """0 its last visible number, 1 the one before, ..."""
    center: Float32[np.ndarray, " feature"]
    spread: Float32[np.ndarray, " feature"]
    flag: Int32[np.ndarray, " flag"]
    """Codes that come without a number."""
    steps: int
    """How many of the last steps tell their codes; an undated first step always does."""

    @property
    def columns(self) -> int:
        """How many places a code may stand in."""
        return len(self.flag) * (self.steps + 1)


@dataclass(frozen=True, slots=True, eq=False)
class Recent:
    """Rows: numbers, standardised, 0 where not known; and codes, as columns that are 1."""

    numbers: Float32[np.ndarray, "decision feature"]
    column: Int64[np.ndarray, " present"]
    offsets: Int64[np.ndarray, " decision_plus_one"]


def recent_spec(cohort: Cohort, last: int, steps: int) -> RecentSpec:
    """From training decisions: numbers that change within a patient are told `last` times back."""
    history, codes = cohort.history, len(cohort.profile.codes)
    has = ~np.isnan(history.value)
    flag = np.flatnonzero(np.bincount(history.code[~has], minlength=codes) > 0)
    number, lag = [], []
    for code in np.flatnonzero(np.bincount(history.code[has], minlength=codes) > 0):
        for back in range(last if _changes(history, int(code)) else 1):
            number.append(code)
            lag.append(back)
    size = len(number)
    spec = RecentSpec(
        np.array(number, np.int32), np.array(lag, np.int8), np.zeros(size, np.float32),
        np.ones(size, np.float32), flag.astype(np.int32), steps,
    )  # fmt: skip
    raw = _numbers(spec, history, cohort.last_step)
    known = ~np.isnan(raw)
    count = np.maximum(known.sum(axis=0), 1)
    center = np.where(known, raw, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, raw - center, 0.0) ** 2).sum(axis=0) / count)
    return RecentSpec(
        spec.number, spec.lag, center.astype(np.float32),
        np.where(spread > 0, spread, 1.0).astype(np.float32), spec.flag, steps,
    )  # fmt: skip


def recent(spec: RecentSpec, history: History, decisions: StepIndex) -> Recent:
    """One row a decision, from its visible events alone."""
    raw = (_numbers(spec, history, decisions) - spec.center) / spec.spread
    numbers = np.clip(np.nan_to_num(raw, nan=0.0), -FAR, FAR).astype(np.float32)
    first = history.step_offsets[subject_of(history, decisions)]
    owner, place = [], []
    for back in range(spec.steps + 1):
        static = back == spec.steps
        step = first if static else decisions - back
        keep = np.isnan(history.time[first]) if static else step >= first
        rows, columns = _codes(spec, history, step, keep)
        owner.append(rows)
        place.append(columns + back * len(spec.flag))
    rows, columns = np.concatenate(owner), np.concatenate(place)
    order = np.lexsort((columns, rows))
    starts = offsets(np.bincount(rows, minlength=len(decisions)))
    return Recent(numbers, columns[order], starts)


def _codes(
    spec: RecentSpec, history: History, step: StepIndex, keep: Bool[np.ndarray, " decision"]
) -> tuple[Int64[np.ndarray, " present"], Int64[np.ndarray, " present"]]:
    """Rows of the decisions, and places in `flag` of the codes in one step of each."""
    rows = np.flatnonzero(keep)
    starts = history.event_offsets[step[rows]]
    counts = history.event_offsets[step[rows] + 1] - starts
    code = history.code[ragged_arange(starts, counts)]
    owner = np.repeat(rows, counts)
    known = np.isin(code, spec.flag)
    return owner[known], np.searchsorted(spec.flag, code[known]).astype(np.int64)


def _numbers(
    spec: RecentSpec, history: History, decisions: StepIndex
) -> Float32[np.ndarray, "decision feature"]:
    """As recorded; NaN where there is none."""
    raw = np.full((len(decisions), len(spec.number)), np.nan, np.float32)
    first = history.step_offsets[subject_of(history, decisions)]
    step_of = np.repeat(np.arange(len(history.time)), np.diff(history.event_offsets))
    for code in np.unique(spec.number):
        step, value = _told(history, int(code), step_of)
        if not len(step):
            continue
        seen = np.searchsorted(step, decisions, side="right")
        for column in np.flatnonzero(spec.number == code):
            event = seen - 1 - int(spec.lag[column])
            mine = (event >= 0) & (step[np.maximum(event, 0)] >= first)
            raw[mine, column] = value[event[mine]]
    return raw


def _told(history: History, code: int, step_of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps and numbers of a code in order of time, and of size within a step."""
    event = np.flatnonzero((history.code == code) & ~np.isnan(history.value))
    step, value = step_of[event], history.value[event]
    order = np.lexsort((value, step))
    return step[order], value[order]


def _changes(history: History, code: int) -> bool:
    step_of = np.repeat(np.arange(len(history.time)), np.diff(history.event_offsets))
    step, value = _told(history, code, step_of)
    subject = np.searchsorted(history.step_offsets, step, side="right")
    same = subject[1:] == subject[:-1]
    return bool((value[1:] != value[:-1])[same].any())
