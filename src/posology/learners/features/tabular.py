"""A History as one row of numbers a decision, for models that know no sequences."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int32, Int64

from posology.domain.cohort import Cohort
from posology.domain.history import History, StepIndex, visible_events

FEATURE_KINDS = ("present", "count", "last", "slope", "since")
"""What may be said of a code: whether it is visible; log(1 + how often); its last number; the least
squares slope of its numbers a day; log(1 + days since it was last seen)."""

PRESENT, COUNT, LAST_VALUE, SLOPE, DAYS_SINCE = range(len(FEATURE_KINDS))
BLOCK_SIZE = 4096
"""Decisions flattened at once: bounds the memory of the events that several decisions share."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSpec:
    """The columns: of which code each is, and what it says of it."""

    code: Int32[np.ndarray, " feature"]
    """Row of the profile's vocabulary."""
    kind: Int8[np.ndarray, " feature"]
    """Row of KINDS."""


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """One row for each code that is visible to a decision."""

    owner: Int64[np.ndarray, " pair"]
    code: Int64[np.ndarray, " pair"]
    said: Float64[np.ndarray, "kind pair"]


def build_feature_spec(cohort: Cohort, excluded_prefixes: tuple[str, ...] = ()) -> FeatureSpec:
    """Columns that say something on these decisions; codes of the prefixes `without` get none.

    Counts only where a code comes more than once, numbers and slopes only where there are any.
    """
    codes = len(cohort.profile.codes)
    useful = np.zeros((len(FEATURE_KINDS), codes), dtype=bool)
    for start in range(0, len(cohort), BLOCK_SIZE):
        pairs = _pairs(cohort.history, cohort.last_step[start : start + BLOCK_SIZE], codes)
        for kind in range(len(FEATURE_KINDS)):
            useful[kind, pairs.code[_informs(kind, pairs.said[kind])]] = True
    useful[:, list(cohort.profile.rows(excluded_prefixes))] = False
    code, kind = np.nonzero(useful.T)
    return FeatureSpec(code.astype(np.int32), kind.astype(np.int8))


def extract_features(
    spec: FeatureSpec, history: History, decisions: StepIndex
) -> Float32[np.ndarray, "decision feature"]:
    """One row a decision, from its visible events alone; NaN where there is no such number."""
    X = np.full((len(decisions), len(spec.code)), np.nan, dtype=np.float32)
    X[:, spec.kind <= COUNT] = 0.0
    codes = 1 + max(int(history.code.max(initial=0)), int(spec.code.max(initial=0)))
    column = np.full((len(FEATURE_KINDS), codes), -1)
    column[spec.kind, spec.code] = np.arange(len(spec.code))
    for start in range(0, len(decisions), BLOCK_SIZE):
        pairs = _pairs(history, decisions[start : start + BLOCK_SIZE], codes)
        for kind in range(len(FEATURE_KINDS)):
            into = column[kind, pairs.code]
            kept = into >= 0
            X[start + pairs.owner[kept], into[kept]] = pairs.said[kind, kept]
    return X


def _informs(kind: int, said: Float64[np.ndarray, " pair"]) -> Bool[np.ndarray, " pair"]:
    if kind == COUNT:
        return said > np.log1p(1.5)
    if kind == DAYS_SINCE:
        return said > 0
    return ~np.isnan(said)


def _pairs(history: History, decisions: StepIndex, codes: int) -> _Pairs:
    owner, event = visible_events(history, decisions)
    step = np.searchsorted(history.event_offsets, event, side="right") - 1
    value = history.value[event].astype(np.float64)
    key = owner * codes + history.code[event]
    # Sorted by value too, so that the order within a step changes not even the last digit.
    order = np.lexsort((value, step, key))
    step, value = step[order], value[order]
    unique, pair, count = np.unique(key[order], return_inverse=True, return_counts=True)
    time = history.time[step]
    said = np.full((len(FEATURE_KINDS), len(unique)), np.nan)
    said[PRESENT] = 1.0
    said[COUNT] = np.log1p(count)
    valued = ~np.isnan(value)
    said[LAST_VALUE] = _last(pair[valued], step[valued], value[valued], len(unique))
    sloped = valued & ~np.isnan(time)
    said[SLOPE] = _slope(pair[sloped], time[sloped], value[sloped], len(unique))
    dated = ~np.isnan(time)
    latest = np.full(len(unique), np.nan)
    latest[pair[dated]] = time[dated]  # in order of time, so the last one stays
    said[DAYS_SINCE] = np.log1p(history.time[decisions][unique // codes] - latest)
    return _Pairs(unique // codes, unique % codes, said)


def _last(
    pair: Int64[np.ndarray, " valued"],
    step: Int64[np.ndarray, " valued"],
    value: Float64[np.ndarray, " valued"],
    pairs: int,
) -> Float64[np.ndarray, " pair"]:
    """The number of the last step that has one; the mean where that step has several."""
    latest = np.full(pairs, -1)
    latest[pair] = step
    now = step == latest[pair]
    return _mean(pair[now], value[now], pairs)


def _slope(
    pair: Int64[np.ndarray, " valued"],
    time: Float64[np.ndarray, " valued"],
    value: Float64[np.ndarray, " valued"],
    pairs: int,
) -> Float64[np.ndarray, " pair"]:
    """Least squares, a day; NaN where all numbers stand at one moment."""
    dt = time - _mean(pair, time, pairs)[pair]
    dv = value - _mean(pair, value, pairs)[pair]
    length = np.bincount(pair, dt * dt, pairs)
    return np.divide(
        np.bincount(pair, dt * dv, pairs), length, out=np.full(pairs, np.nan), where=length > 1e-12
    )


def _mean(
    pair: Int64[np.ndarray, " valued"], value: Float64[np.ndarray, " valued"], pairs: int
) -> Float64[np.ndarray, " pair"]:
    n = np.bincount(pair, minlength=pairs)
    total = np.bincount(pair, value, pairs)
    return np.divide(total, n, out=np.full(pairs, np.nan), where=n > 0)
