"""Which comparisons are pooled, from which hospitals, and what is said of them."""

from dataclasses import replace

import numpy as np
import pytest

from posology.domain.statistics.protocol import protocol_hash
from posology.errors import UserError
from posology.evaluation.pooling.consistency import (
    describe_contradiction,
    describe_repetition,
)
from posology.evaluation.pooling.pool import PooledEffect, PooledStudy, pool_summaries
from posology.evaluation.pooling.random_effects import pool_effects
from posology.evaluation.pooling.words import describe_pooled, heterogeneity_kind
from tests.builders.summaries import alike, apart, outcome, summary


def _find(study: PooledStudy, name: str, against: str, at: str = "stable dose") -> PooledEffect:
    return next(
        e for e in study.effects if (e.name, e.against, e.outcome.name) == (name, against, at)
    )


def test_effects_against_the_reference_are_pooled() -> None:
    found = _find(pool_summaries(alike()), "medium", "low")
    expected = pool_effects(np.array([0.105, 0.095, 0.102]), np.array([0.02, 0.03, 0.025]))
    assert found.pooled is not None
    assert found.pooled.mean.value == pytest.approx(expected.mean.value)
    assert found.pooled.mean.high == pytest.approx(expected.mean.high)
    assert found.pooled.weights == pytest.approx(expected.weights)
    assert [h.hospital for h in found.hospitals] == ["north", "south", "west"]


def test_options_that_share_a_reference_are_compared_by_their_covariance() -> None:
    """Var(a - b) = V(a) + V(b) - 2 Cov(a, b) = error squared, where the correlation is a half."""
    found = _find(pool_summaries(alike()), "high", "medium")
    assert [h.effect for h in found.hospitals] == pytest.approx([-0.22] * 3)
    assert [h.standard_error for h in found.hospitals] == pytest.approx([0.02, 0.03, 0.025])


def test_an_estimate_that_is_held_back_is_missing_with_its_reason() -> None:
    found = _find(pool_summaries(alike()), "high", "low", "bleeding")
    assert [h.hospital for h in found.hospitals] == ["north", "west"]
    assert found.missing == (("south", "few"),)


def test_a_hospital_with_another_reference_is_pooled_where_both_options_are_there() -> None:
    """In the east low is compared with medium: its effect is turned round."""
    east = summary(outcome({"low": -0.1}, 0.02))
    values = east.outcomes[0].values
    renamed = (replace(values[0], name="medium"), replace(values[1], name="low"), *values[2:])
    east = replace(east, outcomes=(replace(east.outcomes[0], values=renamed),))
    east = replace(east, analysis=replace(east.analysis, reference="medium"))
    study = pool_summaries(alike() | {"east": east})
    found = _find(study, "medium", "low")
    assert found.hospitals[-1].effect == pytest.approx(0.1)
    assert study.notes == (
        "east compares with medium, not with low: its effects on single options are pooled only "
        "where both are shared.",
    )


def test_words_say_alike_or_heterogeneous_and_what_another_hospital_may_expect() -> None:
    same, different = (_find(pool_summaries(made), "medium", "low") for made in (alike(), apart()))
    assert heterogeneity_kind(same) == "alike"
    assert describe_pooled(same) == (
        "On average over 3 hospitals medium dose is better than low dose.",
        "No difference between the hospitals is shown; 3 hospitals may be too few to see one.",
        "In another hospital it is expected to be better too.",
    )
    assert heterogeneity_kind(different) == "heterogeneous"
    text = " ".join(describe_pooled(different))
    assert "Heterogeneous: the effect differs between the hospitals by more than chance" in text
    assert text.endswith("In another hospital it may be better or worse.")
    more = _find(pool_summaries(alike()), "medium", "low", "bleeding")
    assert "medium dose is worse than low dose" in describe_pooled(more)[0]


def test_different_studies_are_refused_with_what_differs() -> None:
    one, other = list(alike().values())[:2]
    changed = tuple(
        (key, "30.0" if key == "outcome.within_days" else value)
        for key, value in other.study.protocol
    )
    study = replace(other.study, protocol=changed, hash=protocol_hash(changed))
    with pytest.raises(UserError) as error:
        pool_summaries({"a": one, "b": replace(other, study=study)})
    assert "a and b are of different studies: outcome.within_days is 90.0 against 30.0" in str(
        error.value
    )


def test_one_hospital_and_the_same_twice_are_refused() -> None:
    north = alike()["north"]
    with pytest.raises(UserError, match="at least two hospitals"):
        pool_summaries({"north": north})
    with pytest.raises(UserError, match="north and again hold the same estimates"):
        pool_summaries({"north": north, "again": north})


def test_a_copy_with_other_values_is_refused_with_the_row() -> None:
    north, south = alike()["north"], alike()["south"]
    values = tuple(replace(v, value=v.value and v.value + 0.1) for v in north.outcomes[0].values)
    copy = replace(north, outcomes=(replace(north.outcomes[0], values=values),))
    with pytest.raises(UserError) as error:
        pool_summaries({"north": north, "south": south, "copy": copy})
    assert str(error.value) == (
        "north and copy hold the same estimates (outcome stable dose, medium against low: "
        "difference 0.10500000000000001, standard error 0.02, with the outcome 50 of 100 and 40 "
        "of 100): name each hospital once, with the file that it wrote itself."
    )


def test_other_counts_of_the_same_difference_are_another_hospital() -> None:
    north = alike()["north"]
    values = tuple(replace(v, patients=v.patients + 1) for v in north.outcomes[0].values)
    other = replace(north, outcomes=(replace(north.outcomes[0], values=values),))
    assert describe_repetition(north, other) == ""
    group = replace(north.outcomes[0], family="sex", group="women")
    women = replace(north, outcomes=(group,))
    assert describe_repetition(women, women) == ""


@pytest.mark.parametrize(("shift", "is_refused"), [(0.0, False), (2e-5, False), (1e-3, True)])
def test_values_must_give_the_difference_within_rounding(shift, is_refused) -> None:
    """A standard error of 0.02 is written to 0.00001."""
    north = alike()["north"]
    low, medium, *others = north.outcomes[0].values
    values = (low, replace(medium, value=0.505 + shift), *others)
    changed = replace(north, outcomes=(replace(north.outcomes[0], values=values),))
    text = describe_contradiction(changed)
    assert bool(text) == is_refused
    if is_refused:
        assert text == (
            "outcome stable dose, medium: value 0.506 minus 0.4 of low is 0.106, and its "
            "difference is 0.105"
        )
