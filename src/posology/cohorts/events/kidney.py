"""Kidney function as events: at every creatinine, its estimated GFR and clearance."""

import numpy as np
from jaxtyping import Float64, Int64

from posology.cohorts.events.stream import EventStream, event_order, has_any_code, subject_runs
from posology.domain.formulas.ages import ages
from posology.domain.formulas.kidney import (
    CKD_EPI,
    COCKCROFT_GAULT,
    UMOL_PER_MG_DL,
    ckd_epi_2021,
    cockcroft_gault,
)
from posology.domain.study import KidneySpec, Study

BIRTH = ("MEDS_BIRTH",)


def kidney_codes(study: Study) -> tuple[str, ...]:
    """The codes of the events that are added for the study."""
    spec = study.profile.kidney
    if spec is None:
        return ()
    return (CKD_EPI, COCKCROFT_GAULT) if spec.weight else (CKD_EPI,)


def add_kidney_events(events: EventStream, study: Study) -> EventStream:
    """The events, and for each creatinine the results of both formulas at the same time.

    No result is added if the age is unknown or, for Cockcroft-Gault, no earlier weight is known.
    """
    spec, new = study.profile.kidney, kidney_codes(study)
    if spec is None:
        return events
    measured = np.flatnonzero(has_any_code(events, spec.creatinine) & (events.value > 0))
    codes = tuple(sorted({*events.codes, *new}))
    results = _results(events, measured, spec)[: len(new)]
    known = [measured[~np.isnan(result)] for result in results]
    rows = np.concatenate([np.arange(len(events.code)), *known])
    new_code = np.searchsorted(codes, events.codes).astype(np.int32)[events.code]
    added = [np.full(len(k), codes.index(c), np.int32) for c, k in zip(new, known, strict=True)]
    code = np.concatenate([new_code, *added])
    value = np.concatenate([events.value, *(r[~np.isnan(r)] for r in results)]).astype(np.float32)
    subject, time = events.subject_id[rows], events.time[rows]
    order = event_order(subject, time, code, value)
    return EventStream(subject[order], time[order], code[order], value[order], codes)


def _results(
    events: EventStream, rows: Int64[np.ndarray, " creatinine"], spec: KidneySpec
) -> tuple[Float64[np.ndarray, " creatinine"], Float64[np.ndarray, " creatinine"]]:
    """Estimated GFR and creatinine clearance at each creatinine; NaN where unknown."""
    subjects, subject = subject_runs(events)
    creatinine = events.value[rows].astype(np.float64)
    if spec.unit == "umol/L":
        creatinine = creatinine / UMOL_PER_MG_DL
    birth = np.full(len(subjects), np.nan)
    births = np.flatnonzero(has_any_code(events, BIRTH))
    birth[subject[births]] = events.time[births]
    is_female = np.zeros(len(subjects), dtype=bool)
    is_female[subject[has_any_code(events, spec.female)]] = True
    age = ages(birth[subject[rows]], events.time[rows])
    weights = np.flatnonzero(has_any_code(events, spec.weight) & (events.value > 0))
    weight = _latest_value(events, subject, weights, rows)
    female = is_female[subject[rows]]
    return ckd_epi_2021(creatinine, age, female), cockcroft_gault(creatinine, age, weight, female)


def _latest_value(
    events: EventStream, subject: np.ndarray, candidates: np.ndarray, rows: np.ndarray
) -> Float64[np.ndarray, " creatinine"]:
    """The subject's last number among the candidate events up to each row; NaN if there is none."""
    if not len(candidates):
        return np.full(len(rows), np.nan)
    time = np.nan_to_num(events.time, nan=-np.inf)
    # Rank of (subject, time), so that events at the same time are equal.
    is_new = np.ones(len(subject), dtype=bool)
    is_new[1:] = (subject[1:] != subject[:-1]) | (time[1:] != time[:-1])
    rank = np.cumsum(is_new)
    last = np.searchsorted(rank[candidates], rank[rows], side="right") - 1
    latest = candidates[np.maximum(last, 0)]
    is_same_subject = (last >= 0) & (subject[latest] == subject[rows])
    return np.where(is_same_subject, events.value[latest].astype(np.float64), np.nan)
