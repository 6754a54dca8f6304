"""The blank form: names for codes, and long lists of choices folded to the most common."""

from dataclasses import replace

import numpy as np

from posology.advice.form.blank import blank_form, describe_field, form_as_text
from posology.advice.form.build import build_form
from posology.advice.form.field import Field, Form
from posology.advice.form.training_facts import TrainingFacts, measure_facts
from posology.cohorts.study.reader import read_study
from posology.domain.cohort import TRAIN, select_split
from posology.domain.profile import Profile
from tests.builders.policies import iwpc_cohort


def form_of(codes: tuple[str, ...], share: tuple[float, ...]) -> Form:
    """The form of warfarin patients whose facts are codes without dates or numbers."""
    n, nothing = len(codes), (None,) * len(codes)
    zeros = np.zeros(n, np.float32)
    facts = TrainingFacts(
        dated=(0.0,) * n,
        numeric=(0.0,) * n,
        low=nothing,
        high=nothing,
        days_before=nothing,
        several=("MEDICATION", "INDICATION"),
        share=share,
    )
    return build_form(read_study("iwpc"), Profile(codes, zeros, zeros + 1), facts)


def test_a_long_list_is_folded_to_the_most_common_with_a_pointer_to_all() -> None:
    codes = tuple(f"MEDICATION//m{i:02}" for i in range(30))
    body = blank_form(form_of(codes, tuple(i / 100 for i in range(30))))
    (name,) = body["fields"]
    line = body["fields"][name]
    assert line.startswith("any of m29, m28, m27, ")
    assert "m18 (12 of 30: all stand under `choices`)" in line
    assert "m17" not in line
    assert len(body["choices"][name]) == 30


def test_codes_of_warfarin_patients_have_names() -> None:
    body = blank_form(form_of(("INDICATION//1", "INDICATION//1_or_2", "INDICATION//4"), ()))
    assert body["fields"]["indication"].startswith(
        "any of deep vein thrombosis, deep vein thrombosis or pulmonary embolism, heart valve"
    )
    assert body["choices"] == {}


def test_a_fact_that_nearly_all_patients_had_and_an_answer_that_none_had_are_named() -> None:
    field = Field("sex", "SEX", "choice", (("female", "SEX//female"), ("male", "SEX//male")))
    usual = "one of female, male; nearly all patients had it: without it there may be no answer"
    assert describe_field(replace(field, is_usual=True)) == f"{usual} [SEX]"
    assert describe_field(field) == "one of female, male [SEX]"
    never = Field("drug X", "DRUG//X", "yes_no", (("yes", ""), ("no", "DRUG//X//no")))
    assert describe_field(never) == (
        "yes (no patient that the model learned from had it, so it is not used) or no [DRUG//X]"
    )


def test_the_list_for_reading_is_no_wider_than_80_columns() -> None:
    codes = tuple(f"MEDICATION//a medicine number {i:02}" for i in range(30))
    lines = form_as_text(blank_form(form_of(codes, ()))).splitlines()
    assert len(lines) > 3
    assert max(map(len, lines)) <= 80


def test_the_share_of_patients_with_each_code_is_measured() -> None:
    train = select_split(iwpc_cohort(), TRAIN)
    facts = measure_facts(train)
    share = dict(zip(train.profile.codes, facts.share, strict=True))
    assert share["WEIGHT"] == 1.0
    assert 0.7 < share["HEIGHT"] < 0.9
    assert abs(share["SEX//male"] + share["SEX//female"] - 1) < 1e-6
