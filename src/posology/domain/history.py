"""What is known of patients, step by step: ragged arrays, never padded."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64

StepIndex = Int64[np.ndarray, " decision"]
"""One row a decision: the last step (a row of `History.time`) that is visible to it."""


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Events in order of subject and time, grouped into steps.

    A *step* is all that happened at one moment, split in two where a treatment was given: what
    was known before it, then the treatment. Static facts have no time and stand in the subject's
    first step. Arrays may be memory-mapped; nothing here copies them.
    """

    code: Int32[np.ndarray, " event"]
    """Row of the profile's vocabulary."""
    value: Float32[np.ndarray, " event"]
    """The event's number in its code's unit; NaN where the event has none."""
    event_offsets: Int64[np.ndarray, " step_plus_one"]
    """Events of step s are rows event_offsets[s] to event_offsets[s + 1]."""
    time: Float64[np.ndarray, " step"]
    """Days since 1970-01-01; NaN in a subject's static step."""
    step_offsets: Int64[np.ndarray, " subject_plus_one"]
    """Steps of subject i are rows step_offsets[i] to step_offsets[i + 1]."""
    subject_id: Int64[np.ndarray, " subject"]


def subject_rows(history: History, decisions: StepIndex) -> Int64[np.ndarray, " decision"]:
    """Row in `subject_id` of each decision's subject."""
    return np.searchsorted(history.step_offsets, decisions, side="right") - 1


def visible_events(
    history: History, decisions: StepIndex
) -> tuple[Int64[np.ndarray, " visible"], Int64[np.ndarray, " visible"]]:
    """Every event a decision may see, as (row of the decision, row of the event), in time order."""
    first = history.step_offsets[subject_rows(history, decisions)]
    starts = history.event_offsets[first]
    counts = history.event_offsets[decisions + 1] - starts
    owner = np.repeat(np.arange(len(decisions)), counts)
    return owner, ragged_arange(starts, counts)


def ragged_arange(
    starts: Int64[np.ndarray, " run"], counts: Int64[np.ndarray, " run"]
) -> Int64[np.ndarray, " total"]:
    """The ranges start, start + 1, ... of given lengths, one after the other."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - counts), counts)


def latest_value(
    history: History, decisions: StepIndex, codes: frozenset[int]
) -> Float64[np.ndarray, " decision"]:
    """The last visible number among the codes, NaN where there is none."""
    owner, event = visible_events(history, decisions)
    keep = np.isin(history.code[event], list(codes)) & ~np.isnan(history.value[event])
    found = np.full(len(decisions), np.nan)
    found[owner[keep]] = history.value[event[keep]]  # in time order, so the last one stays
    return found


def has_code(
    history: History, decisions: StepIndex, codes: frozenset[int]
) -> Bool[np.ndarray, " decision"]:
    """Whether any of the codes is visible to the decision."""
    owner, event = visible_events(history, decisions)
    found = np.zeros(len(decisions), dtype=bool)
    found[owner[np.isin(history.code[event], list(codes))]] = True
    return found


def subset_subjects(history: History, rows: Int64[np.ndarray, " chosen"]) -> History:
    """The histories of some subjects, in the order asked."""
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
    )


def offsets_from_counts(counts: Int64[np.ndarray, " run"]) -> Int64[np.ndarray, " run_plus_one"]:
    """Where each run starts, and where the last one ends."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
