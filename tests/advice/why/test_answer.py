"""Reasons on an answer: only where something is shown better, and only for the option shown."""

from dataclasses import replace

import numpy as np
import pytest

from posology.advice.recommend import list_missing, recommend
from posology.advice.why.answer import _with_help, add_reasons, with_unrecorded
from posology.advice.why.evidence import WhyEvidence
from posology.advice.why.explain import _step_name, attention_by_step
from posology.advice.why.missing import MissingHelp
from posology.advice.why.values import policy_values
from posology.domain.history import History, subset_subjects
from posology.domain.profile import Profile
from posology.domain.recommendation.findings import MissingFact
from posology.domain.recommendation.recommendation import (
    BETTER_FOR_PATIENT,
    BETTER_THAN_REFERENCE,
    DOSE_ONLY,
    NO_OPTION_BETTER,
    NOT_ELIGIBLE,
    STATES,
    Recommendation,
)
from posology.domain.recommendation.why import Why
from tests.builders.policies import fitted_policy, iwpc_cohort
from tests.builders.reasons import FACTS, STUDY, WOMAN, patient, policy

KNOWN = WhyEvidence(FACTS)
VALUES = policy_values(policy(), STUDY), 2
"""Against drug C as the reference."""


def answer(state: str, history: History = WOMAN, missing: tuple[str, ...] = ()) -> Recommendation:
    """The answer to a history with its state set by hand, and drug A shown first."""
    advice = recommend(policy(), STUDY, history)
    options = sorted(advice.options, key=lambda option: option.name)
    facts = tuple(MissingFact(name, "Nothing.", "") for name in missing)
    shown = replace(advice, state=state, options=tuple(options), missing=facts)
    return add_reasons(shown, policy(), history, KNOWN, VALUES)


def test_the_first_option_is_compared_with_the_next_and_with_the_reference() -> None:
    why = answer(BETTER_FOR_PATIENT).why
    assert [(c.first, c.other) for c in why.contrasts] == [
        ("drug A", "drug B"),
        ("drug A", "drug C"),
    ]
    assert [c.sentence for c in why.counterfactuals] == [
        "If eGFR were 63 mL/min or more, drug B would come first."
    ]


@pytest.mark.parametrize(
    "state", [s for s in STATES if s not in (BETTER_FOR_PATIENT, BETTER_THAN_REFERENCE, DOSE_ONLY)]
)
def test_where_nothing_is_shown_better_there_are_no_reasons(state: str) -> None:
    assert answer(state).why == Why()


def test_no_reasons_are_given_for_another_option_than_the_one_shown() -> None:
    advice = answer(BETTER_FOR_PATIENT)
    others = tuple(option for option in advice.options if option.name != "a")
    shown = replace(advice, options=others, why=Why())
    assert add_reasons(shown, policy(), WOMAN, KNOWN, VALUES).why == Why()


def test_missing_facts_say_what_they_could_change_and_the_most_helpful_comes_first() -> None:
    unknown = patient((("SEX//male", np.nan),), (("SEX//male", np.nan),))
    missing = answer(BETTER_FOR_PATIENT, unknown, ("genotype", "body mass index, kg/m²")).missing
    assert [fact.fact for fact in missing] == ["eGFR", "body mass index, kg/m²", "genotype"]
    assert missing[0].would_help.startswith("If it were known, drug B would come first for 25")
    assert missing[1].would_help.startswith("Whatever its value")
    assert missing[2].would_help == ""


@pytest.mark.parametrize(
    ("state", "events", "names"),
    [
        (NO_OPTION_BETTER, (("SEX//male", np.nan), ("LAB//egfr", 50.0)), ["body mass index"]),
        (NO_OPTION_BETTER, (("SEX//male", np.nan),), []),  # the family itself is listed
        (NOT_ELIGIBLE, (("SEX//male", np.nan), ("LAB//egfr", 50.0)), []),
        (BETTER_FOR_PATIENT, (("SEX//male", np.nan), ("LAB//egfr", 50.0)), []),
    ],
)
def test_a_fact_of_a_family_of_many_is_missing_where_no_reasons_name_it(
    state: str, events: tuple[tuple[str, float], ...], names: list[str]
) -> None:
    """A page said that no fact was missing: of `LAB`, another one was recorded."""
    study = replace(STUDY, profile=replace(STUDY.profile, families=("LAB", "SEX")))
    advice = replace(recommend(policy(), study, patient(events)), state=state, missing=())
    found = with_unrecorded(advice, study, (policy(), patient(events)), FACTS).missing
    assert [fact.fact for fact in found] == names


def test_a_dose_has_reasons_too() -> None:
    reasons = answer(DOSE_ONLY).why.dose
    assert reasons[0].code == "LAB//egfr"
    assert answer(DOSE_ONLY).why.contrasts == ()


def test_attention_is_where_the_network_looked_and_sums_to_one() -> None:
    cohort, network = iwpc_cohort(), fitted_policy("posology")
    first = subset_subjects(cohort.history, np.array([3]))
    shares = attention_by_step(network, first)
    assert len(shares) == len(first.time)
    assert sum(share for _, share in shares) == pytest.approx(1, abs=1e-5)
    assert shares[0][0] == "static facts"
    assert attention_by_step(fitted_policy("logistic"), first) == ()


def test_a_step_that_is_only_the_birth_is_not_shown_as_a_date() -> None:
    """`1968-11-19 43 %` stood among the steps: a date of birth, and no reader knew of what."""
    profile = Profile(("MEDS_BIRTH", "LAB"), *(np.zeros(2, np.float32),) * 2)
    history = History(
        code=np.array([1, 0, 0, 1], np.int32),
        value=np.full(4, np.nan, np.float32),
        event_offsets=np.array([0, 1, 2, 4]),
        time=np.array([np.nan, -410.0, 20_000.0]),
        step_offsets=np.array([0, 3]),
        subject_id=np.array([7]),
    )
    assert [_step_name(profile, history, step) for step in range(3)] == [
        "static facts",
        "birth",
        "2024-10-04",
    ]


def test_a_fact_whose_name_has_a_comma_is_listed_once() -> None:
    """`herbal medicine` stood again among the facts of which nothing is known."""
    missing = (MissingFact("herbal medicine", "Nothing.", ""),)
    help_ = MissingHelp("herbal medicine, vitamins or supplements", (1,), 0.2, "It would help.")
    assert [(f.fact, f.would_help) for f in _with_help(missing, (help_,))] == [
        ("herbal medicine", "It would help.")
    ]


def test_facts_that_differ_only_after_a_comma_stay_two() -> None:
    """Of `creatinine, urine` and `creatinine, serum` one was lost, and the other stood twice."""
    urine = MissingFact("creatinine, urine", "The mean.", "", is_required=True)
    serum = MissingFact("creatinine, serum", "Nothing.", "")
    helps = (
        MissingHelp("creatinine, serum", (1,), 0.2, "Serum would help."),
        MissingHelp("creatinine, urine", (2,), 0.1, "Urine would help."),
    )
    assert [(f.fact, f.would_help) for f in _with_help((urine, serum), helps)] == [
        ("creatinine, urine", "Urine would help."),
        ("creatinine, serum", "Serum would help."),
    ]
    assert [(f.fact, f.would_help) for f in _with_help((urine, serum), ())] == [
        ("creatinine, urine", ""),
        ("creatinine, serum", ""),
    ]
    assert [(f.fact, f.would_help) for f in _with_help((urine,), helps)] == [
        ("creatinine, urine", "Urine would help."),
        ("creatinine, serum", "Serum would help."),
    ]
    family = (MissingFact("creatinine", "Nothing.", ""),)
    assert [(f.fact, f.would_help) for f in _with_help(family, helps)] == [
        ("creatinine, serum", "Serum would help."),
        ("creatinine, urine", "Urine would help."),
        ("creatinine", ""),
    ]


def test_missing_facts_keep_what_tells_their_names_apart() -> None:
    """Both were `statin`, and the page listed it once."""
    names = (
        ("CONDITION//failing", "statin, low dose"),
        ("DRUG//b", "statin, high dose"),
        ("LAB//bmi", "weight, kg"),
    )
    families = ("CONDITION//failing", "DRUG//b", "LAB//bmi")
    study = replace(STUDY, names=names, profile=replace(STUDY.profile, families=families))
    someone = patient((("SEX//male", np.nan),), (("LAB//egfr", 50.0),))
    assert [fact.fact for fact in list_missing(study, policy(), someone)] == [
        "statin, low dose",
        "statin, high dose",
        "weight",
    ]
