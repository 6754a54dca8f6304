"""Where each visit begins and ends: from one treatment to the next.

A visit holds what was recorded since the last one ended: the treatment given there, then what was
seen until the next treatment is due. So what was tried, and what came of it, stand side by side.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from posology.domain.history import (
    History,
    StepIndex,
    offsets_from_counts,
    ragged_arange,
    subject_rows,
)
from posology.learners.features.treatments_given import treatment_of_step


@dataclass(frozen=True, slots=True, eq=False)
class VisitLayout:
    """First and last step of each visit, sequence after sequence."""

    start: Int64[np.ndarray, " visit"]
    end: Int64[np.ndarray, " visit"]
    given: Int64[np.ndarray, " visit"]
    """The last treatment recorded in the visit; -1 for none."""
    offsets: Int64[np.ndarray, " sequence_plus_one"]
    """Visits of sequence i are rows offsets[i] to offsets[i + 1]."""
    subject: Int64[np.ndarray, " sequence"]
    """In ascending order; a subject has more than one sequence only where a decision stands
    between two treatments, none of which was given there."""
    decision: Int64[np.ndarray, " decision"]
    """The visit at whose end each decision is made."""

    @property
    def is_first(self) -> Bool[np.ndarray, " visit"]:
        """Whether a visit is the first of its sequence."""
        first = np.zeros(len(self.end), dtype=bool)
        first[self.offsets[:-1]] = True
        return first


def lay_out_visits(
    option: Int32[np.ndarray, " code"], history: History, decisions: StepIndex
) -> VisitLayout:
    """Visits end before each treatment, and at the decision.

    `option` is the treatment that each row of the vocabulary records; -1 for none.
    """
    given = treatment_of_step(option, history)
    first = history.step_offsets[:-1]
    follows = np.append(given[1:] >= 0, False)
    follows[history.step_offsets[1:][np.diff(history.step_offsets) > 0] - 1] = False
    ends = np.flatnonzero(follows)
    subject = subject_rows(history, decisions)
    final = np.full(len(first), -1, np.int64)
    np.maximum.at(final, subject, decisions)
    shares = follows[decisions] | (decisions == final[subject])
    pairs = np.concatenate(
        [
            np.stack([subject[shares], final[subject[shares]]], 1),
            np.stack([subject[~shares], decisions[~shares]], 1),
        ]
    )
    pairs = np.unique(pairs, axis=0)
    low = np.searchsorted(ends, first[pairs[:, 0]])
    complete = np.searchsorted(ends, pairs[:, 1]) - low
    offsets = offsets_from_counts(complete + 1)
    end = np.empty(offsets[-1], np.int64)
    is_last = np.zeros(len(end), dtype=bool)
    is_last[offsets[1:] - 1] = True
    end[~is_last], end[is_last] = ends[ragged_arange(low, complete)], pairs[:, 1]
    start = np.append(0, end[:-1] + 1)[: len(end)]
    start[offsets[:-1]] = first[pairs[:, 0]]
    target = np.where(shares, final[subject], decisions)
    width = max(len(history.time), 1)
    sequence = np.searchsorted(pairs[:, 0] * width + pairs[:, 1], subject * width + target)
    place = np.searchsorted(ends, decisions) - low[sequence]
    return VisitLayout(
        start,
        end,
        _last_given(given, start, end),
        offsets,
        pairs[:, 0],
        offsets[sequence] + place,
    )


def total_so_far(
    values: Float64[np.ndarray, "visit column"], layout: VisitLayout
) -> Float64[np.ndarray, "visit column"]:
    """Sum over the visits of a sequence up to each of them."""
    total = np.cumsum(values, axis=0)
    before = np.vstack([np.zeros((1, values.shape[1])), total])[layout.offsets[:-1]]
    return total - np.repeat(before, np.diff(layout.offsets), axis=0)


def _last_given(
    given: Int64[np.ndarray, " step"],
    start: Int64[np.ndarray, " visit"],
    end: Int64[np.ndarray, " visit"],
) -> Int64[np.ndarray, " visit"]:
    last, steps = np.full(len(end), -1, np.int64), end - start + 1
    owner, given = np.repeat(np.arange(len(end)), steps), given[ragged_arange(start, steps)]
    some = given >= 0
    last[owner[some]] = given[some]  # in order of time: the last one is written last
    return last
