"""From whom a challenger learns, and on whom it is judged: never the same patients.

A patient is new if the first decision came after the champion's last one. A stable hash keeps a
share of the new patients for judging; nothing is ever learned from them.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float64

from posology.cohorts.decisions.split import uniform_hash
from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, subset_decisions
from posology.errors import UserError


def split_for_update(cohort: Cohort, until: float, judge_share: float) -> Cohort:
    """The cohort with new training and validation patients, replayed old ones, and fresh ones.

    Fresh patients are the test split; the champion's own test patients are left out.

    Args:
        cohort: split as the study says.
        until: time of the champion's last decision, in days since 1970-01-01.
        judge_share: share of new patients that are kept for judging.
    """
    is_new, is_kept = _new_and_kept(cohort, until, judge_share)
    split = np.where(is_new & (cohort.split == TEST), TRAIN, cohort.split)
    split = np.where(is_new & is_kept, TEST, split).astype(np.int8)
    keep = is_new | (cohort.split != TEST)
    return subset_decisions(replace(cohort, split=split), keep)


def select_fresh(cohort: Cohort, until: float, judge_share: float, learned_until: float) -> Cohort:
    """The new patients from whom neither model learned.

    learned_until: time of the challenger's last decision: who came later is fresh in any case.
    """
    is_new, is_kept = _new_and_kept(cohort, until, judge_share)
    fresh = is_new & (is_kept | (first_decisions(cohort) > learned_until))
    split = np.full(len(cohort), TEST, np.int8)
    return subset_decisions(replace(cohort, split=split), fresh)


def is_recent(cohort: Cohort, since: float) -> Bool[np.ndarray, " decision"]:
    """Decisions from this day on (since 1970-01-01), and all of the test split.

    UserError where the training or the validation patients have none.
    """
    assert cohort.time is not None
    recent = (cohort.time >= since) | (cohort.split == TEST)
    for split, name in ((TRAIN, "training"), (VALIDATION, "validation")):
        if not (recent & (cohort.split == split)).any():
            raise UserError(
                f"--learn-since {np.datetime64(int(since), 'D')}: leaves no decision of {name} "
                "patients to learn from; choose an earlier day, or wait."
            )
    return recent


def first_decisions(cohort: Cohort) -> Float64[np.ndarray, " decision"]:
    """Time of the first decision of each decision's patient."""
    if cohort.time is None:
        raise UserError(
            f"study {cohort.study.name}: its decisions have no time, so that nobody can say which "
            "patients came after the champion was made."
        )
    first = np.full(len(cohort.history.subject_id), np.inf)
    np.minimum.at(first, cohort.subject, cohort.time)
    return first[cohort.subject]


def _new_and_kept(
    cohort: Cohort, until: float, judge_share: float
) -> tuple[Bool[np.ndarray, " decision"], Bool[np.ndarray, " decision"]]:
    subject = cohort.history.subject_id[cohort.subject]
    salt = f"{cohort.study.split.salt or cohort.study.name}|judge"
    return first_decisions(cohort) > until, uniform_hash(subject, salt) < judge_share
