"""A patient's facts as columns: whether a code is recorded, and its last number."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from posology.domain.history import History, StepIndex, visible_events
from posology.domain.profile import Profile

DERIVED = ("FORMULA",)
"""Prefixes of codes that posology computed: no facts of the patient."""
LEAST_COUNT = 5
"""Patients that a count or a mean must have at least to be kept: fewer could be recognised."""
_BLOCK = 4096


@dataclass(frozen=True, slots=True, eq=False)
class FactTable:
    """One row a decision, one column a code."""

    recorded: Bool[np.ndarray, "decision code"]
    number: Float64[np.ndarray, "decision code"]
    """Last number visible to the decision; NaN without one."""


def read_facts(
    history: History, decisions: StepIndex, codes: Int64[np.ndarray, " code"]
) -> FactTable:
    """The facts of some codes (rows of the vocabulary, ascending) at each decision."""
    recorded = np.zeros((len(decisions), len(codes)), dtype=bool)
    number = np.full((len(decisions), len(codes)), np.nan)
    for start in range(0, len(decisions), _BLOCK):
        owner, event = visible_events(history, decisions[start : start + _BLOCK])
        keep, column = find_columns(history.code[event], codes)
        owner, event = owner[keep] + start, event[keep]
        recorded[owner, column] = True
        value = history.value[event]
        known = ~np.isnan(value)
        number[owner[known], column[known]] = value[known]  # in time order: the last one remains
    return FactTable(recorded, number)


def count_patients(
    has: Bool[np.ndarray, "decision code"], subject: Int64[np.ndarray, " decision"]
) -> Int64[np.ndarray, " code"]:
    """Of each column the patients with it at any of their decisions, which stand together."""
    first = np.flatnonzero(np.diff(subject, prepend=-1))
    return np.logical_or.reduceat(has, first, axis=0).sum(axis=0)


def find_columns(
    code: Int32[np.ndarray, " event"], codes: Int64[np.ndarray, " column"]
) -> tuple[Int64[np.ndarray, " kept"], Int64[np.ndarray, " kept"]]:
    """Which events have one of the codes, which ascend, and the column of each of these."""
    if not len(codes):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    column = codes.searchsorted(code)
    keep = np.flatnonzero(codes.take(column, mode="clip") == code)
    return keep, column[keep]


@lru_cache(maxsize=8)
def fact_codes(profile: Profile) -> Int64[np.ndarray, " code"]:
    """Rows of the codes that are facts of a patient."""
    derived = profile.rows(DERIVED)
    return np.array([r for r in range(len(profile.codes)) if r not in derived], dtype=np.int64)
