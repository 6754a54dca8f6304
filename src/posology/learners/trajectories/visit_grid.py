"""From histories to trajectories: a measured value at evenly spaced visits, options between them.

Visit 0 is the first measurement; a later one belongs to the nearest visit. An option is taken until
another is given or a code says that it was stopped. Components of treatment are, for each option:
taken in this step, taken in the step before, and the dose as a share of the largest (less 1).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from posology.domain.cohort import Cohort
from posology.domain.formulary import Treatment
from posology.domain.history import History
from posology.domain.outcome_trajectories import OutcomeTrajectories
from posology.domain.study import PredictionTarget
from posology.errors import UserError

MOST_VISITS, MOST_STATICS, KNOWN_SHARE = 60, 12, 0.5
"""Visits kept; baseline values used, and the share of patients who must have one."""
STOPPED_BEFORE = 0.75
"""An option that is stopped before this share of a step does not count as taken in it."""


@dataclass(frozen=True, slots=True)
class VisitGrid:
    """Which events are outcome, options and stops, and how long a step is."""

    outcome_rows: tuple[int, ...]
    """Rows of the vocabulary; so are the next three."""
    option_rows: tuple[tuple[int, ...], ...]
    stop_rows: tuple[int, ...]
    static_rows: tuple[int, ...]
    static_center: tuple[float, ...]
    static_spread: tuple[float, ...]
    largest_dose: tuple[float, ...]
    """Of each option; 0 where it has no dose."""
    step_days: float


@dataclass(frozen=True, slots=True, eq=False)
class OptionsTaken:
    """The option and the share of its largest dose in each step."""

    option: Int64[np.ndarray, "subject step"]
    """-1: none."""
    share: Float64[np.ndarray, "subject step"]


@dataclass(frozen=True, slots=True, eq=False)
class _Events:
    subject: Int64[np.ndarray, " event"]
    time: Float64[np.ndarray, " event"]
    code: Int64[np.ndarray, " event"]
    value: Float64[np.ndarray, " event"]


def fit_visit_grid(train: Cohort, target: PredictionTarget) -> VisitGrid:
    """The grid of training patients; a step is the usual time between two measurements."""
    profile, study = train.profile, train.study
    combined = [t.name for t in study.formulary.treatments if t.together or t.otherwise]
    if combined or not study.formulary.treatments:
        named = ", ".join(combined) or "there is none"
        raise UserError(
            f"study `{study.name}`: plans need options that have codes of their own ({named}); "
            "name each drug as an option of its own."
        )
    outcome = tuple(sorted(profile.rows(target.codes)))
    events = _dated(train.history)
    measured = np.isin(events.code, outcome) & ~np.isnan(events.value)
    subject, time = events.subject[measured], events.time[measured]
    gaps = np.diff(time)[np.diff(subject) == 0]
    gaps = gaps[gaps > 1]
    if not len(gaps):
        raise UserError(
            f"progression `{target.name}`: no training patient was measured on two days, so that "
            "no outcome over time can be learned; choose a value that is measured repeatedly."
        )
    options = tuple(
        tuple(sorted(profile.rows(option.codes))) for option in study.formulary.treatments
    )
    used = {*outcome, *(row for rows in options for row in rows)}
    first = _first_values(train.history, len(profile.codes))
    known = [row for row in range(len(profile.codes)) if row not in used]
    share = np.mean(~np.isnan(first), axis=0)
    varied = [r for r in known if share[r] >= KNOWN_SHARE and np.nanstd(first[:, r]) > 0]
    statics = sorted(varied, key=lambda row: -share[row])[:MOST_STATICS]
    return VisitGrid(
        outcome_rows=outcome,
        option_rows=options,
        stop_rows=tuple(sorted(profile.rows(study.outcome.unless))),
        static_rows=tuple(statics),
        static_center=tuple(float(np.nanmean(first[:, row])) for row in statics),
        static_spread=tuple(float(np.nanstd(first[:, row])) for row in statics),
        largest_dose=tuple(_largest(option) for option in study.formulary.treatments),
        step_days=_usual_gap(gaps),
    )


def _usual_gap(gaps: Float64[np.ndarray, " gap"]) -> float:
    """Median time between measurements, where a gap of two or more visits counts as so many."""
    missed = np.maximum(np.round(gaps / np.quantile(gaps, 0.25)), 1)
    return float(np.median(gaps / missed))


def _largest(option: Treatment) -> float:
    return 0.0 if option.dose is None else option.dose.high


def to_trajectories(grid: VisitGrid, history: History) -> tuple[OutcomeTrajectories, OptionsTaken]:
    """Every subject's outcome at each visit, and what was taken between visits."""
    events, subjects = _dated(history), len(history.subject_id)
    measured = np.isin(events.code, grid.outcome_rows) & ~np.isnan(events.value)
    place = (events.time - _start(grid, events, subjects)[events.subject]) / grid.step_days
    visit = np.floor(np.nan_to_num(place, nan=-1.0) + 0.5).astype(np.int64)
    kept = measured & (visit < MOST_VISITS)
    visits = int(visit[kept].max(initial=0)) + 2
    outcome = np.full((subjects, visits), np.nan)
    outcome[events.subject[kept], visit[kept]] = events.value[kept]
    taken = _take_options(grid, events, place, (subjects, visits - 1))
    statics = _first_values(history, max((*grid.static_rows, 0)) + 1)[:, list(grid.static_rows)]
    scaled = (statics - np.array(grid.static_center)) / np.array(grid.static_spread)
    before = np.concatenate([np.full((subjects, 1), -1), taken.option[:, :-1]], axis=1)
    treatment = as_components(len(grid.option_rows), taken, before)
    return OutcomeTrajectories(outcome, treatment, np.nan_to_num(scaled)), taken


def last_measured(grid: VisitGrid, history: History) -> float:
    """Day of the last dated measurement of the only patient; NaN without one."""
    events = _dated(history)
    measured = np.isin(events.code, grid.outcome_rows) & ~np.isnan(events.value)
    return float(events.time[measured].max()) if measured.any() else float("nan")


def visit_at(
    grid: VisitGrid,
    history: History,
    subject: Int64[np.ndarray, " decision"],
    time: Float64[np.ndarray, " decision"],
) -> Int64[np.ndarray, " decision"]:
    """The visit nearest to a time; -1 before the first measurement's."""
    events = _dated(history)
    place = (time - _start(grid, events, len(history.subject_id))[subject]) / grid.step_days
    return np.maximum(np.floor(np.nan_to_num(place, nan=-1.0) + 0.5), -1).astype(np.int64)


def _start(grid: VisitGrid, events: _Events, subjects: int) -> Float64[np.ndarray, " subject"]:
    """Time of each subject's first measurement."""
    measured = np.isin(events.code, grid.outcome_rows) & ~np.isnan(events.value)
    start = np.full(subjects, np.nan)
    backwards = np.flatnonzero(measured)[::-1]
    start[events.subject[backwards]] = events.time[backwards]
    return start


def as_components(
    options: int, taken: OptionsTaken, before: Int64[np.ndarray, "subject step"]
) -> Float64[np.ndarray, "subject step component"]:
    """Components of treatment; `before` is the option of the step before each."""
    each = np.arange(options)
    now = taken.option[:, :, None] == each
    dose = np.where(now, taken.share[:, :, None] - 1, 0.0)
    return np.concatenate([now, before[:, :, None] == each, dose], axis=2).astype(np.float64)


def _take_options(
    grid: VisitGrid, events: _Events, place: np.ndarray, shape: tuple[int, int]
) -> OptionsTaken:
    """Go through given options and stops in the order of time."""
    option, share = np.full(shape, -1, np.int64), np.ones(shape)
    which = np.full(int(events.code.max(initial=0)) + 1, -2)
    for number, rows in enumerate(grid.option_rows):
        which[[row for row in rows if row < len(which)]] = number
    which[[row for row in grid.stop_rows if row < len(which)]] = -1
    for at in np.flatnonzero(which[events.code] >= -1):
        subject, number = events.subject[at], which[events.code[at]]
        if np.isnan(place[at]):
            continue
        later = STOPPED_BEFORE if number == -1 else 0.5
        step = max(int(np.floor(place[at] + 1 - later)), 0)
        if step >= shape[1]:
            continue
        is_same = option[subject, step] == number
        option[subject, step:] = number
        largest = grid.largest_dose[number] if number >= 0 else 0.0
        if largest and not np.isnan(events.value[at]):
            share[subject, step:] = events.value[at] / largest
        elif not is_same:
            share[subject, step:] = 1.0
    return OptionsTaken(option, share)


def _dated(history: History) -> _Events:
    step = np.repeat(np.arange(len(history.time)), np.diff(history.event_offsets))
    subject = np.searchsorted(history.step_offsets, step, side="right") - 1
    time = history.time[step]
    kept = ~np.isnan(time)
    return _Events(
        subject[kept],
        time[kept],
        history.code[kept].astype(np.int64),
        history.value[kept].astype(np.float64),
    )


def _first_values(history: History, codes: int) -> Float64[np.ndarray, "subject code"]:
    """Each subject's first number of each code; NaN where there is none."""
    step = np.repeat(np.arange(len(history.time)), np.diff(history.event_offsets))
    subject = np.searchsorted(history.step_offsets, step, side="right") - 1
    first = np.full((len(history.subject_id), codes), np.nan)
    kept = np.flatnonzero(~np.isnan(history.value) & (history.code < codes))[::-1]
    first[subject[kept], history.code[kept]] = history.value[kept]
    return first
