"""Encode sorted events as a History in a vocabulary, and fit the Profile."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from posology.cohorts.events.stream import EventStream, has_any_code, subject_runs
from posology.cohorts.events.windows import DecisionTimes, count_before, make_event_times
from posology.domain.codes import Names, given_name, has_prefix, vocabulary_rows
from posology.domain.formulas.formula import evaluate_formula, fit_fill_values, refit_formula
from posology.domain.history import History, offsets_from_counts
from posology.domain.images import take_image_rows
from posology.domain.profile import Profile
from posology.domain.study import Study

_MAX_TABLE = 200_000_000
"""Largest table of subjects by codes, in bytes; above it codes are sorted. Our choice."""


def build_history(
    events: EventStream,
    subjects: Int64[np.ndarray, " subject"],
    codes: tuple[str, ...],
    treatments: tuple[str, ...],
) -> History:
    """The subjects' histories in a vocabulary.

    Every subject's first step is static; it may be empty. A time at which a treatment was given
    makes two steps: first what was known, then the treatment.
    """
    row_of = vocabulary_rows(codes)
    vocabulary_row = np.array([row_of.get(code, -1) for code in events.codes], dtype=np.int32)
    if not len(subjects) or not len(vocabulary_row):
        none = np.zeros(0, np.int64)
        return _cut_steps(subjects, none, none, none.astype(float), none, none > 0)
    present, run = subject_runs(events)
    row_of_run = np.searchsorted(subjects, present)
    is_wanted = subjects[np.minimum(row_of_run, len(subjects) - 1)] == present
    code_row = vocabulary_row[events.code]
    keep = np.flatnonzero((code_row >= 0) & is_wanted[run])
    row, code = row_of_run[run[keep]], code_row[keep]
    time, value = events.time[keep], events.value[keep]
    is_treatment = has_any_code(events, treatments)[keep] & ~np.isnan(time)
    if is_treatment.any():
        # The events are in order, but treatments must be the last ones of their time.
        when = np.nan_to_num(time, nan=-np.inf)
        time_rank = np.zeros(len(row), dtype=np.int64)
        time_rank[1:] = np.cumsum((row[1:] != row[:-1]) | (when[1:] != when[:-1]))
        order = np.argsort(2 * time_rank + is_treatment, kind="stable")
        row, code, time, value = row[order], code[order], time[order], value[order]
        is_treatment = is_treatment[order]
    return _cut_steps(subjects, row, code, time, value, is_treatment)


def _cut_steps(subjects, row, code, time, value, is_treatment) -> History:
    """The History of sorted events, cut into steps."""
    count = len(subjects)
    when = np.nan_to_num(time, nan=-np.inf)
    new = np.ones(len(row), dtype=bool)
    new[1:] = (
        (row[1:] != row[:-1]) | (when[1:] != when[:-1]) | (is_treatment[1:] != is_treatment[:-1])
    )
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
    """Codes of the events that are not in the vocabulary, with their counts."""
    known = set(codes)
    counts = np.bincount(events.code, minlength=len(events.codes))
    return {code: int(n) for code, n in zip(events.codes, counts, strict=True) if code not in known}


@dataclass(frozen=True, slots=True, eq=False)
class CodeStatistics:
    """Counts and moments of each code, for vocabulary and scaling; chunks can be merged."""

    patients: Float64[np.ndarray, " code"]
    count: Float64[np.ndarray, " code"]
    mean: Float64[np.ndarray, " code"]
    square: Float64[np.ndarray, " code"]
    """Sum of squared deviations from the mean."""


def code_statistics(
    history: History, is_train: Bool[np.ndarray, " event"], codes: int
) -> CodeStatistics:
    """Statistics of the training events. codes: size of the vocabulary."""
    events = np.diff(history.event_offsets)[: len(history.time)]
    subject = np.repeat(_step_subject(history), events)[is_train]
    code = history.code[is_train].astype(np.int64)
    patients = _patients(subject * codes + code, len(history.subject_id), codes)
    value = history.value[is_train].astype(np.float64)
    numbers = ~np.isnan(value)
    code, value = code[numbers], value[numbers]
    count = np.bincount(code, minlength=codes).astype(np.float64)
    # bincount returns integers if there are no numbers.
    mean = np.bincount(code, value, codes).astype(np.float64) / np.maximum(count, 1)
    square = np.bincount(code, (value - mean[code]) ** 2, codes).astype(np.float64)
    return CodeStatistics(patients, count, mean, square)


def _patients(
    pair: Int64[np.ndarray, " learned"], subjects: int, codes: int
) -> Float64[np.ndarray, " code"]:
    """Number of subjects with each code. pair: subject * codes + code."""
    if subjects * codes <= _MAX_TABLE:
        has_pair = np.zeros(subjects * codes, dtype=bool)
        has_pair[pair] = True
        return has_pair.reshape(subjects, codes).sum(axis=0).astype(np.float64)
    distinct = np.unique(pair) % max(codes, 1)
    return np.bincount(distinct, minlength=codes).astype(np.float64)


def merge_statistics(a: CodeStatistics, b: CodeStatistics) -> CodeStatistics:
    """Statistics of two chunks together (Chan, Golub and LeVeque 1979, equation 2.1)."""
    count = a.count + b.count
    difference = b.mean - a.mean
    share = b.count / np.maximum(count, 1)
    return CodeStatistics(
        a.patients + b.patients,
        count,
        a.mean + difference * share,
        a.square + b.square + difference**2 * a.count * share,
    )


def place_statistics(
    small: CodeStatistics, rows: Int64[np.ndarray, " own"], codes: int
) -> CodeStatistics:
    """The statistics in a larger vocabulary, each code at its row there."""

    def place(column: np.ndarray) -> np.ndarray:
        placed = np.zeros(codes)
        placed[rows] = column
        return placed

    return CodeStatistics(
        place(small.patients), place(small.count), place(small.mean), place(small.square)
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
    rows = np.flatnonzero(enough & (total.patients > 0))
    spread = np.sqrt(total.square / np.maximum(total.count, 1))
    spread[spread < 1e-6] = 1.0
    return Profile(
        tuple(codes[i] for i in rows),
        total.mean[rows].astype(np.float32),
        spread[rows].astype(np.float32),
    )


def with_descriptions(
    profile: Profile, names: Names, descriptions: Mapping[str, str | None]
) -> Profile:
    """The profile with names: the study's, the records' description, else the study's of a prefix.

    Without any if no code has one.
    """
    exact = dict(names)
    titles = tuple(
        exact.get(code) or descriptions.get(code) or given_name(code, names)
        for code in profile.codes
    )
    return replace(profile, titles=titles if any(titles) else ())


def with_units(profile: Profile, units: Mapping[str, str]) -> Profile:
    """The profile with the unit of each code; without any if no code has one."""
    found = tuple(units.get(code, "") for code in profile.codes)
    return replace(profile, units=found if any(found) else ())


def refit_formulas(
    profile: Profile,
    study: Study,
    history: History,
    train_subjects: Int64[np.ndarray, " train_subject"],
    dose: Float64[np.ndarray, " train_subject"],
) -> Profile:
    """The profile with the study's formulas refitted on static facts of the training subjects.

    train_subjects: their rows in the history. dose: the stable dose of each.
    """
    if not study.profile.refit:
        return profile
    static = history.step_offsets[:-1][train_subjects]
    fitted = []
    for formula in study.profile.refit:
        filled = fit_fill_values(formula, study.profile.fill_groups, history, static, profile.codes)
        fitted.append(refit_formula(filled, history, static, profile.codes, dose))
    results = np.stack([evaluate_formula(f, history, static, profile.codes) for f in fitted])
    return Profile(
        codes=profile.codes + tuple(f.event for f in fitted),
        center=np.concatenate([profile.center, results.mean(1).astype(np.float32)]),
        spread=np.concatenate([profile.spread, results.std(1).astype(np.float32)]),
        formulas=tuple(fitted),
    )


def remap_codes(
    history: History, last_step: Int64[np.ndarray, " decision"], row: Int32[np.ndarray, " code"]
) -> tuple[History, Int64[np.ndarray, " decision"]]:
    """The history in a new vocabulary: drop events without a row there, and steps left empty.

    row: new row of each code, -1 if it has none. Static steps stay, even if empty.
    """
    code = row[history.code] if len(row) else history.code
    keep = code >= 0
    events_before = np.concatenate([[0], np.cumsum(keep)])
    counts = np.diff(events_before[history.event_offsets])
    static = np.zeros(len(history.time), dtype=bool)
    static[history.step_offsets[:-1]] = True
    keep_step = static | (counts > 0)
    steps_before = np.concatenate([[0], np.cumsum(keep_step)])
    return History(
        code=code[keep].astype(np.int32),
        value=history.value[keep],
        event_offsets=offsets_from_counts(counts[keep_step].astype(np.int64)),
        time=history.time[keep_step],
        step_offsets=steps_before[history.step_offsets].astype(np.int64),
        subject_id=history.subject_id,
        images=take_image_rows(history.images, np.flatnonzero(keep)),
    ), (steps_before[last_step + 1] - 1).astype(np.int64)


def last_visible_step(
    history: History, at: DecisionTimes, treatments: Bool[np.ndarray, " code"]
) -> Int64[np.ndarray, " decision"]:
    """Last step visible to each decision: none after its time, and no treatment at its own time.

    treatments: whether each code of the vocabulary says that an option was given.
    """
    when = np.nan_to_num(history.time, nan=-np.inf)
    no_code = np.zeros(len(when), np.int32)
    last = count_before(make_event_times(_step_subject(history), when, when, no_code), at) - 1
    has_events = history.event_offsets[last + 1] > history.event_offsets[last]
    first = np.minimum(history.event_offsets[last], max(len(history.code) - 1, 0))
    is_treatment = np.zeros(len(last), dtype=bool)
    if len(history.code):
        is_treatment = (
            has_events & treatments[history.code[first]] & (history.time[last] == at.time)
        )
    return last - is_treatment


def _step_subject(history: History) -> Int64[np.ndarray, " step"]:
    return np.repeat(np.arange(len(history.subject_id)), np.diff(history.step_offsets))
