"""A cohort in another hospital's vocabulary: the same events, under the policy's codes."""

from dataclasses import replace

import numpy as np
import pytest

from posology.cohorts.encode import remap_codes
from posology.cohorts.recode import recode_cohort
from posology.domain.cohort import Cohort
from posology.domain.embedding_components import EmbeddingReduction
from posology.errors import UserError
from tests.builders.small_cohorts import FORMULA, small_cohort


def _in_another_order(cohort: Cohort) -> Cohort:
    """The vocabulary reversed, with a code of its own."""
    count = len(cohort.profile.codes)
    row = np.arange(count, dtype=np.int32)[::-1].copy()
    history, last_step = remap_codes(cohort.history, cohort.last_step, row)
    profile = replace(
        cohort.profile,
        codes=(*cohort.profile.codes[::-1], "OWN"),
        center=np.zeros(count + 1, np.float32),
        spread=np.ones(count + 1, np.float32),
    )
    return replace(cohort, history=history, last_step=last_step, profile=profile)


def test_the_policy_sees_what_it_would_have_seen_at_home() -> None:
    made = small_cohort(0, 30, best_known=False)
    home = recode_cohort(made, made.profile)  # without the steps that are empty
    again = recode_cohort(_in_another_order(made), made.profile)
    assert again.profile is home.profile
    for name in ("code", "value", "event_offsets", "time", "step_offsets"):
        np.testing.assert_array_equal(getattr(again.history, name), getattr(home.history, name))
    np.testing.assert_array_equal(again.last_step, home.last_step)


def test_formulas_are_the_policys_own() -> None:
    """Here the formula was refitted to another coefficient: its results are replaced."""
    home = small_cohort(0, 30, best_known=False)
    codes = (*home.profile.codes, FORMULA.event)
    sizes = {"center": np.zeros(7, np.float32), "spread": np.ones(7, np.float32)}
    profile = replace(home.profile, codes=codes, formulas=(FORMULA,), **sizes)
    doubled = replace(FORMULA, terms=tuple(replace(t, coefficient=9.0) for t in FORMULA.terms))
    theirs = recode_cohort(home, profile)
    elsewhere = recode_cohort(home, replace(profile, formulas=(doubled,)))
    assert not np.array_equal(theirs.history.value, elsewhere.history.value, equal_nan=True)
    again = recode_cohort(elsewhere, profile)
    np.testing.assert_array_equal(again.history.value, theirs.history.value)
    np.testing.assert_array_equal(again.history.code, theirs.history.code)


def test_hospitals_without_a_common_code_are_refused() -> None:
    cohort = small_cohort(0, 10, best_known=False)
    codes = tuple(f"THEIRS//{code}" for code in cohort.profile.codes)
    with pytest.raises(UserError, match="the policy knows none of this cohort's 6 codes"):
        recode_cohort(cohort, replace(cohort.profile, codes=codes))


def test_images_are_refused() -> None:
    cohort = small_cohort(0, 10, best_known=False)
    reduction = EmbeddingReduction.__new__(EmbeddingReduction)
    with pytest.raises(UserError, match="image features of two hospitals cannot be compared"):
        recode_cohort(cohort, replace(cohort.profile, reductions=(reduction,)))
