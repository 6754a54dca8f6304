"""A stream of events becomes a History in a profile's vocabulary; what it does not know is told."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Int64

from posology.cohorts.stream import Stream, having
from posology.domain.formulas import evaluate, refit, with_fill
from posology.domain.history import History, offsets
from posology.domain.profile import Profile
from posology.domain.study import Study


def history_of(
    events: Stream,
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
    mapped = known[events.code] if len(known) else np.empty(0, np.int32)
    row = np.searchsorted(subjects, events.subject_id)
    row_safe = np.minimum(row, max(len(subjects) - 1, 0))
    wanted = (
        (mapped >= 0) & (subjects[row_safe] == events.subject_id)
        if len(subjects)
        else (np.zeros(len(mapped), dtype=bool))
    )
    given = having(events, treatments) & ~np.isnan(events.time)
    row, code = row[wanted], mapped[wanted]
    time, value, given = events.time[wanted], events.value[wanted], given[wanted]
    order = np.lexsort((code, given, np.nan_to_num(time, nan=-np.inf), row))
    row, code, time = row[order], code[order], time[order]
    return _stepped(subjects, row, code, time, value[order], given[order])


def _stepped(subjects, row, code, time, value, given) -> History:
    """Cut sorted events into steps, a static one first for every subject."""
    count = len(subjects)
    when = np.nan_to_num(time, nan=-np.inf)
    new = np.ones(len(row), dtype=bool)
    new[1:] = (row[1:] != row[:-1]) | (when[1:] != when[:-1]) | (given[1:] != given[:-1])
    static = np.isnan(time)
    starts = np.flatnonzero(new & ~static)
    steps = 1 + np.bincount(row[starts], minlength=count)
    step_offsets = offsets(steps.astype(np.int64))
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
        event_offsets=offsets(counts),
        time=times,
        step_offsets=step_offsets,
        subject_id=subjects.astype(np.int64),
    )


def unknown_codes(events: Stream, codes: tuple[str, ...]) -> Mapping[str, int]:
    """Codes of the events that the vocabulary lacks, with how often they occur."""
    known = set(codes)
    counts = np.bincount(events.code, minlength=len(events.codes))
    return {code: int(n) for code, n in zip(events.codes, counts, strict=True) if code not in known}


def fit_profile(
    events: Stream,
    study: Study,
    subjects: Int64[np.ndarray, " subject"],
    learns: Bool[np.ndarray, " subject"],
    dose: np.ndarray,
) -> Profile:
    """Vocabulary, scaling and refitted formulas from the subjects that learn, and no others.

    dose: of each subject's decision, NaN where none; only the learners' doses are read.
    """
    among = np.isin(events.subject_id, subjects[learns])
    feature = having(events, study.profile.families) & among
    seen = np.unique(np.stack([events.code[feature], events.subject_id[feature]]), axis=1)[0]
    patients = np.bincount(seen.astype(np.int64), minlength=len(events.codes))
    kept = np.flatnonzero(patients >= study.profile.minimum_patients)
    codes = tuple(events.codes[i] for i in kept)
    profile = _scaled(Profile(codes, *_unit(len(codes))), events, feature, kept)
    return _with_formulas(profile, events, study, subjects[learns], dose[learns])


def _unit(size: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(size, np.float32), np.ones(size, np.float32)


def _scaled(profile: Profile, events: Stream, feature: np.ndarray, kept: np.ndarray) -> Profile:
    numbers = feature & ~np.isnan(events.value)
    code, value = events.code[numbers], events.value[numbers].astype(np.float64)
    size = len(events.codes)
    n = np.maximum(np.bincount(code, minlength=size), 1)
    mean = np.bincount(code, value, minlength=size) / n
    square = np.bincount(code, (value - mean[code]) ** 2, minlength=size) / n
    spread = np.sqrt(square)
    spread[spread < 1e-6] = 1.0
    return replace(
        profile, center=mean[kept].astype(np.float32), spread=spread[kept].astype(np.float32)
    )


def _with_formulas(
    profile: Profile, events: Stream, study: Study, learners: np.ndarray, dose: np.ndarray
) -> Profile:
    if not study.profile.refit:
        return profile
    history = history_of(events, learners, profile.codes, ())
    static = history.step_offsets[:-1]
    fitted = []
    for formula in study.profile.refit:
        filled = with_fill(formula, study.profile.fill_groups, history, static, profile.codes)
        fitted.append(refit(filled, history, static, profile.codes, dose))
    answers = np.stack([evaluate(f, history, static, profile.codes) for f in fitted])
    return Profile(
        codes=profile.codes + tuple(f.event for f in fitted),
        center=np.concatenate([profile.center, answers.mean(1).astype(np.float32)]),
        spread=np.concatenate([profile.spread, answers.std(1).astype(np.float32)]),
        formulas=tuple(fitted),
    )
