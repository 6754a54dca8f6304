"""Explanations of a network's predictions: attention, and the effect of leaving each event out."""

from collections.abc import Callable

import numpy as np
from scipy.special import logit

from posology.domain.codes import matching_rows
from posology.domain.formula_events import add_formula_events
from posology.domain.history import History, offsets_from_counts, subject_rows
from posology.domain.policy import Attribution
from posology.domain.profile import Profile

MAX_EVENTS = 1_000_000
"""Events of all copies of a history per prediction, which bounds the memory. Our choice."""

Predict = Callable[[History, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""A history and its decisions to (mean P(effective) per treatment, mean dose, attention weights of
each decision's visible steps, concatenated)."""


def removable_events(history: History, profile: Profile, decision: int) -> np.ndarray:
    """Return the visible events of the decision's patient, as rows of the history.

    Formula results are excluded: they are recomputed from the remaining events, so that an input
    also counts for its effect through the formula.
    """
    first = history.step_offsets[subject_rows(history, np.array([decision]))[0]]
    events = np.arange(history.event_offsets[first], history.event_offsets[decision + 1])
    formula = matching_rows(profile.codes, tuple(f.event for f in profile.formulas))
    return events[~np.isin(history.code[events], list(formula))]


def leave_one_out(
    history: History, profile: Profile, decision: int, left_out: np.ndarray, events: np.ndarray
) -> History:
    """Return copies of the decision's patient; copy i lacks event left_out[i], -1 for none.

    events: all events of a copy, from `removable_events`.
    """
    first = history.step_offsets[subject_rows(history, np.array([decision]))[0]]
    step = np.searchsorted(history.event_offsets, events, side="right") - 1 - first
    steps, copies = decision + 1 - first, len(left_out)
    copy, event = np.nonzero(left_out[:, None] != events)
    counts = np.bincount(copy * steps + step[event], minlength=copies * steps)
    without_formulas = History(
        code=history.code[events[event]],
        value=history.value[events[event]],
        event_offsets=offsets_from_counts(counts.astype(np.int64)),
        time=np.tile(history.time[first : decision + 1], copies),
        step_offsets=np.arange(copies + 1, dtype=np.int64) * steps,
        subject_id=np.arange(copies, dtype=np.int64),
    )
    return add_formula_events(without_formulas, profile)


def attribute_events(
    predict: Predict, history: History, profile: Profile, decisions: np.ndarray
) -> Attribution:
    """Return attention and event contributions of every decision."""
    parts = [
        _attribute_one(predict, history, profile, int(step), row)
        for row, step in enumerate(decisions)
    ]
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Attribution(*joined)


def _attribute_one(
    predict: Predict, history: History, profile: Profile, decision: int, row: int
) -> tuple[np.ndarray, ...]:
    """The columns of an Attribution for one decision."""
    events = removable_events(history, profile, decision)
    left_out = np.append(-1, events)
    size = max(MAX_EVENTS // max(len(events), 1), 1)
    predictions = []
    for start in range(0, len(left_out), size):
        copies = leave_one_out(history, profile, decision, left_out[start : start + size], events)
        predictions.append(predict(copies, copies.step_offsets[1:] - 1))
    probability, dose = (np.concatenate([part[i] for part in predictions]) for i in (0, 1))
    attention, steps = predictions[0][2], int(copies.step_offsets[1])
    log_odds = logit(np.clip(probability, 1e-6, 1 - 1e-6))
    first = decision + 1 - steps
    return (
        attention[:steps].astype(np.float32),
        np.arange(first, decision + 1),
        np.full(steps, row),
        (log_odds[0] - log_odds[1:]).astype(np.float32),
        (dose[0] - dose[1:]).astype(np.float32),
        events,
        np.full(len(events), row),
    )
