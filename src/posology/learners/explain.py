"""Why a network says so: its attention, and each event's worth by leaving it out."""

from collections.abc import Callable

import numpy as np

from posology.domain.codes import matching
from posology.domain.formula_events import with_formula_events
from posology.domain.history import History, offsets, subject_of
from posology.domain.policy import Attribution
from posology.domain.profile import Profile


def leave_one_out(history: History, profile: Profile, decision: int) -> tuple[History, np.ndarray]:
    """The decision's patient as known then, and once more without each event that can be left out.

    Subject 0 is the patient whole; subject i lacks the i-th of the events returned (rows of
    `history`). Formula answers are not left out but worked out again, so that an input counts
    also for what it did through a formula.
    """
    first = history.step_offsets[subject_of(history, np.array([decision]))[0]]
    events = np.arange(history.event_offsets[first], history.event_offsets[decision + 1])
    formula = matching(profile.codes, tuple(f.event for f in profile.formulas))
    events = events[~np.isin(history.code[events], list(formula))]
    step = np.searchsorted(history.event_offsets, events, side="right") - 1 - first
    steps, variants = decision + 1 - first, len(events) + 1
    kept = np.ones((variants, len(events)), dtype=bool)
    kept[np.arange(1, variants), np.arange(len(events))] = False
    owner, event = np.nonzero(kept)
    counts = np.bincount(owner * steps + step[event], minlength=variants * steps)
    bare = History(
        code=history.code[events[event]],
        value=history.value[events[event]],
        event_offsets=offsets(counts.astype(np.int64)),
        time=np.tile(history.time[first : decision + 1], variants),
        step_offsets=np.arange(variants + 1, dtype=np.int64) * steps,
        subject_id=np.arange(variants, dtype=np.int64),
    )
    return with_formula_events(bare, profile), events


def attribute(
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
    variants, events = leave_one_out(history, profile, decision)
    probability, dose, attention = ask(variants, variants.step_offsets[1:] - 1)
    odds = np.log(np.clip(probability, 1e-6, 1 - 1e-6)) - np.log(
        np.clip(1 - probability, 1e-6, 1 - 1e-6)
    )
    steps = int(variants.step_offsets[1])
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
