"""Shorten long histories: static facts, a summary of old steps, and the last steps."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from posology.domain.history import (
    History,
    StepIndex,
    offsets_from_counts,
    ragged_arange,
    subject_rows,
)
from posology.domain.images import NO_IMAGE, Images

FIRST_BIN_DAYS = 30.0
"""Bins of older steps, by days before the oldest unchanged step: up to 30, 90, 210, 450, each bin
twice as long as the one before. Our choice: months, then years."""


@dataclass(frozen=True, slots=True, eq=False)
class CondensedHistory:
    """The same decisions over shorter histories; a subject may have several histories."""

    history: History
    decisions: StepIndex
    original_steps: Int64[np.ndarray, " step"]
    """Number of original steps in each step."""


def condense_histories(history: History, decisions: StepIndex, last_steps: int) -> CondensedHistory:
    """Show each decision its subject's first step, a summary, and the last steps unchanged.

    At least `last_steps` and at most 3/2 as many stay unchanged. The summary has one step per bin,
    at the bin's first time, with one event per code: the mean of its numbers, and no image. It ends
    at a multiple of half of `last_steps`, so that neighbouring decisions share a history; the end
    depends on the decision's own position alone. Shorter histories are unchanged; if `last_steps`
    is 0, all are.
    """
    subject = subject_rows(history, decisions)
    position = decisions - history.step_offsets[subject]
    half = max(last_steps // 2, 1)
    cut = np.maximum((position + 1 - last_steps) // half * half, 0)
    if last_steps == 0 or not cut.any():
        same = np.broadcast_to(np.int64(1), len(history.time))
        return CondensedHistory(history, decisions, same)
    groups, group = np.unique(np.stack([subject, cut], 1), axis=0, return_inverse=True)
    group = group.reshape(-1)
    steps = np.zeros(len(groups), np.int64)
    np.maximum.at(steps, group, position + 1)
    first = history.step_offsets[groups[:, 0]]
    old = ragged_arange(first, steps)  # every step of every group, as a row of the history
    starts = offsets_from_counts(steps)
    new = _new_steps(history.time, old, starts, first + groups[:, 1], first)
    opens = np.flatnonzero(np.diff(new, prepend=-1))
    code, value, owner, images = _events(history, old, new)
    return CondensedHistory(
        history=History(
            code=code,
            value=value,
            event_offsets=offsets_from_counts(
                np.bincount(owner, minlength=len(opens)).astype(np.int64)
            ),
            time=history.time[old[opens]],
            step_offsets=np.append(new[starts[:-1]], len(opens)),
            subject_id=history.subject_id[groups[:, 0]],
            images=images,
        ),
        decisions=new[starts[group] + position],
        original_steps=np.diff(np.append(opens, len(new))),
    )


def expand_weights(
    weight: Float64[np.ndarray, " visible"], short: CondensedHistory
) -> Float64[np.ndarray, " whole_visible"]:
    """Weights of condensed steps, per decision, divided equally among their original steps."""
    first = short.history.step_offsets[subject_rows(short.history, short.decisions)]
    count = short.original_steps[ragged_arange(first, short.decisions + 1 - first)]
    return np.repeat(weight / count, count)


def _new_steps(
    time: np.ndarray, old: np.ndarray, starts: np.ndarray, cut: np.ndarray, first: np.ndarray
) -> Int64[np.ndarray, " old"]:
    """New step of each old one: a step of its own, or its bin's step if it lies before the cut."""
    owner = np.repeat(np.arange(len(cut)), np.diff(starts))
    age = np.nan_to_num(time[cut[owner]] - time[old])
    age_bin = np.floor(np.log2(1.0 + np.maximum(age, 0.0) / FIRST_BIN_DAYS))
    is_unchanged = (old == first[owner]) | (old >= cut[owner])
    starts_step = is_unchanged | np.append(
        True, is_unchanged[:-1] | (np.diff(age_bin) != 0) | (np.diff(owner) != 0)
    )
    return np.cumsum(starts_step) - 1


def _events(
    history: History, old: np.ndarray, new: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Images | None]:
    """Codes, numbers, steps and images of all events; one event per code in a step of several."""
    counts = np.diff(history.event_offsets)[old]
    event = ragged_arange(history.event_offsets[old], counts)
    owner = np.repeat(new, counts)
    is_merged = (np.bincount(new) > 1)[owner]
    width = int(history.code.max(initial=0)) + 1
    key = owner[is_merged] * width + history.code[event[is_merged]]
    kinds, kind = np.unique(key, return_inverse=True)
    number = history.value[event[is_merged]].astype(np.float64)
    known = ~np.isnan(number)
    known_count = np.bincount(kind[known], minlength=len(kinds))
    total = np.bincount(kind[known], weights=number[known], minlength=len(kinds))
    mean = np.where(known_count > 0, total / np.maximum(known_count, 1), np.nan)
    code = np.concatenate([history.code[event[~is_merged]], (kinds % width).astype(np.int32)])
    value = np.concatenate([history.value[event[~is_merged]], mean.astype(np.float32)])
    step = np.concatenate([owner[~is_merged], kinds // width])
    order = np.argsort(step, kind="stable")
    images = history.images
    if images is not None:
        none = np.full(len(kinds), NO_IMAGE, np.int32)
        row = np.concatenate([images.row[event[~is_merged]], none])
        images = replace(images, row=row[order])
    return code[order], value[order], step[order], images
