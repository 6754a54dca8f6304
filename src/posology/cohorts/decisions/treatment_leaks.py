"""Codes that stand at a decision's own moment and give the treatment away."""

import numpy as np

from posology.domain.cohort import Cohort
from posology.domain.history import ragged_arange

MIN_DECISIONS, MIN_SHARE = 20, 0.95
"""Decisions with an option before it is judged, and the share that convicts a code. Our choice."""


def find_leaking_codes(cohort: Cohort) -> tuple[str, ...]:
    """Codes of the last visible step, at the decision's own moment, that come with one option and
    with it alone: a prescription told twice, of which the study names only one.

    At least 95 % of the option's decisions have the code, and 95 % of the code's have the option.
    """
    assert cohort.time is not None
    rows = np.flatnonzero(cohort.history.time[cohort.last_step] == cohort.time)
    step = cohort.last_step[rows]
    starts = cohort.history.event_offsets[step]
    counts = cohort.history.event_offsets[step + 1] - starts
    code = cohort.history.code[ragged_arange(starts, counts)].astype(np.int64)
    codes, options = len(cohort.profile.codes), len(cohort.study.formulary.treatments)
    pair = np.unique(np.repeat(rows, counts) * codes + code)
    option = cohort.treatment[pair // max(codes, 1)].astype(np.int64)
    there = option >= 0
    both = np.zeros((codes, options))
    np.add.at(both, (pair[there] % max(codes, 1), option[there]), 1)
    of_option = np.bincount(cohort.treatment[cohort.treatment >= 0], minlength=options)
    judged = of_option >= MIN_DECISIONS
    hit = (
        (both >= MIN_SHARE * of_option)
        & (both >= MIN_SHARE * both.sum(axis=1, keepdims=True))
        & judged
    )
    # Where one option was nearly always given, every common code comes with it: nothing to tell.
    hit &= of_option < MIN_SHARE * of_option.sum()
    return tuple(cohort.profile.codes[row] for row in np.flatnonzero(hit.any(axis=1)))
