"""Splits of a cohort by name or number."""

import numpy as np
import pytest

from posology.domain.cohort import SPLITS, select_split
from posology.errors import UserError
from tests.builders.synthetic_iwpc import cohort as build_cohort


@pytest.mark.parametrize("name", SPLITS)
def test_a_split_is_the_same_by_name_and_by_number(name: str) -> None:
    cohort = build_cohort()
    by_name = select_split(cohort, name)
    assert len(by_name) == int((cohort.split == SPLITS.index(name)).sum()) > 0
    np.testing.assert_array_equal(by_name.subject, select_split(cohort, SPLITS.index(name)).subject)


@pytest.mark.parametrize("split", ["training", 3])
def test_an_unknown_split_is_refused_by_name(split: int | str) -> None:
    with pytest.raises(UserError, match="no such split; name one of train, validation, test"):
        select_split(build_cohort(), split)
