"""What was seen so far, and what came of each treatment: a row a decision.

Where patients differ in what works, no last value tells them apart, but how they fared on each
option does. A learner that sees this row need not find it in the course by itself.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Float64, Int32

from posology.domain.cohort import Cohort
from posology.domain.history import History, StepIndex
from posology.learners.features.last_values import (
    changes_within_subject,
    latest_values,
    mean_and_spread,
    standard_scores,
)
from posology.learners.features.pieces import (
    INTERVALS,
    NO_PIECES,
    Pieces,
    fit_pieces,
    in_pieces,
)
from posology.learners.features.treatments_given import treatment_of_code
from posology.learners.features.visit_layout import VisitLayout, lay_out_visits, total_so_far

MOST_COLUMNS = 512
"""About as many at most; of more numbers, those most often recorded are used. Our choice."""


@dataclass(frozen=True, slots=True, eq=False)
class ResponseSpec:
    """The columns: means of each number and of its pieces; its mean change on each option."""

    number: Int32[np.ndarray, " number"]
    """Vocabulary rows of the codes with numbers that change within a patient."""
    option: Int32[np.ndarray, " code"]
    """Treatment that each row of the vocabulary records; -1 for none."""
    treatments: int
    pieces: Pieces
    center: Float32[np.ndarray, " column"]
    scale: Float32[np.ndarray, " column"]


def fit_responses(cohort: Cohort) -> ResponseSpec:
    """Columns and scales from training decisions."""
    history, treatments = cohort.history, len(cohort.study.formulary.treatments)
    codes = np.bincount(history.code[~np.isnan(history.value)], minlength=len(cohort.profile.codes))
    often = np.argsort(-codes, kind="stable")[: np.count_nonzero(codes)]
    changing = [code for code in often if changes_within_subject(history, int(code))]
    number = np.sort(changing[: MOST_COLUMNS // (1 + INTERVALS + treatments)]).astype(np.int32)
    none = np.zeros(0, np.float32)
    spec = ResponseSpec(number, treatment_of_code(cohort), treatments, NO_PIECES, none, none)
    layout = lay_out_visits(spec.option, history, cohort.last_step)
    spec = replace(spec, pieces=fit_pieces(latest_values(number, history, layout.end)))
    center, scale = mean_and_spread(_columns(spec, history, cohort.last_step))
    scale = np.where(scale > 1e-6, scale, 0.0)
    return replace(spec, center=center.astype(np.float32), scale=scale.astype(np.float32))


def build_responses(
    spec: ResponseSpec, history: History, decisions: StepIndex
) -> Float32[np.ndarray, "decision column"]:
    """Standardised, 0 where not known; from visible events only."""
    return standard_scores(_columns(spec, history, decisions), spec.center, spec.scale)


def _columns(
    spec: ResponseSpec, history: History, decisions: StepIndex
) -> Float64[np.ndarray, "decision column"]:
    layout = lay_out_visits(spec.option, history, decisions)
    raw = latest_values(spec.number, history, layout.end).astype(np.float64)
    seen = np.hstack([raw, in_pieces(spec.pieces, raw)])
    change = np.where(layout.is_first[:, None], np.nan, raw - np.roll(raw, 1, 0))
    on_option = layout.given[:, None, None] == np.arange(spec.treatments)[:, None]
    changes = np.where(on_option, change[:, None], np.nan).reshape(len(raw), -1)
    # An option that was not tried has changed nothing.
    means = [mean_so_far(seen, layout), np.nan_to_num(mean_so_far(changes, layout))]
    return np.hstack(means)[layout.decision]


def mean_so_far(
    values: Float64[np.ndarray, "visit column"], layout: VisitLayout
) -> Float64[np.ndarray, "visit column"]:
    """Mean of the known values of a sequence up to each visit; NaN where none is known."""
    known = ~np.isnan(values)
    total = total_so_far(np.where(known, values, 0.0), layout)
    count = total_so_far(known.astype(np.float64), layout)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
