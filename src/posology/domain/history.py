"""Patient histories, step by step, as ragged arrays without padding."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64

from posology.domain.images import Images, join_images, take_image_rows

StepIndex = Int64[np.ndarray, " decision"]
"""For each decision, the last step (a row of `History.time`) that is visible to it."""


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Events ordered by subject and time, grouped into steps.

    A step holds all events of one time. Where a treatment was given there are two: first what was
    known, then the treatment. Static facts have no time and are the subject's first step. Arrays
    may be memory-mapped.
    """

    code: Int32[np.ndarray, " event"]
    """Row of the profile's vocabulary."""
    value: Float32[np.ndarray, " event"]
    """The event's number, in its code's unit; NaN if it has none."""
    event_offsets: Int64[np.ndarray, " step_plus_one"]
    """Events of step s are rows event_offsets[s] to event_offsets[s + 1]."""
    time: Float64[np.ndarray, " step"]
    """Days since 1970-01-01; NaN in a subject's static step."""
    step_offsets: Int64[np.ndarray, " subject_plus_one"]
    """Steps of subject i are rows step_offsets[i] to step_offsets[i + 1]."""
    subject_id: Int64[np.ndarray, " subject"]
    images: Images | None = None
    """What image events show; None where the study reads no images."""


HISTORY_ARRAYS = ("code", "value", "event_offsets", "time", "step_offsets", "subject_id")
"""The arrays of a history itself."""


def subject_rows(history: History, decisions: StepIndex) -> Int64[np.ndarray, " decision"]:
    """Row in `subject_id` of each decision's subject."""
    return np.searchsorted(history.step_offsets, decisions, side="right") - 1


def visible_events(
    history: History, decisions: StepIndex
) -> tuple[Int64[np.ndarray, " visible"], Int64[np.ndarray, " visible"]]:
    """All events visible to each decision, in time order: row of the decision, row of the event."""
    if len(decisions) == 1:  # one patient, whose answer must not wait
        visible = _visible_to(history, decisions)
        event = np.arange(visible.start, visible.stop, dtype=np.int64)
        return np.zeros(len(event), dtype=np.int64), event
    starts = history.event_offsets[history.step_offsets[subject_rows(history, decisions)]]
    counts = history.event_offsets[decisions + 1] - starts
    owner = np.repeat(np.arange(len(decisions)), counts)
    return owner, ragged_arange(starts, counts)


def _visible_to(history: History, decision: StepIndex) -> slice:
    """Rows of the events that the only decision sees."""
    last = int(decision[0])
    subject = int(history.step_offsets.searchsorted(last, side="right")) - 1
    first = history.event_offsets[history.step_offsets[subject]]
    return slice(int(first), int(history.event_offsets[last + 1]))


def ragged_arange(
    starts: Int64[np.ndarray, " run"], counts: Int64[np.ndarray, " run"]
) -> Int64[np.ndarray, " total"]:
    """The ranges start, start + 1, ... of `counts` numbers each, one after the other."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - counts), counts)


@lru_cache(maxsize=4096)
def _code_mask(codes: frozenset[int]) -> Bool[np.ndarray, " code"]:
    """True at the codes; the last entry, beyond all of them, is False."""
    mask = np.zeros(max(codes, default=-1) + 2, dtype=bool)
    mask[list(codes)] = True
    return mask


def _is_any(code: Int32[np.ndarray, " event"], codes: frozenset[int]) -> Bool[np.ndarray, " event"]:
    """Which events have any of the codes."""
    mask = _code_mask(codes)
    return mask[np.minimum(code, len(mask) - 1)]


_FEW_EVENTS = 256
"""Up to so many events of one patient, a loop answers before an array operation has begun."""


def latest_value(
    history: History, decisions: StepIndex, codes: frozenset[int]
) -> Float64[np.ndarray, " decision"]:
    """The last visible number of any of the codes (vocabulary rows); NaN if there is none."""
    if len(decisions) == 1:
        visible = _visible_to(history, decisions)
        if visible.stop - visible.start <= _FEW_EVENTS:
            seen = zip(history.code[visible].tolist(), history.value[visible].tolist(), strict=True)
            numbers = [x for code, x in seen if code in codes and not math.isnan(x)]
            return np.array([numbers[-1] if numbers else np.nan])
        value = history.value[visible]
        known = value[_is_any(history.code[visible], codes) & ~np.isnan(value)]
        return np.array([known[-1] if len(known) else np.nan], dtype=np.float64)
    owner, event = visible_events(history, decisions)
    keep = _is_any(history.code[event], codes) & ~np.isnan(history.value[event])
    latest = np.full(len(decisions), np.nan)
    latest[owner[keep]] = history.value[event[keep]]  # in time order: the last one is written last
    return latest


def has_code(
    history: History, decisions: StepIndex, codes: frozenset[int]
) -> Bool[np.ndarray, " decision"]:
    """Whether any of the codes (vocabulary rows) is visible to each decision."""
    if len(decisions) == 1:
        return code_finder(history, decisions)(codes)
    owner, event = visible_events(history, decisions)
    is_present = np.zeros(len(decisions), dtype=bool)
    is_present[owner[_is_any(history.code[event], codes)]] = True
    return is_present


def code_finder(
    history: History, decisions: StepIndex
) -> Callable[[frozenset[int]], Bool[np.ndarray, " decision"]]:
    """`has_code` for many questions about the same decisions: the events are looked up once."""
    if len(decisions) != 1:
        return partial(has_code, history, decisions)
    seen = history.code[_visible_to(history, decisions)]
    if len(seen) > _FEW_EVENTS:
        return lambda codes: np.array([_is_any(seen, codes).any()])
    few = frozenset(seen.tolist())
    return lambda codes: np.array([not codes.isdisjoint(few)])


def days_since(
    history: History,
    decisions: StepIndex,
    codes: frozenset[int],
    now: Float64[np.ndarray, " decision"],
    numeric: bool,
) -> Float64[np.ndarray, " decision"]:
    """Days from the last visible dated event of any of the codes to `now`; NaN if there is none.

    numeric: of events with a number.
    """
    owner, event = visible_events(history, decisions)
    keep = _is_any(history.code[event], codes)
    if numeric:
        keep &= ~np.isnan(history.value[event])
    step = np.searchsorted(history.event_offsets, event[keep], side="right") - 1
    time = history.time[step]
    latest = np.full(len(decisions), np.nan)
    dated = ~np.isnan(time)
    latest[owner[keep][dated]] = time[dated]  # in time order: the last one is written last
    return now - latest


def subset_subjects(history: History, rows: Int64[np.ndarray, " chosen"]) -> History:
    """The histories of some subjects, in the order of `rows`."""
    steps = np.diff(history.step_offsets)[rows]
    step = ragged_arange(history.step_offsets[rows], steps)
    events = np.diff(history.event_offsets)[step]
    event = ragged_arange(history.event_offsets[step], events)
    return History(
        code=history.code[event],
        value=history.value[event],
        event_offsets=offsets_from_counts(events),
        time=history.time[step],
        step_offsets=offsets_from_counts(steps),
        subject_id=history.subject_id[rows],
        images=take_image_rows(history.images, event),
    )


def join_histories(first: History, second: History) -> History:
    """The histories of other subjects below those of the first ones."""
    return History(
        code=np.concatenate([first.code, second.code]),
        value=np.concatenate([first.value, second.value]),
        event_offsets=np.concatenate(
            [first.event_offsets, second.event_offsets[1:] + first.event_offsets[-1]]
        ),
        time=np.concatenate([first.time, second.time]),
        step_offsets=np.concatenate(
            [first.step_offsets, second.step_offsets[1:] + first.step_offsets[-1]]
        ),
        subject_id=np.concatenate([first.subject_id, second.subject_id]),
        images=join_images(first.images, second.images),
    )


def offsets_from_counts(counts: Int64[np.ndarray, " run"]) -> Int64[np.ndarray, " run_plus_one"]:
    """Cumulative sum from 0: where each run starts, and where the last one ends."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
