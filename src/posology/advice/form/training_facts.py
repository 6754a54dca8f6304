"""What each code was in training: dated or not, a number or not, its bounds, and how old."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from posology.domain.cohort import Cohort
from posology.domain.history import subject_rows, visible_events

EVIDENCE = "facts"
"""Key of a saved policy's evidence that holds a TrainingFacts."""
BEHIND = 5
"""Patients who stand behind each bound that is kept, so that it tells of nobody by himself."""
LEAST = 4 * BEHIND
"""Of fewer patients with a number no bounds are kept: half would lie beyond. Our choice."""


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """One entry for each code of the vocabulary, from what training decisions could see."""

    dated: tuple[float, ...]
    """Share of the code's events that have a time."""
    numeric: tuple[float, ...]
    """Share of the code's events that have a number."""
    low: tuple[float | None, ...]
    """Number below which fewer than BEHIND patients had one: the fifth-smallest patient's smallest,
    or 0 if that is above 0 and somebody's is not; None of fewer than LEAST patients."""
    high: tuple[float | None, ...]
    """Number above which fewer than BEHIND patients had one."""
    days_before: tuple[float | None, ...]
    """Median days from the patient's last event of the code to the decision; over all codes where
    fewer than BEHIND patients have the code."""
    several: tuple[str, ...] = ()
    """Prefixes of which a training patient had more than one code."""
    doses: tuple[tuple[str, float, float], ...] = ()
    """Such bounds of the dose given of each option; of the study's single dose, under ""."""
    share: tuple[float, ...] = ()
    """Share of the patients who have the code; empty of a policy that was saved without."""
    patients: tuple[int, ...] = ()
    """Patients whose numbers have bounds, else 0. Empty of a policy that was saved with the
    smallest and the largest number and dose."""


def measure_facts(train: Cohort) -> TrainingFacts:
    """The facts of a cohort's training split."""
    history, codes = train.history, len(train.profile.codes)
    last = np.unique(train.last_step)
    subject = subject_rows(history, last)
    last = last[np.append(subject[1:] != subject[:-1], True)] if len(last) else last
    owner, event = visible_events(history, last)
    step = np.searchsorted(history.event_offsets, event, side="right") - 1
    code, value = history.code[event], history.value[event].astype(np.float64)
    time = history.time[step]
    count = np.maximum(np.bincount(code, minlength=codes), 1)
    is_dated, is_number = ~np.isnan(time), ~np.isnan(value)
    bounds = _bounds(owner[is_number], code[is_number], value[is_number], codes)
    days = _decision_time(train, last)[owner[is_dated]] - time[is_dated]
    return TrainingFacts(
        dated=_rounded(np.bincount(code[is_dated], minlength=codes) / count),
        numeric=_rounded(np.bincount(code[is_number], minlength=codes) / count),
        low=tuple(low for low, _, _ in bounds),
        high=tuple(high for _, high, _ in bounds),
        days_before=median_days(owner[is_dated], code[is_dated], days, codes),
        several=_several(train.profile.codes, owner, code),
        doses=_doses(train),
        share=_shares(owner, code, len(last), codes),
        patients=tuple(patients for _, _, patients in bounds),
    )


_Bounds = tuple[float, float, int] | tuple[None, None, int]


def _bounds(
    owner: np.ndarray, group: np.ndarray, value: np.ndarray, groups: int
) -> tuple[_Bounds, ...]:
    """Low and high bound and patients of each group of numbers, of each patient's ends."""
    order = np.lexsort((value, owner, group))
    owner, group, value = owner[order], group[order], value[order]
    first = np.ones(len(group), dtype=bool)
    first[1:] = (group[1:] != group[:-1]) | (owner[1:] != owner[:-1])
    lows, highs = value[first], value[np.roll(first, -1)]
    starts = np.searchsorted(group[first], np.arange(groups + 1)).tolist()
    return tuple(_bounds_of(lows[a:b], highs[a:b]) for a, b in pairwise(starts))


def _bounds_of(lows: np.ndarray, highs: np.ndarray) -> _Bounds:
    if len(lows) < LEAST:
        return None, None, 0
    low, high = np.sort(lows)[BEHIND - 1], np.sort(highs)[-BEHIND]
    return float(min(low, 0.0) if lows.min() <= 0 else low), float(high), len(lows)


def _shares(owner: np.ndarray, code: np.ndarray, patients: int, codes: int) -> tuple[float, ...]:
    pairs = np.unique(owner.astype(np.int64) * max(codes, 1) + code)
    return _rounded(np.bincount(pairs % max(codes, 1), minlength=codes) / max(patients, 1))


def _rounded(share: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(x), 4) for x in share)


def _decision_time(train: Cohort, last: np.ndarray) -> np.ndarray:
    """Time of the last decision at each of the steps, in days."""
    if train.time is None:
        return train.history.time[last]
    order = np.lexsort((train.time, train.last_step))
    row = np.searchsorted(train.last_step[order], last, side="right") - 1
    return train.time[order][row]


def median_days(
    owner: np.ndarray, code: np.ndarray, days: np.ndarray, codes: int
) -> tuple[float | None, ...]:
    """Median over patients of the days since the last event of each code, or of all."""
    order = np.lexsort((days, owner, code))
    owner, code, days = owner[order], code[order], days[order]
    first = np.ones(len(code), dtype=bool)
    first[1:] = (code[1:] != code[:-1]) | (owner[1:] != owner[:-1])
    code, days = code[first], days[first]
    order = np.lexsort((days, code))
    days = days[order]
    of_all = float(np.median(days)) if len(days) else 0.0
    ends = np.cumsum(np.bincount(code, minlength=codes))
    starts = np.concatenate([[0], ends[:-1]]) if codes else ends
    return tuple(
        round(float(np.median(days[a:b])) if b - a >= BEHIND else of_all, 2) if b > a else None
        for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
    )


def _several(vocabulary: tuple[str, ...], owner: np.ndarray, code: np.ndarray) -> tuple[str, ...]:
    parents = [c.rpartition("//")[0] for c in vocabulary]
    names = sorted(set(parents))
    number = {name: i for i, name in enumerate(names)}
    parent = np.array([number[p] for p in parents], dtype=np.int64)
    pair = np.unique(owner.astype(np.int64) * len(vocabulary) + code)
    group = pair // max(len(vocabulary), 1) * len(names) + parent[pair % max(len(vocabulary), 1)]
    groups, counts = np.unique(group, return_counts=True)
    found = np.unique(groups[counts > 1] % max(len(names), 1))
    return tuple(names[i] for i in found if names[i])


def _doses(train: Cohort) -> tuple[tuple[str, float, float], ...]:
    dose = train.dose.astype(np.float64)
    known = ~np.isnan(dose)
    given = [("", known)] if train.study.dose is not None else []
    for row, treatment in enumerate(train.study.formulary.treatments):
        given.append((treatment.name, known & (train.treatment == row)))
    found = []
    for name, rows in given:
        ((low, high, _),) = _bounds(train.subject[rows], np.zeros(rows.sum(), int), dose[rows], 1)
        found += [] if low is None or high is None else [(name, low, high)]
    return tuple(found)
