"""What is known at each decision, one column a fact, with names that people read."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from posology.advice.form.unit_names import plain_unit
from posology.domain.cohort import Cohort
from posology.domain.profile import Profile
from posology.learners.features.tabular import (
    COUNT,
    DAYS_SINCE,
    LAST_VALUE,
    PRESENT,
    SLOPE,
    FeatureSpec,
    build_feature_spec,
    extract_features,
)

_KINDS = {COUNT: "count", SLOPE: "change per day", DAYS_SINCE: "days since"}


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """Facts of the events visible to each decision."""

    X: Float32[np.ndarray, "decision fact"]
    """Last numbers in their own units, occurrences as 0 or 1, counts, days since, changes a day;
    NaN where a number is not known."""
    names: tuple[str, ...]
    """`weight (kg)`, `sex: female`, `creatinine: days since`; no two are the same."""


def extract_facts(cohort: Cohort, reserved: Collection[str] = ()) -> Facts:
    """The facts of a cohort's decisions.

    Which columns there are follows from all decisions of the cohort: give the whole one, and select
    rows by split afterwards. A fact named like one of `reserved` also shows its code.
    """
    spec = build_feature_spec(cohort)
    X = extract_features(spec, cohort.history, cohort.last_step)
    X[:, spec.kind == COUNT] = np.rint(np.expm1(X[:, spec.kind == COUNT]))
    days = np.expm1(X[:, spec.kind == DAYS_SINCE].astype(np.float64))
    X[:, spec.kind == DAYS_SINCE] = np.round(days + _days_to_time_zero(cohort)[:, None], 2)
    keep = ~_is_repeated(spec, X)
    spec = FeatureSpec(spec.code[keep], spec.kind[keep])
    return Facts(X[:, keep], _unique_names(spec, cohort.profile, reserved))


def fill_unknown(facts: Facts, is_train: np.ndarray) -> Facts:
    """The facts without NaN: the training rows' mean instead, and a column for each known number.

    For learners that take no missing values.
    """
    missing = np.isnan(facts.X)
    gaps = np.asarray(missing.any(axis=0))
    rows = facts.X[is_train] if is_train.any() else facts.X
    known = ~np.isnan(rows)
    mean = np.where(known, rows, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    X = np.where(missing, mean, facts.X).astype(np.float32)
    names = [facts.names[at] for at in np.flatnonzero(gaps)]
    return Facts(
        np.hstack([X, (~missing[:, gaps]).astype(np.float32)]),
        (*facts.names, *(f"{name}: known" for name in names)),
    )


def _days_to_time_zero(cohort: Cohort) -> Float64[np.ndarray, " decision"]:
    """Days from the last visible step, to which features count, to time zero."""
    if cohort.time is None:
        return np.zeros(len(cohort))
    return cohort.time - cohort.history.time[cohort.last_step]


def _is_repeated(spec: FeatureSpec, values: np.ndarray) -> np.ndarray:
    """Occurrences that only repeat where the code's number is known."""
    last = {int(spec.code[at]): at for at in np.flatnonzero(spec.kind == LAST_VALUE)}
    repeated = np.zeros(len(spec.code), dtype=bool)
    for at in np.flatnonzero(spec.kind == PRESENT):
        number = last.get(int(spec.code[at]))
        repeated[at] = number is not None and np.array_equal(
            values[:, at] == 1.0, ~np.isnan(values[:, number])
        )
    return repeated


def _unique_names(
    spec: FeatureSpec, profile: Profile, reserved: Collection[str]
) -> tuple[str, ...]:
    numbers = set(spec.code[spec.kind == LAST_VALUE].tolist())
    pairs = list(zip(spec.code.tolist(), spec.kind.tolist(), strict=True))
    names = [_name(profile, code, kind, code in numbers) for code, kind in pairs]
    taken = [*names, *reserved]
    return tuple(
        f"{name} [{profile.codes[code]}]" if taken.count(name) > 1 else name
        for name, (code, _kind) in zip(names, pairs, strict=True)
    )


def _name(profile: Profile, code: int, kind: int, has_number: bool) -> str:
    name, unit = profile.name(code), plain_unit(profile.unit(code))
    if kind == PRESENT:
        return f"{name}: recorded" if has_number else name
    if kind == LAST_VALUE:
        return f"{name} ({unit})" if unit and unit not in name else name
    return f"{name}: {_KINDS[kind]}"
