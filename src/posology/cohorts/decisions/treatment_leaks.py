"""Codes at a decision's own time that reveal the treatment: leakage into the features."""

import numpy as np

from posology.domain.cohort import Cohort
from posology.domain.history import ragged_arange

MIN_DECISIONS, MIN_SHARE = 20, 0.95
"""Fewest decisions with an option, and smallest share for a code to count as a leak. Our choice."""


def find_leaking_codes(cohort: Cohort) -> tuple[str, ...]:
    """Codes at a decision's own time that occur with one option, and almost only with it.

    At least 95 % of the option's decisions have the code, and 95 % of the code's decisions have
    the option: usually a second record of the prescription, whose code the study does not name.
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
    treated = option >= 0
    both = np.zeros((codes, options))
    np.add.at(both, (pair[treated] % max(codes, 1), option[treated]), 1)
    of_option = np.bincount(cohort.treatment[cohort.treatment >= 0], minlength=options)
    of_code = both.sum(axis=1, keepdims=True)
    leaks = (both >= MIN_SHARE * of_option) & (both >= MIN_SHARE * of_code)
    leaks &= of_option >= MIN_DECISIONS
    # If nearly every decision has one option, every common code occurs with it: no evidence.
    leaks &= of_option < MIN_SHARE * of_option.sum()
    return tuple(cohort.profile.codes[row] for row in np.flatnonzero(leaks.any(axis=1)))
