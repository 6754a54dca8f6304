"""A recommendation as text: the answer first, 80 columns, nothing cut."""

from dataclasses import replace
from functools import cache
from io import StringIO

import pytest
from rich.console import Console

from posology.domain.recommendation.recommendation import (
    ABSTAINED,
    BETTER_FOR_PATIENT,
    DOSE_ONLY,
    NO_OPTION_BETTER,
    NOT_ELIGIBLE,
    STATES,
    TOO_FEW_ALIKE,
    Recommendation,
)
from posology.report.patient.terminal import render_advice
from tests.builders.recommendations import ADVICE_BY_STATE


def printed(advice: Recommendation) -> str:
    out = StringIO()
    Console(file=out, width=80, no_color=True).print(render_advice(advice))
    return out.getvalue()


@cache
def text(state: str) -> str:
    return " ".join(printed(ADVICE_BY_STATE[state]).split())


@pytest.mark.parametrize("state", STATES)
def test_the_answer_is_first_and_nothing_is_cut(state: str) -> None:
    advice = ADVICE_BY_STATE[state]
    lines = printed(advice).splitlines()
    unused = [c for c in advice.callouts if c.startswith("Given but not used")]
    assert [line.removeprefix("! ") for line in lines[: len(unused)]] == unused
    assert lines[len(unused)] == advice.headline
    assert max(len(line) for line in lines) <= 80
    shown = text(state)
    for word in ("…", "100 %", "chosen", "P(", "log-odds"):
        assert word not in shown
    for option in advice.options if state != DOSE_ONLY else ():
        assert option.title in shown.lower()
    for callout in advice.callouts:
        assert callout in shown
    assert "Posology supports a decision; it does not make one." in shown


@pytest.mark.parametrize("state", [s for s in ABSTAINED if s != NOT_ELIGIBLE])
def test_without_an_answer_it_says_what_to_go_on_before_the_options(state: str) -> None:
    shown = text(state)
    heads = ("What would help most:", "What the guideline says:", "What is known:", "Options")
    places = [shown.index(head) for head in heads]
    assert places == sorted(places)


def test_benefit_and_harms_stand_together_with_intervals() -> None:
    shown = text(BETTER_FOR_PATIENT)
    assert "58 (50 to 66) 21 more (11 to 31 more): better" in shown
    assert "INR over 4 6 (4 to 9) 23 fewer" in shown
    assert "Major bleed 1 (under 1 to 2) no clear difference" in shown
    assert "Options, in no order of merit" in text(NO_OPTION_BETTER)
    assert "Plan for: 12 to 21 mg a week." in text(DOSE_ONLY)


def test_markup_in_a_name_is_text() -> None:
    advice = ADVICE_BY_STATE[BETTER_FOR_PATIENT]
    low = replace(advice.options[0], title="[b]low[/b] start")
    shown = printed(replace(advice, options=(low, *advice.options[1:])))
    assert "[b]low[/b] start, 16 mg a week" in shown


def test_it_says_whether_rules_were_checked_and_that_chance_is_no_usual_care() -> None:
    shown = " ".join(printed(replace(ADVICE_BY_STATE[DOSE_ONLY], safety=())).split())
    assert "This study has no safety rules: nothing was checked against them." in shown
    remark = "In the trial, chance decided which option was given."
    advice = ADVICE_BY_STATE[TOO_FEW_ALIKE]
    options = tuple(
        replace(o, remarks=(remark,)) if o.name == "usual_care" else o for o in advice.options
    )
    shown = " ".join(printed(replace(advice, options=options)).split())
    assert f"What is usually done here: {remark}" in shown
