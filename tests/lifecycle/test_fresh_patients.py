"""Whom a challenger learns from and whom it is judged on: never the same, and the same again."""

from dataclasses import replace

import numpy as np
import pytest

from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, windows_closed
from posology.errors import UserError
from posology.lifecycle.fresh_patients import select_fresh, split_for_update
from tests.builders.small_cohorts import small_cohort

UNTIL = 500.0


def cohort(n: int = 600) -> Cohort:
    """One decision a patient; half came after the champion's last one."""
    rng = np.random.default_rng(1)
    split = rng.choice([TRAIN, VALIDATION, TEST], n, p=[0.6, 0.2, 0.2]).astype(np.int8)
    time = np.linspace(0, 2 * UNTIL, n)
    return replace(small_cohort(0, n, best_known=True), time=time, split=split)


def ids(some: Cohort, keep: np.ndarray) -> set[int]:
    return set(some.history.subject_id[some.subject[keep]].tolist())


def test_nobody_is_learned_from_and_judged_on() -> None:
    everyone = cohort()
    update = split_for_update(everyone, UNTIL, 0.3)
    learned, judged = ids(update, update.split != TEST), ids(update, update.split == TEST)
    assert not learned & judged
    new = ids(everyone, everyone.time > UNTIL)
    assert judged <= new
    assert 0.2 < len(judged) / len(new) < 0.4
    assert learned & new
    old_test = ids(everyone, (everyone.time <= UNTIL) & (everyone.split == TEST))
    assert not old_test & (learned | judged)
    old = ids(everyone, everyone.time <= UNTIL) - old_test
    assert learned == old | (new - judged)  # old patients are replayed


def test_later_patients_change_nobody_s_part() -> None:
    everyone = cohort()
    early = replace(everyone, split=everyone.split)
    first = split_for_update(early, UNTIL, 0.3)
    fewer = split_for_update(cohort(), UNTIL + 200, 0.3)
    judged = ids(first, first.split == TEST)
    later = ids(everyone, everyone.time > UNTIL + 200)
    assert ids(fewer, fewer.split == TEST) == judged & later


def test_who_came_after_the_challenger_was_made_is_fresh_in_any_case() -> None:
    everyone = cohort()
    fresh = select_fresh(everyone, UNTIL, 0.3, learned_until=800.0)
    found = ids(fresh, fresh.split == TEST)
    assert ids(everyone, everyone.time > 800) <= found
    kept = split_for_update(everyone, UNTIL, 0.3)
    assert found == ids(kept, kept.split == TEST) | ids(everyone, everyone.time > 800)


def test_decisions_without_a_time_cannot_be_split() -> None:
    with pytest.raises(UserError, match="its decisions have no time"):
        split_for_update(replace(cohort(), time=None), UNTIL, 0.3)


def test_a_window_is_over_only_if_the_records_go_on_so_long() -> None:
    made = cohort(4)  # its outcome's window is 90 days
    time = np.array([0.0, 100.0, 110.0, 130.0])
    followed = np.array([200.0, 20.0, 50.0, 10.0], np.float32)  # the records end on day 200
    dated = replace(made, time=time, days_followed=followed)
    assert windows_closed(dated).tolist() == [True, True, True, False]
    died = replace(dated, days_followed=np.minimum(followed, 20))  # now they end on day 140
    assert windows_closed(died).tolist() == [True, False, False, False]
    assert windows_closed(made).all()  # without times nobody knows
