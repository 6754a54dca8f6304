"""Kidney function as events: beside every creatinine what the two formulas make of it."""

import numpy as np
from jaxtyping import Float64, Int64

from posology.cohorts.events.stream import EventStream, event_order, has_any_code, subject_runs
from posology.domain.formulas.kidney import (
    CKD_EPI,
    COCKCROFT_GAULT,
    UMOL_PER_MG_DL,
    ckd_epi_2021,
    cockcroft_gault,
)
from posology.domain.study import KidneySpec, Study

BIRTH = ("MEDS_BIRTH",)
_YEAR = 365.25


def kidney_codes(study: Study) -> tuple[str, ...]:
    """The codes that the study adds to its records."""
    asked = study.profile.kidney
    if asked is None:
        return ()
    return (CKD_EPI, COCKCROFT_GAULT) if asked.weight else (CKD_EPI,)


def add_kidney_events(events: EventStream, study: Study) -> EventStream:
    """The events, and at the moment of each creatinine its formulas' answers, known just then.

    Nothing is added where the age, or for Cockcroft-Gault a weight until then, is not known.
    """
    asked, new = study.profile.kidney, kidney_codes(study)
    if asked is None:
        return events
    at = np.flatnonzero(has_any_code(events, asked.creatinine) & (events.value > 0))
    codes = tuple(sorted({*events.codes, *new}))
    answers = _answers(events, at, asked)[: len(new)]
    known = [at[~np.isnan(answer)] for answer in answers]
    rows = np.concatenate([np.arange(len(events.code)), *known])
    moved = np.searchsorted(codes, events.codes).astype(np.int32)
    code = np.concatenate([
        moved[events.code],
        *(np.full(len(k), codes.index(c), np.int32) for c, k in zip(new, known, strict=True)),
    ])  # fmt: skip
    value = np.concatenate([events.value, *(a[~np.isnan(a)] for a in answers)]).astype(np.float32)
    subject, time = events.subject_id[rows], events.time[rows]
    order = event_order(subject, time, code, value)
    return EventStream(subject[order], time[order], code[order], value[order], codes)


def _answers(
    events: EventStream, at: Int64[np.ndarray, " creatinine"], asked: KidneySpec
) -> tuple[Float64[np.ndarray, " creatinine"], Float64[np.ndarray, " creatinine"]]:
    subjects, of = subject_runs(events)
    creatinine = events.value[at].astype(np.float64)
    if asked.unit == "umol/L":
        creatinine = creatinine / UMOL_PER_MG_DL
    born = np.full(len(subjects), np.nan)
    births = np.flatnonzero(has_any_code(events, BIRTH))
    born[of[births]] = events.time[births]
    female = np.zeros(len(subjects), dtype=bool)
    female[of[has_any_code(events, asked.female)]] = True
    age = (events.time[at] - born[of[at]]) / _YEAR
    weighed = np.flatnonzero(has_any_code(events, asked.weight) & (events.value > 0))
    weight = _latest(events, of, weighed, at)
    mine = female[of[at]]
    return ckd_epi_2021(creatinine, age, mine), cockcroft_gault(creatinine, age, weight, mine)


def _latest(
    events: EventStream, of: np.ndarray, these: np.ndarray, at: np.ndarray
) -> Float64[np.ndarray, " creatinine"]:
    """The last number among these events until each moment, of the same subject; NaN if none."""
    if not len(these):
        return np.full(len(at), np.nan)
    when = np.nan_to_num(events.time, nan=-np.inf)
    # Ranks of (subject, time): the stream is in that order, but one moment has several events.
    new = np.ones(len(of), dtype=bool)
    new[1:] = (of[1:] != of[:-1]) | (when[1:] != when[:-1])
    moment = np.cumsum(new)
    last = np.searchsorted(moment[these], moment[at], side="right") - 1
    found = these[np.maximum(last, 0)]
    mine = (last >= 0) & (of[found] == of[at])
    return np.where(mine, events.value[found].astype(np.float64), np.nan)
