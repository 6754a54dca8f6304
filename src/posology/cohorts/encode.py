"""A stream of events becomes a History in a profile's vocabulary; what it does not know is told."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from posology.cohorts.events.stream import EventStream, has_any_code, subject_runs
from posology.cohorts.events.windows import DecisionTimes, count_before, make_event_times
from posology.domain.codes import has_prefix
from posology.domain.formulas.formula import evaluate_formula, fit_fill_values, refit_formula
from posology.domain.history import History, offsets_from_counts
from posology.domain.profile import Profile
from posology.domain.study import Study

_TABLE = 200_000_000
"""Bytes that a table of subjects by codes may take; a sort does it beyond. Our choice."""


def build_history(
    events: EventStream,
    subjects: Int64[np.ndarray, " subject"],
    codes: tuple[str, ...],
    treatments: tuple[str, ...],
) -> History:
    """The subjects' histories in a vocabulary.

    Every subject has a first, static step, empty where nothing is static. A moment at which a
    treatment was given makes two steps: what was known, then the treatment.
    """
    number = {code: row for row, code in enumerate(codes)}
    known = np.array([number.get(code, -1) for code in events.codes], dtype=np.int32)
    if not len(subjects) or not len(known):
        nothing = np.zeros(0, np.int64)
        return _stepped(subjects, nothing, nothing, nothing.astype(float), nothing, nothing > 0)
    there, run = subject_runs(events)
    row_of_run = np.searchsorted(subjects, there)
    mine = subjects[np.minimum(row_of_run, len(subjects) - 1)] == there
    mapped = known[events.code]
    keep = np.flatnonzero((mapped >= 0) & mine[run])
    row, code = row_of_run[run[keep]], mapped[keep]
    time, value = events.time[keep], events.value[keep]
    given = has_any_code(events, treatments)[keep] & ~np.isnan(time)
    if given.any():
        # The stream is in order but for treatments, which come last at their moment.
        when = np.nan_to_num(time, nan=-np.inf)
        moment = np.zeros(len(row), dtype=np.int64)
        moment[1:] = np.cumsum((row[1:] != row[:-1]) | (when[1:] != when[:-1]))
        order = np.argsort(2 * moment + given, kind="stable")
        row, code, time, value = row[order], code[order], time[order], value[order]
        given = given[order]
    return _stepped(subjects, row, code, time, value, given)


def _stepped(subjects, row, code, time, value, given) -> History:
    """Cut sorted events into steps, a static one first for every subject."""
    count = len(subjects)
    when = np.nan_to_num(time, nan=-np.inf)
    new = np.ones(len(row), dtype=bool)
    new[1:] = (row[1:] != row[:-1]) | (when[1:] != when[:-1]) | (given[1:] != given[:-1])
    static = np.isnan(time)
    starts = np.flatnonzero(new & ~static)
    steps = 1 + np.bincount(row[starts], minlength=count)
    step_offsets = offsets_from_counts(steps.astype(np.int64))
    step_of_event = step_offsets[row]
    dated = np.cumsum(new & ~static) - 1
    first_dated = np.zeros(count, dtype=np.int64)
    np.add.at(first_dated, row[starts], 1)
    before = np.concatenate([[0], np.cumsum(first_dated)])[:-1]
    step_of_event = np.where(static, step_of_event, step_of_event + 1 + dated - before[row])
    times = np.full(int(step_offsets[-1]), np.nan)
    times[step_of_event[starts]] = time[starts]
    counts = np.bincount(step_of_event, minlength=len(times)).astype(np.int64)
    return History(
        code=code.astype(np.int32),
        value=value.astype(np.float32),
        event_offsets=offsets_from_counts(counts),
        time=times,
        step_offsets=step_offsets,
        subject_id=subjects.astype(np.int64),
    )


def unknown_codes(events: EventStream, codes: tuple[str, ...]) -> Mapping[str, int]:
    """Codes of the events that the vocabulary lacks, with how often they occur."""
    known = set(codes)
    counts = np.bincount(events.code, minlength=len(events.codes))
    return {code: int(n) for code, n in zip(events.codes, counts, strict=True) if code not in known}


@dataclass(frozen=True, slots=True, eq=False)
class CodeStatistics:
    """What the vocabulary and the scaling are made of, code by code; tallies of chunks add up."""

    patients: Float64[np.ndarray, " code"]
    count: Float64[np.ndarray, " code"]
    mean: Float64[np.ndarray, " code"]
    square: Float64[np.ndarray, " code"]
    """Sum of squared distances from the mean."""


def code_statistics(
    history: History, learns: Bool[np.ndarray, " event"], codes: int
) -> CodeStatistics:
    """Of the events that are learned from, and of no others."""
    events = np.diff(history.event_offsets)[: len(history.time)]
    subject = np.repeat(_owner(history), events)[learns]
    code = history.code[learns].astype(np.int64)
    patients = _patients(subject * codes + code, len(history.subject_id), codes)
    value = history.value[learns].astype(np.float64)
    numbers = ~np.isnan(value)
    code, value = code[numbers], value[numbers]
    count = np.bincount(code, minlength=codes).astype(np.float64)
    # Of nothing, bincount gives integers.
    mean = np.bincount(code, value, codes).astype(np.float64) / np.maximum(count, 1)
    square = np.bincount(code, (value - mean[code]) ** 2, codes).astype(np.float64)
    return CodeStatistics(patients, count, mean, square)


def _patients(
    pair: Int64[np.ndarray, " learned"], subjects: int, codes: int
) -> Float64[np.ndarray, " code"]:
    """How many subjects have each code; pair: subject * codes + code."""
    if subjects * codes <= _TABLE:
        there = np.zeros(subjects * codes, dtype=bool)
        there[pair] = True
        return there.reshape(subjects, codes).sum(axis=0).astype(np.float64)
    distinct = np.unique(pair) % max(codes, 1)
    return np.bincount(distinct, minlength=codes).astype(np.float64)


def merge_statistics(a: CodeStatistics, b: CodeStatistics) -> CodeStatistics:
    """Two chunks' statistics (Chan, Golub and LeVeque 1979, equation 2.1)."""
    count = a.count + b.count
    apart = b.mean - a.mean
    share = b.count / np.maximum(count, 1)
    return CodeStatistics(
        a.patients + b.patients,
        count,
        a.mean + apart * share,
        a.square + b.square + apart**2 * a.count * share,
    )


def place_statistics(
    small: CodeStatistics, rows: Int64[np.ndarray, " own"], codes: int
) -> CodeStatistics:
    """The statistics of some codes among more, each at its row."""

    def wide(told: np.ndarray) -> np.ndarray:
        out = np.zeros(codes)
        out[rows] = told
        return out

    return CodeStatistics(
        wide(small.patients), wide(small.count), wide(small.mean), wide(small.square)
    )


def fit_profile(total: CodeStatistics, codes: tuple[str, ...], study: Study) -> Profile:
    """Vocabulary and scaling from the training patients.

    Codes of contraindications stay, however rare.
    """
    required = tuple(
        code
        for rule in study.safety
        for code in (*rule.visible, *(c for span in rule.ranges for c in span.codes))
    )
    is_required = np.array([any(has_prefix(c, p) for p in required) for c in codes], dtype=bool)
    enough = total.patients >= np.where(is_required, 1, study.profile.minimum_patients)
    kept = np.flatnonzero(enough & (total.patients > 0))
    spread = np.sqrt(total.square / np.maximum(total.count, 1))
    spread[spread < 1e-6] = 1.0
    return Profile(
        tuple(codes[i] for i in kept),
        total.mean[kept].astype(np.float32),
        spread[kept].astype(np.float32),
    )


def with_descriptions(profile: Profile, meanings: Mapping[str, str | None]) -> Profile:
    """The profile with what its codes mean, where that is known of any."""
    titles = tuple(meanings.get(code) or "" for code in profile.codes)
    return replace(profile, titles=titles if any(titles) else ())


def refit_formulas(
    profile: Profile,
    study: Study,
    history: History,
    learners: Int64[np.ndarray, " learner"],
    dose: Float64[np.ndarray, " learner"],
) -> Profile:
    """The profile with the study's formulas refitted on the static facts of the learners.

    learners: rows of the history's subjects that learn, with the dose that proved right for each.
    """
    if not study.profile.refit:
        return profile
    static = history.step_offsets[:-1][learners]
    fitted = []
    for formula in study.profile.refit:
        filled = fit_fill_values(formula, study.profile.fill_groups, history, static, profile.codes)
        fitted.append(refit_formula(filled, history, static, profile.codes, dose))
    answers = np.stack([evaluate_formula(f, history, static, profile.codes) for f in fitted])
    return Profile(
        codes=profile.codes + tuple(f.event for f in fitted),
        center=np.concatenate([profile.center, answers.mean(1).astype(np.float32)]),
        spread=np.concatenate([profile.spread, answers.std(1).astype(np.float32)]),
        formulas=tuple(fitted),
    )


def remap_codes(
    history: History, last_step: Int64[np.ndarray, " decision"], row: Int32[np.ndarray, " code"]
) -> tuple[History, Int64[np.ndarray, " decision"]]:
    """Events whose code has a new row (-1: none) and steps that still hold any, or are static."""
    code = row[history.code] if len(row) else history.code
    keep = code >= 0
    kept_before = np.concatenate([[0], np.cumsum(keep)])
    counts = np.diff(kept_before[history.event_offsets])
    static = np.zeros(len(history.time), dtype=bool)
    static[history.step_offsets[:-1]] = True
    stays = static | (counts > 0)
    steps_before = np.concatenate([[0], np.cumsum(stays)])
    return History(
        code=code[keep].astype(np.int32),
        value=history.value[keep],
        event_offsets=offsets_from_counts(counts[stays].astype(np.int64)),
        time=history.time[stays],
        step_offsets=steps_before[history.step_offsets].astype(np.int64),
        subject_id=history.subject_id,
    ), (steps_before[last_step + 1] - 1).astype(np.int64)


def last_visible_step(
    history: History, at: DecisionTimes, treatments: Bool[np.ndarray, " code"]
) -> Int64[np.ndarray, " decision"]:
    """The last step each decision may see: none after it, and no treatment of its own moment.

    treatments: which codes of the history mean that an option was given.
    """
    when = np.nan_to_num(history.time, nan=-np.inf)
    nothing = np.zeros(len(when), np.int32)
    last = count_before(make_event_times(_owner(history), when, when, nothing), at) - 1
    filled = history.event_offsets[last + 1] > history.event_offsets[last]
    first = np.minimum(history.event_offsets[last], max(len(history.code) - 1, 0))
    given = np.zeros(len(last), dtype=bool)
    if len(history.code):
        given = filled & treatments[history.code[first]] & (history.time[last] == at.time)
    return last - given


def _owner(history: History) -> Int64[np.ndarray, " step"]:
    return np.repeat(np.arange(len(history.subject_id)), np.diff(history.step_offsets))
