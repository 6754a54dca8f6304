"""What each code was in training: dated or not, a number or not, its range, and how old."""

from dataclasses import dataclass

import numpy as np

from posology.domain.cohort import Cohort
from posology.domain.history import subject_rows, visible_events

EVIDENCE = "facts"
"""Key of a saved policy's evidence that holds a TrainingFacts."""


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """One entry for each code of the vocabulary, from what training decisions could see."""

    dated: tuple[float, ...]
    """Share of the code's events that have a time."""
    numeric: tuple[float, ...]
    """Share of the code's events that have a number."""
    low: tuple[float | None, ...]
    """Smallest number; None if there is none."""
    high: tuple[float | None, ...]
    days_before: tuple[float | None, ...]
    """Median days from the patient's last event of the code to the decision."""
    several: tuple[str, ...] = ()
    """Prefixes of which a training patient had more than one code."""
    doses: tuple[tuple[str, float, float], ...] = ()
    """Smallest and largest dose given of each option; of the study's single dose, under ""."""
    share: tuple[float, ...] = ()
    """Share of the patients who have the code; empty of a policy that was saved without."""


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
    low, high = np.full(codes, np.inf), np.full(codes, -np.inf)
    np.minimum.at(low, code[is_number], value[is_number])
    np.maximum.at(high, code[is_number], value[is_number])
    days = _decision_time(train, last)[owner[is_dated]] - time[is_dated]
    return TrainingFacts(
        dated=_rounded(np.bincount(code[is_dated], minlength=codes) / count),
        numeric=_rounded(np.bincount(code[is_number], minlength=codes) / count),
        low=tuple(None if np.isinf(x) else float(x) for x in low),
        high=tuple(None if np.isinf(x) else float(x) for x in high),
        days_before=_median_days(owner[is_dated], code[is_dated], days, codes),
        several=_several(train.profile.codes, owner, code),
        doses=_doses(train),
        share=_shares(owner, code, len(last), codes),
    )


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


def _median_days(
    owner: np.ndarray, code: np.ndarray, days: np.ndarray, codes: int
) -> tuple[float | None, ...]:
    """Median over patients of the days since the last event of each code."""
    order = np.lexsort((days, owner, code))
    owner, code, days = owner[order], code[order], days[order]
    first = np.ones(len(code), dtype=bool)
    first[1:] = (code[1:] != code[:-1]) | (owner[1:] != owner[:-1])
    code, days = code[first], days[first]
    order = np.lexsort((days, code))
    days = days[order]
    ends = np.cumsum(np.bincount(code, minlength=codes))
    starts = np.concatenate([[0], ends[:-1]]) if codes else ends
    return tuple(
        round(float(np.median(days[a:b])), 2) if b > a else None
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
    seen = [("", dose[known])] if train.study.dose is not None else []
    for row, treatment in enumerate(train.study.formulary.treatments):
        seen.append((treatment.name, dose[known & (train.treatment == row)]))
    return tuple((name, float(d.min()), float(d.max())) for name, d in seen if len(d))
