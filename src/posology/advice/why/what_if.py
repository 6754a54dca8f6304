"""One patient many times over, each time with some facts left out or changed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from posology.advice.why.facts import CHOICE, NO_EVENT, NUMBER, SINCE, Fact, FactValue
from posology.domain.codes import matching_rows
from posology.domain.formula_events import add_formula_events
from posology.domain.formulas.ages import day_of_age
from posology.domain.history import History, StepIndex, offsets_from_counts, subject_rows
from posology.domain.images import Images, insert_without_image, take_image_rows
from posology.domain.profile import Profile

MAX_EVENTS = 1_000_000
"""Events of all copies in one prediction, which bounds the memory. Our choice."""

Change = tuple[Fact, FactValue | None]
"""A fact with the value that it gets; None: it is left out."""
WhatIf = tuple[Change, ...]
Outputs = Float64[np.ndarray, "decision output"]
Permitted = Bool[np.ndarray, "decision output"]
Predict = Callable[[History, StepIndex], tuple[Outputs, Permitted]]
"""For each decision the outputs, which are the value of every option or the dose, and whether each
option may be given."""


@dataclass(frozen=True, slots=True, eq=False)
class _Patient:
    """The visible events of one decision, without results of formulas."""

    code: np.ndarray
    value: np.ndarray
    step: np.ndarray
    """From 0 on."""
    time: np.ndarray
    """Of each step."""
    images: Images | None


@dataclass(frozen=True, slots=True, eq=False)
class _Copies:
    """The events of every copy; changed in place."""

    keep: Bool[np.ndarray, "copy event"]
    code: np.ndarray
    value: np.ndarray
    time: Float64[np.ndarray, "copy step"]
    added: list[tuple[int, int, int, float]]
    """Copy, step, code and value of events that the patient does not have."""


def predict_what_ifs(
    predict: Predict, history: History, profile: Profile, decision: int, cases: Sequence[WhatIf]
) -> tuple[Float64[np.ndarray, "case output"], Bool[np.ndarray, "case output"]]:
    """The outputs of every case, and what may be given; the empty case changes nothing."""
    first = history.step_offsets[subject_rows(history, np.array([decision]))[0]]
    events = int(history.event_offsets[decision + 1] - history.event_offsets[first])
    size = max(MAX_EVENTS // max(events, 1), 1)
    parts = []
    for start in range(0, len(cases), size):
        copies = change_facts(history, profile, decision, cases[start : start + size])
        parts.append(predict(copies, copies.step_offsets[1:] - 1))
    outputs, permitted = zip(*parts, strict=True)
    return np.concatenate(outputs), np.concatenate(permitted)


def change_facts(
    history: History, profile: Profile, decision: int, cases: Sequence[WhatIf]
) -> History:
    """Copies of the decision's patient up to the decision, one subject a case.

    Formulas are evaluated again, so that a fact also counts for its part in them.
    """
    patient = _visible_part(history, profile, decision)
    n = len(cases)
    copies = _Copies(
        np.ones((n, len(patient.code)), dtype=bool),
        np.tile(patient.code, (n, 1)),
        np.tile(patient.value, (n, 1)),
        np.tile(patient.time, (n, 1)),
        [],
    )
    for copy, case in enumerate(cases):
        for fact, value in case:
            _change(copies, copy, patient, fact, value)
    return add_formula_events(_join(copies, patient), profile)


def _visible_part(history: History, profile: Profile, decision: int) -> _Patient:
    first = history.step_offsets[subject_rows(history, np.array([decision]))[0]]
    events = np.arange(history.event_offsets[first], history.event_offsets[decision + 1])
    formulas = matching_rows(profile.codes, tuple(f.event for f in profile.formulas))
    events = events[~np.isin(history.code[events], list(formulas))]
    step = np.searchsorted(history.event_offsets, events, side="right") - 1 - first
    time = history.time[first : decision + 1]
    images = take_image_rows(history.images, events)
    return _Patient(history.code[events], history.value[events], step, time, images)


def _change(
    copies: _Copies, copy: int, patient: _Patient, fact: Fact, value: FactValue | None
) -> None:
    here = np.isin(patient.code, fact.rows)
    if value is None or value.row == NO_EVENT:
        copies.keep[copy, here] = False
    elif fact.kind == SINCE and here.any():
        _change_date(copies, copy, patient, here, value)
    elif fact.kind == NUMBER:
        _change_number(copies, copy, patient, fact, value)
    elif fact.kind == CHOICE and here.any():
        copies.code[copy, here] = value.row
        copies.value[copy, here] = np.nan
    elif not here.any() and fact.kind != SINCE:
        copies.added.append((copy, _step_of(patient, fact), value.row, np.nan))


def _change_number(
    copies: _Copies, copy: int, patient: _Patient, fact: Fact, value: FactValue
) -> None:
    """Move the whole course, so that the last number is the new one and trends remain.

    Other codes of the fact (another formula of the same thing) change in proportion.
    """
    assert value.number is not None
    known = ~np.isnan(patient.value)
    first = known & (patient.code == fact.rows[0])
    if not first.any():
        copies.keep[copy, np.isin(patient.code, fact.rows)] = False
        copies.added.append((copy, _step_of(patient, fact), fact.rows[0], value.number))
        return
    last = float(patient.value[np.flatnonzero(first)[-1]])
    moved = patient.value[first] + (value.number - last)
    lowest = min(0.0, float(patient.value[first].min()), value.number)
    copies.value[copy, first] = np.maximum(moved, lowest)
    others = known & np.isin(patient.code, fact.rows[1:])
    if last:
        copies.value[copy, others] = patient.value[others] * (value.number / last)


def _change_date(
    copies: _Copies, copy: int, patient: _Patient, here: np.ndarray, value: FactValue
) -> None:
    """Move the step of the last event, between its neighbours and only if it stands there alone."""
    assert value.number is not None
    step = int(patient.step[here][-1])
    if (patient.step[~here] == step).any() or not 0 < step < len(patient.time) - 1:
        return
    earliest, latest = np.nan_to_num(patient.time[step - 1], nan=-np.inf), patient.time[step + 1]
    moved = day_of_age(value.number, patient.time[-1])
    copies.time[copy, step] = min(max(moved, earliest), latest)


def _step_of(patient: _Patient, fact: Fact) -> int:
    """Where an event of the fact would stand: the first step, or the usual days before now."""
    if fact.days_before is None:
        return 0
    when = patient.time[-1] - fact.days_before
    later = np.flatnonzero(patient.time >= when)  # never the first step, which has no time
    return int(later[0]) if len(later) else len(patient.time) - 1


def _join(copies: _Copies, patient: _Patient) -> History:
    """The copies as subjects of one History; added events stand last in their steps."""
    n, steps = copies.time.shape
    copy, event = np.nonzero(copies.keep)
    added = np.array(copies.added, dtype=np.float64).reshape(-1, 4)
    key = np.concatenate(
        [copy * steps + patient.step[event], (added[:, 0] * steps + added[:, 1]).astype(np.int64)]
    )
    order = np.argsort(key, kind="stable")
    code = np.concatenate([copies.code[copy, event], added[:, 2].astype(np.int32)])
    value = np.concatenate([copies.value[copy, event], added[:, 3].astype(np.float32)])
    counts = np.bincount(key, minlength=n * steps).astype(np.int64)
    images = take_image_rows(patient.images, event)
    images = insert_without_image(images, np.full(len(added), len(event)))
    return History(
        code=code[order].astype(np.int32),
        value=value[order].astype(np.float32),
        event_offsets=offsets_from_counts(counts),
        time=copies.time.ravel(),
        step_offsets=np.arange(n + 1, dtype=np.int64) * steps,
        subject_id=np.arange(n, dtype=np.int64),
        images=take_image_rows(images, order),
    )
