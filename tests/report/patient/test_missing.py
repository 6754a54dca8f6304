"""Which missing fact helps most: one answer on every part of a page."""

from dataclasses import replace

from posology.advice.why.missing import NO_CHANGE
from posology.domain.recommendation.findings import MissingFact
from posology.domain.recommendation.recommendation import (
    DOSE_ONLY,
    TOO_FEW_ALIKE,
    Recommendation,
)
from posology.report.patient.answer import instead
from posology.report.patient.missing import (
    NEEDED,
    missing_note,
    missing_rest,
    missing_rows,
    most_helpful,
)
from tests.builders.recommendations import ADVICE_BY_STATE

_NEEDED = MissingFact("target INR", "Nothing.", "", True)
_SMOKER = MissingFact("smoker", "Nothing.", "The dose would be 18 to 19.")
_SAME = MissingFact("herbal", "Nothing.", f"{NO_CHANGE} the dose would stay nearly the same.")


def advice(*missing: MissingFact, state: str = TOO_FEW_ALIKE) -> Recommendation:
    return replace(ADVICE_BY_STATE[state], missing=missing)


def test_the_parts_of_a_page_name_the_same_fact() -> None:
    """The table marked the first with a sentence, and the top named the first that is needed."""
    asked = advice(_NEEDED, _SMOKER)
    rows = missing_rows(asked)
    assert [(row.fact, row.is_first) for row in rows] == [("Target INR", True), ("Smoker", False)]
    assert rows[0].help == NEEDED
    assert (instead(asked)[0].strong, instead(asked)[0].text) == ("Target INR.", NEEDED)


def test_what_is_assumed_and_what_several_facts_would_help_are_whole_sentences() -> None:
    nothing = "Nothing: the model also learned from patients without it."
    both = [
        MissingFact(name, nothing, "If it were known, the dose would be from 16 to 18 mg.")
        for name in ("smoker", "herbal")
    ]
    asked = advice(*both, state=DOSE_ONLY)
    assert missing_note(asked).startswith(
        "Nothing was assumed in their place: the model also learned from such patients."
    )
    assert [(row.fact, row.help) for row in missing_rows(asked)] == [
        ("Smoker, herbal", "If one of them were known, the dose would be from 16 to 18 mg.")
    ]


def test_a_family_is_not_named_beside_its_parts() -> None:
    named = [MissingFact(name, "Nothing.", "") for name in ("drug", "race")]
    part = MissingFact("drug amiodarone", "Nothing.", "The dose would be 12 to 20.")
    assert "recorded: race." in missing_rest(advice(*named, part, state=DOSE_ONLY))


def test_a_fact_that_changes_nothing_does_not_help_most() -> None:
    asked = advice(_SAME, state=DOSE_ONLY)
    assert most_helpful(asked) is None
    assert [row.is_first for row in missing_rows(asked)] == [False]
    line = instead(replace(asked, state=TOO_FEW_ALIKE))[0]
    assert line.text == "No missing fact would change the answer much."
    assert most_helpful(advice(_SAME, _SMOKER)) == _SMOKER
