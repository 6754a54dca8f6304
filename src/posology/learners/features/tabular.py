"""A patient's history as one row of features per decision, for models without sequences."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int32, Int64

from posology.domain.cohort import Cohort
from posology.domain.history import History, StepIndex, visible_events

FEATURE_KINDS = ("present", "count", "last", "slope", "since")
"""Features of a code: whether it occurred; log(1 + count); its last value; the least squares slope
of its values per day; log(1 + days since it last occurred)."""

PRESENT, COUNT, LAST_VALUE, SLOPE, DAYS_SINCE = range(len(FEATURE_KINDS))
BLOCK_SIZE = 4096
"""Decisions processed at once: bounds memory, since decisions share events."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSpec:
    """The code and the kind of each feature."""

    code: Int32[np.ndarray, " feature"]
    """Row of the code in the profile's vocabulary."""
    kind: Int8[np.ndarray, " feature"]
    """Row of KINDS."""


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """The features of each pair of a decision and a code visible to it."""

    decision: Int64[np.ndarray, " pair"]
    code: Int64[np.ndarray, " pair"]
    features: Float64[np.ndarray, "kind pair"]


def build_feature_spec(cohort: Cohort, excluded_prefixes: tuple[str, ...] = ()) -> FeatureSpec:
    """The features that vary on these decisions; codes with `excluded_prefixes` get none.

    A code gets a count only where it occurs more than once, a value or a slope only where known.
    """
    codes = len(cohort.profile.codes)
    useful = np.zeros((len(FEATURE_KINDS), codes), dtype=bool)
    for start in range(0, len(cohort), BLOCK_SIZE):
        pairs = _pairs(cohort.history, cohort.last_step[start : start + BLOCK_SIZE], codes)
        for kind in range(len(FEATURE_KINDS)):
            useful[kind, pairs.code[_is_informative(kind, pairs.features[kind])]] = True
    useful[:, list(cohort.profile.rows(excluded_prefixes))] = False
    code, kind = np.nonzero(useful.T)
    return FeatureSpec(code.astype(np.int32), kind.astype(np.int8))


def extract_features(
    spec: FeatureSpec, history: History, decisions: StepIndex
) -> Float32[np.ndarray, "decision feature"]:
    """One row per decision, from the events visible to it; NaN where a value is missing."""
    layout = _layout(spec)
    X = np.tile(layout.nothing, (len(decisions), 1))
    codes = max(1 + int(history.code.max(initial=0)), layout.column.shape[1])
    column = layout.column
    if column.shape[1] < codes:
        column = np.pad(column, ((0, 0), (0, codes - column.shape[1])), constant_values=-1)
    for start in range(0, len(decisions), BLOCK_SIZE):
        pairs = _pairs(history, decisions[start : start + BLOCK_SIZE], codes)
        for kind in range(len(FEATURE_KINDS)):
            target = column[kind, pairs.code]
            is_used = target >= 0
            rows = start + pairs.decision[is_used]
            X[rows, target[is_used]] = pairs.features[kind, is_used]
    return X


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """What the features of all patients have in common."""

    nothing: Float32[np.ndarray, " feature"]
    """The features of a patient without events."""
    column: Int64[np.ndarray, "kind code"]
    """Column of each feature; -1 where there is none."""


@lru_cache(maxsize=16)
def _layout(spec: FeatureSpec) -> _Layout:
    nothing = np.where(spec.kind <= COUNT, 0.0, np.nan).astype(np.float32)
    column = np.full((len(FEATURE_KINDS), 1 + int(spec.code.max(initial=0))), -1)
    column[spec.kind, spec.code] = np.arange(len(spec.code))
    return _Layout(nothing, column)


def _is_informative(kind: int, feature: Float64[np.ndarray, " pair"]) -> Bool[np.ndarray, " pair"]:
    if kind == COUNT:
        return feature > np.log1p(1.5)
    if kind == DAYS_SINCE:
        return feature > 0
    return ~np.isnan(feature)


def _pairs(history: History, decisions: StepIndex, codes: int) -> _Pairs:
    owner, event = visible_events(history, decisions)
    step = np.searchsorted(history.event_offsets, event, side="right") - 1
    value = history.value[event].astype(np.float64)
    key = owner * codes + history.code[event]
    # Sorted by value too: the order of events within a step must not change the last digit.
    order = np.lexsort((value, step, key))
    step, value = step[order], value[order]
    unique, pair, count = np.unique(key[order], return_inverse=True, return_counts=True)
    time = history.time[step]
    features = np.full((len(FEATURE_KINDS), len(unique)), np.nan)
    features[PRESENT] = 1.0
    features[COUNT] = np.log1p(count)
    has_value = ~np.isnan(value)
    features[LAST_VALUE] = _last(pair[has_value], step[has_value], value[has_value], len(unique))
    has_both = has_value & ~np.isnan(time)
    features[SLOPE] = _slope(pair[has_both], time[has_both], value[has_both], len(unique))
    is_dated = ~np.isnan(time)
    latest = np.full(len(unique), np.nan)
    latest[pair[is_dated]] = time[is_dated]  # in order of time: the last one remains
    features[DAYS_SINCE] = np.log1p(history.time[decisions][unique // codes] - latest)
    return _Pairs(unique // codes, unique % codes, features)


def _last(
    pair: Int64[np.ndarray, " valued"],
    step: Int64[np.ndarray, " valued"],
    value: Float64[np.ndarray, " valued"],
    pairs: int,
) -> Float64[np.ndarray, " pair"]:
    """The value at the last step with one; the mean where that step has several."""
    latest = np.full(pairs, -1)
    latest[pair] = step
    is_latest = step == latest[pair]
    return _mean(pair[is_latest], value[is_latest], pairs)


def _slope(
    pair: Int64[np.ndarray, " valued"],
    time: Float64[np.ndarray, " valued"],
    value: Float64[np.ndarray, " valued"],
    pairs: int,
) -> Float64[np.ndarray, " pair"]:
    """Least squares slope per day; NaN where all values have the same time."""
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
