"""A patient's visits in order, each from the treatment before it to the next one.

A visit holds what was recorded since the last one ended: the treatment given there, then what was
seen until the next treatment is due. So what was tried, and what came of it, stand side by side.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64

from posology.domain.cohort import Cohort
from posology.domain.history import (
    History,
    StepIndex,
    offsets_from_counts,
    ragged_arange,
    subject_rows,
)
from posology.learners.features.pieces import NO_PIECES, Pieces, fit_pieces, in_pieces
from posology.learners.features.recent_window import (
    MAX_STANDARD_SCORE,
    latest_values,
    mean_and_spread,
)
from posology.learners.features.treatments_given import treatment_of_code, treatment_of_step

RUN_SCALE = 4.0
"""Visits on one option, and earlier treatments, are divided by this before their logarithm."""


@dataclass(frozen=True, slots=True, eq=False)
class VisitSpec:
    """What a visit's row holds."""

    value_code: Int32[np.ndarray, " number"]
    """Vocabulary rows of the codes with numbers."""
    flag_code: Int32[np.ndarray, " flag"]
    """Vocabulary rows of the codes without; those of treatments are among them."""
    option: Int32[np.ndarray, " code"]
    """Treatment that each row of the vocabulary records; -1 for none."""
    treatments: int
    center: Float32[np.ndarray, " column"]
    scale: Float32[np.ndarray, " column"]
    """Of the columns of `Visits.values` on training visits; the scale is 0 where constant."""
    pieces: Pieces = NO_PIECES
    """Of the numbers of `value_code`."""


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """Rows of visits, sequence after sequence, and the visit of each decision."""

    values: Float32[np.ndarray, "visit column"]
    """Standardised: last numbers, their change since the last visit, whether they are known; how
    often each option was given, visits on the current one; time since the last and first visit;
    the last numbers in pieces."""
    flag: Int64[np.ndarray, " present"]
    """Positions in `flag_code` of the codes in each visit."""
    flag_offsets: Int64[np.ndarray, " visit_plus_one"]
    offsets: Int64[np.ndarray, " sequence_plus_one"]
    """Visits of sequence i are rows offsets[i] to offsets[i + 1]."""
    subject: Int64[np.ndarray, " sequence"]
    """In ascending order; a subject has more than one sequence only where a decision stands
    between two treatments, none of which was given there."""
    decision: Int64[np.ndarray, " decision"]
    """The visit at whose end each decision is made."""


def fit_visits(cohort: Cohort) -> VisitSpec:
    """Columns and scales from training decisions."""
    history, profile = cohort.history, cohort.profile
    codes = len(profile.codes)
    has_value = ~np.isnan(history.value)
    option = treatment_of_code(cohort)
    counted = [np.bincount(history.code[m], minlength=codes) > 0 for m in (has_value, ~has_value)]
    number, flag = (np.flatnonzero(c).astype(np.int32) for c in counted)
    none = np.zeros(0, np.float32)
    spec = VisitSpec(number, flag, option, len(cohort.study.formulary.treatments), none, none)
    layout = _layout(spec, history, cohort.last_step)
    spec = replace(spec, pieces=fit_pieces(latest_values(number, history, layout.end)))
    columns = _columns(spec, history, layout)
    center, scale = mean_and_spread(columns)
    return replace(
        spec,
        center=center.astype(np.float32),
        scale=np.where(scale > 1e-6, scale, 0.0).astype(np.float32),
    )


def build_visits(spec: VisitSpec, history: History, decisions: StepIndex) -> Visits:
    """The visits up to each decision, from its visible events only."""
    layout = _layout(spec, history, decisions)
    columns = _columns(spec, history, layout) - spec.center
    scaled = np.divide(columns, spec.scale, out=np.zeros_like(columns), where=spec.scale > 0)
    scores = np.nan_to_num(scaled, nan=0.0).clip(-MAX_STANDARD_SCORE, MAX_STANDARD_SCORE)
    values = scores.astype(np.float32)
    starts = history.event_offsets[layout.start]
    counts = history.event_offsets[layout.end + 1] - starts
    code = history.code[ragged_arange(starts, counts)]
    owner = np.repeat(np.arange(len(counts)), counts)
    is_flag = np.isin(code, spec.flag_code)
    return Visits(
        values,
        np.searchsorted(spec.flag_code, code[is_flag]).astype(np.int64),
        offsets_from_counts(np.bincount(owner[is_flag], minlength=len(counts))),
        layout.offsets,
        layout.subject,
        layout.decision,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """First and last step of each visit."""

    start: Int64[np.ndarray, " visit"]
    end: Int64[np.ndarray, " visit"]
    given: Int64[np.ndarray, " step"]
    """Treatment recorded in each step of the History; -1 for none."""
    offsets: Int64[np.ndarray, " sequence_plus_one"]
    subject: Int64[np.ndarray, " sequence"]
    decision: Int64[np.ndarray, " decision"]


def _layout(spec: VisitSpec, history: History, decisions: StepIndex) -> _Layout:
    """Visits end before each treatment, and at the decision."""
    given = treatment_of_step(spec.option, history)
    first = history.step_offsets[:-1]
    follows = np.append(given[1:] >= 0, False)
    follows[history.step_offsets[1:][np.diff(history.step_offsets) > 0] - 1] = False
    ends = np.flatnonzero(follows)
    subject = subject_rows(history, decisions)
    final = np.full(len(first), -1, np.int64)
    np.maximum.at(final, subject, decisions)
    shares = follows[decisions] | (decisions == final[subject])
    pairs = np.concatenate(
        [
            np.stack([subject[shares], final[subject[shares]]], 1),
            np.stack([subject[~shares], decisions[~shares]], 1),
        ]
    )
    pairs = np.unique(pairs, axis=0)
    low = np.searchsorted(ends, first[pairs[:, 0]])
    complete = np.searchsorted(ends, pairs[:, 1]) - low
    offsets = offsets_from_counts(complete + 1)
    end = np.empty(offsets[-1], np.int64)
    is_last = np.zeros(len(end), dtype=bool)
    is_last[offsets[1:] - 1] = True
    end[~is_last], end[is_last] = ends[ragged_arange(low, complete)], pairs[:, 1]
    start = np.append(0, end[:-1] + 1)[: len(end)]
    start[offsets[:-1]] = first[pairs[:, 0]]
    target = np.where(shares, final[subject], decisions)
    width = max(len(history.time), 1)
    sequence = np.searchsorted(pairs[:, 0] * width + pairs[:, 1], subject * width + target)
    place = np.searchsorted(ends, decisions) - low[sequence]
    return _Layout(start, end, given, offsets, pairs[:, 0], offsets[sequence] + place)


def _columns(
    spec: VisitSpec, history: History, layout: _Layout
) -> Float64[np.ndarray, "visit column"]:
    """The columns before they are standardised; NaN where a number is not known."""
    raw = latest_values(spec.value_code, history, layout.end).astype(np.float64)
    is_first = np.zeros(len(raw), dtype=bool)
    is_first[layout.offsets[:-1]] = True
    known = ~np.isnan(raw)
    change = np.where(
        known & np.roll(known, 1, 0) & ~is_first[:, None], raw - np.roll(raw, 1, 0), 0
    )
    return np.hstack(
        [
            raw,
            change,
            known,
            _treatments_so_far(spec, layout, is_first),
            _times(history, layout, is_first),
            in_pieces(spec.pieces, raw),
        ]
    )


def _treatments_so_far(
    spec: VisitSpec, layout: _Layout, is_first: Bool[np.ndarray, " visit"]
) -> Float64[np.ndarray, "visit column"]:
    """How often each option was given, and for how many visits the last one."""
    last, rows = np.full(len(is_first), -1, np.int64), len(is_first)
    steps = layout.end - layout.start + 1
    owner = np.repeat(np.arange(rows), steps)
    given = layout.given[ragged_arange(layout.start, steps)]
    some = given >= 0
    last[owner[some]] = given[some]  # in order of time: the last one is written last
    chosen = np.zeros((rows, spec.treatments))
    chosen[np.flatnonzero(last >= 0), last[last >= 0]] = 1.0
    total = np.cumsum(chosen, axis=0)
    sequence = np.cumsum(is_first) - 1
    before = np.vstack([np.zeros((1, spec.treatments)), total])[layout.offsets[:-1]]
    changed = is_first | (last != np.roll(last, 1))
    row = np.arange(rows)
    run = row - np.maximum.accumulate(np.where(changed, row, 0)) if rows else row
    counts = np.column_stack([total - before[sequence], run * (last >= 0)])
    return np.log1p(counts / RUN_SCALE)


def _times(
    history: History, layout: _Layout, is_first: Bool[np.ndarray, " visit"]
) -> Float64[np.ndarray, "visit 3"]:
    """Logarithm of the days since the last and the first visit, and of the visit's number."""
    now = history.time[layout.end]
    opening = np.repeat(now[layout.offsets[:-1]], np.diff(layout.offsets))
    gap = np.where(is_first, 0.0, now - np.roll(now, 1))
    number = ragged_arange(np.zeros(len(layout.subject), np.int64), np.diff(layout.offsets))
    since = np.nan_to_num(np.column_stack([gap, now - opening])).clip(0.0)
    return np.column_stack([np.log1p(since), np.log1p(number)])
