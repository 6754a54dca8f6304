"""Why a network says so: its attention, and each event's worth by leaving it out."""

from collections.abc import Callable

import numpy as np

from posology.domain.codes import matching
from posology.domain.formulas.events import with_formula_events
from posology.domain.history import History, offsets, subject_of
from posology.domain.policy import Attribution
from posology.domain.profile import Profile

MAX_EVENTS = 1_000_000
"""Events of copies asked about at once: bounds the memory, whatever the history. Our choice."""


def removable_events(history: History, profile: Profile, decision: int) -> np.ndarray:
    """The patient's events visible to the decision, as rows of the history, but for formula
    answers: these are worked out again, so that an input counts for what it did through them."""
    first = history.step_offsets[subject_of(history, np.array([decision]))[0]]
    events = np.arange(history.event_offsets[first], history.event_offsets[decision + 1])
    formula = matching(profile.codes, tuple(f.event for f in profile.formulas))
    return events[~np.isin(history.code[events], list(formula))]


def leave_one_out(
    history: History, profile: Profile, decision: int, left_out: np.ndarray, events: np.ndarray
) -> History:
    """The decision's patient once without each event of `out`; subject i lacks the i-th.

    -1 leaves nothing out. events: all that may stay, from `removable`.
    """
    first = history.step_offsets[subject_of(history, np.array([decision]))[0]]
    step = np.searchsorted(history.event_offsets, events, side="right") - 1 - first
    steps, variants = decision + 1 - first, len(left_out)
    owner, event = np.nonzero(left_out[:, None] != events)
    counts = np.bincount(owner * steps + step[event], minlength=variants * steps)
    bare = History(
        code=history.code[events[event]],
        value=history.value[events[event]],
        event_offsets=offsets(counts.astype(np.int64)),
        time=np.tile(history.time[first : decision + 1], variants),
        step_offsets=np.arange(variants + 1, dtype=np.int64) * steps,
        subject_id=np.arange(variants, dtype=np.int64),
    )
    return with_formula_events(bare, profile)


def attribute_events(
    ask: Callable[[History, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]],
    history: History,
    profile: Profile,
    decisions: np.ndarray,
) -> Attribution:
    """Attention and contributions of every decision.

    ask: a history and its decisions to (mean P(effective) per option, mean dose, attention of
    each decision's visible steps, one decision after the other).
    """
    parts = [_one(ask, history, profile, int(step), row) for row, step in enumerate(decisions)]
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Attribution(*joined)


def _one(
    ask: Callable[[History, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]],
    history: History,
    profile: Profile,
    decision: int,
    row: int,
) -> tuple[np.ndarray, ...]:
    events = removable_events(history, profile, decision)
    out = np.append(-1, events)
    size = max(MAX_EVENTS // max(len(events), 1), 1)
    asked = []
    for start in range(0, len(out), size):
        variants = leave_one_out(history, profile, decision, out[start : start + size], events)
        asked.append(ask(variants, variants.step_offsets[1:] - 1))
    probability, dose = (np.concatenate([part[i] for part in asked]) for i in (0, 1))
    attention, steps = asked[0][2], int(variants.step_offsets[1])
    odds = np.log(np.clip(probability, 1e-6, 1 - 1e-6)) - np.log(
        np.clip(1 - probability, 1e-6, 1 - 1e-6)
    )
    first = decision + 1 - steps
    return (
        attention[:steps].astype(np.float32),
        np.arange(first, decision + 1),
        np.full(steps, row),
        (odds[0] - odds[1:]).astype(np.float32),
        (dose[0] - dose[1:]).astype(np.float32),
        events,
        np.full(len(events), row),
    )
