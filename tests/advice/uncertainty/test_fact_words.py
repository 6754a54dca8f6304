"""Facts of one patient in words."""

from dataclasses import replace

import numpy as np
import pytest

from posology.advice.form.training_facts import measure_facts
from posology.advice.uncertainty.alike import Question
from posology.advice.uncertainty.fact_words import (
    At,
    fact_in_words,
    shared_facts,
    unusual_in_words,
)
from posology.domain.cohort import Cohort, subset_decisions
from tests.builders.policies import iwpc_cohort

COHORT = iwpc_cohort()
FACTS = measure_facts(COHORT)


def one_patient(without: str = "-") -> tuple[At, Cohort]:
    one = subset_decisions(COHORT, np.arange(len(COHORT)) == 0)
    gone = [row for row, code in enumerate(one.profile.codes) if code.startswith(without)]
    height = one.profile.codes.index("HEIGHT")
    code = np.where(np.isin(one.history.code, gone), height, one.history.code)
    history = replace(one.history, code=code)
    return (one.study, one.profile, history, history.step_offsets[1:2] - 1), one


def codes_of(prefix: str) -> tuple[str, ...]:
    return tuple(code for code in COHORT.profile.codes if code.startswith(prefix))


def test_a_decade_of_age_is_read_in_years() -> None:
    row = COHORT.profile.codes.index("AGE_DECADE")
    assert fact_in_words(COHORT.profile, row, 1.0) == "age 10 to 19 years"


@pytest.mark.parametrize(
    ("cuts", "answers", "words"),
    [
        ((5.0,), (True,), "age at least 50 years"),
        ((5.0,), (False,), "age below 50 years"),
        ((5.0, 8.0), (True, False), "age at least 50 years and below 80 years"),
    ],
)
def test_the_limits_of_one_number_are_one_phrase(
    cuts: tuple[float, ...], answers: tuple[bool, ...], words: str
) -> None:
    at, _ = one_patient()
    questions = tuple(Question("AGE_DECADE", cut) for cut in cuts)
    assert shared_facts(at, questions, np.array(answers), FACTS) == [words]


def test_a_number_that_is_not_recorded_is_not_said_to_be_below_a_limit() -> None:
    at, _ = one_patient("WEIGHT")
    asked = (Question("WEIGHT", 70.0),)
    assert shared_facts(at, asked, np.array([False]), FACTS) == [
        "weight below 70 kg, or not recorded"
    ]


def test_a_fact_without_its_number_is_not_said_to_be_below_a_limit() -> None:
    """A laboratory's "<5" is an event without a number."""
    at, one = one_patient()
    weight = one.profile.codes.index("WEIGHT")
    value = np.where(one.history.code == weight, np.nan, one.history.value).astype(np.float32)
    history = replace(one.history, value=value)
    asked = (Question("WEIGHT", 70.0),)
    assert shared_facts((*at[:2], history, at[3]), asked, np.array([False]), FACTS) == [
        "weight below 70 kg, or not recorded"
    ]


def test_a_fact_that_is_unusual_twice_is_not_said_to_be_missing() -> None:
    """Of one code both its number and that it is recorded may be unusual."""
    at, _ = one_patient()
    (words,) = unusual_in_words(at, ("WEIGHT", "WEIGHT"), FACTS)
    assert words.startswith("weight ")
    assert words.endswith(" kg")


@pytest.mark.parametrize(
    ("is_yes", "words"), [(True, "height on record"), (False, "no height on record")]
)
def test_a_fact_that_is_there_or_not_has_no_unit(is_yes: bool, words: str) -> None:
    at, _ = one_patient()
    assert shared_facts(at, (Question("HEIGHT", None),), np.array([is_yes]), FACTS) == [words]


def test_a_choice_that_is_not_recorded_is_named_once() -> None:
    at, _ = one_patient("SEX//")
    assert len(codes_of("SEX//")) == 2
    assert unusual_in_words(at, codes_of("SEX//"), FACTS) == ["sex is not recorded"]


def test_of_a_choice_what_is_recorded_is_named_and_not_what_follows_from_it() -> None:
    at, one = one_patient()
    known = set(one.history.code.tolist())
    (present,) = [c for c in codes_of("SEX//") if COHORT.profile.codes.index(c) in known]
    name = COHORT.profile.name(COHORT.profile.codes.index(present))
    assert unusual_in_words(at, codes_of("SEX//"), FACTS) == [name]
    asked = tuple(Question(code, None) for code in codes_of("SEX//"))
    own = np.array([code == present for code in codes_of("SEX//")])
    assert shared_facts(at, asked, own, FACTS) == [name]
    neither = shared_facts(at, asked, np.array([False, False]), FACTS)
    assert neither == ["sex not female or male"]
