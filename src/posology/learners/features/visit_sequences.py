"""A patient's visits in order, each a row of numbers and codes."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from posology.domain.cohort import Cohort
from posology.domain.history import History, StepIndex, offsets_from_counts, ragged_arange
from posology.learners.features.last_values import latest_values, mean_and_spread, standard_scores
from posology.learners.features.pieces import NO_PIECES, Pieces, fit_pieces, in_pieces
from posology.learners.features.treatments_given import treatment_of_code
from posology.learners.features.visit_layout import VisitLayout, lay_out_visits, total_so_far

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
    remembers: bool = True
    """Whether a visit follows those before it; else each stands alone, without past treatments."""


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
    """In ascending order; a subject has more than one sequence only where nothing is remembered,
    or a decision stands between two treatments, none of which was given there."""
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
    layout = lay_out_visits(spec.option, history, cohort.last_step)
    spec = replace(spec, pieces=fit_pieces(latest_values(number, history, layout.end)))
    columns = _columns(spec, history, layout)
    center, scale = mean_and_spread(columns)
    return replace(
        spec,
        center=center.astype(np.float32),
        scale=np.where(scale > 1e-6, scale, 0.0).astype(np.float32),
    )


def without_memory(spec: VisitSpec) -> VisitSpec:
    """The same of each visit alone: what it holds, but for the treatments given before."""
    numbers, times = len(spec.value_code), 3
    before = np.zeros(len(spec.scale), dtype=bool)
    before[numbers : 2 * numbers] = True  # change since the last visit
    before[3 * numbers : 3 * numbers + spec.treatments + 1 + times] = True
    return replace(
        spec,
        flag_code=spec.flag_code[spec.option[spec.flag_code] < 0],
        scale=np.where(before, np.float32(0.0), spec.scale),
        remembers=False,
    )


def build_visits(spec: VisitSpec, history: History, decisions: StepIndex) -> Visits:
    """The visits up to each decision, from its visible events only."""
    layout = lay_out_visits(spec.option, history, decisions)
    values = standard_scores(_columns(spec, history, layout), spec.center, spec.scale)
    starts = history.event_offsets[layout.start]
    counts = history.event_offsets[layout.end + 1] - starts
    code = history.code[ragged_arange(starts, counts)]
    owner = np.repeat(np.arange(len(counts)), counts)
    is_flag = np.isin(code, spec.flag_code)
    offsets, subject = layout.offsets, layout.subject
    if not spec.remembers:
        subject = np.repeat(subject, np.diff(offsets))
        offsets = np.arange(len(subject) + 1)
    return Visits(
        values,
        np.searchsorted(spec.flag_code, code[is_flag]).astype(np.int64),
        offsets_from_counts(np.bincount(owner[is_flag], minlength=len(counts))),
        offsets,
        subject,
        layout.decision,
    )


def _columns(
    spec: VisitSpec, history: History, layout: VisitLayout
) -> Float64[np.ndarray, "visit column"]:
    """The columns before they are standardised; NaN where a number is not known."""
    raw = latest_values(spec.value_code, history, layout.end).astype(np.float64)
    is_first = layout.is_first
    known = ~np.isnan(raw)
    change = np.where(
        known & np.roll(known, 1, 0) & ~is_first[:, None], raw - np.roll(raw, 1, 0), 0
    )
    return np.hstack(
        [
            raw,
            change,
            known,
            _treatments_so_far(spec, layout),
            _times(history, layout),
            in_pieces(spec.pieces, raw),
        ]
    )


def _treatments_so_far(spec: VisitSpec, layout: VisitLayout) -> Float64[np.ndarray, "visit column"]:
    """How often each option was given, and for how many visits the last one."""
    last = layout.given
    chosen = (last[:, None] == np.arange(spec.treatments)).astype(np.float64)
    changed = layout.is_first | (last != np.roll(last, 1))
    row = np.arange(len(last))
    run = row - np.maximum.accumulate(np.where(changed, row, 0)) if len(row) else row
    counts = np.column_stack([total_so_far(chosen, layout), run * (last >= 0)])
    return np.log1p(counts / RUN_SCALE)


def _times(history: History, layout: VisitLayout) -> Float64[np.ndarray, "visit 3"]:
    """Logarithm of the days since the last and the first visit, and of the visit's number."""
    now = history.time[layout.end]
    opening = np.repeat(now[layout.offsets[:-1]], np.diff(layout.offsets))
    gap = np.where(layout.is_first, 0.0, now - np.roll(now, 1))
    number = ragged_arange(np.zeros(len(layout.subject), np.int64), np.diff(layout.offsets))
    since = np.nan_to_num(np.column_stack([gap, now - opening])).clip(0.0)
    return np.column_stack([np.log1p(since), np.log1p(number)])
