"""What a decision must hold: a dose that belongs to the option chosen with it."""

from dataclasses import replace

import pytest

from posology.cohorts.study.reader import read_study
from posology.domain.recommendation.option import NOT_ESTIMATED, OptionAdvice
from posology.service.pages.decision import option_ranges, read_decision
from tests.builders.recommendations import ADVICE_BY_STATE

RANGES = option_ranges(read_study("iwpc"))
OPTIONS = tuple(
    OptionAdvice(t.name, t.title, NOT_ESTIMATED, None, None, (), None, None)
    for t in read_study("iwpc").formulary.treatments
)
DOSE = ADVICE_BY_STATE["dose"].dose
assert DOSE is not None
ADVICE = replace(ADVICE_BY_STATE["dose"], options=OPTIONS, dose=replace(DOSE, unit="mg/wk"))


def decide(outcome: str, option: str, dose: str) -> tuple[object, dict[str, str]]:
    form = {
        "outcome": outcome,
        f"option_{outcome}": option,
        f"dose_{outcome}": dose,
        f"reason_{outcome}": "guideline",
    }
    return read_decision(form, (ADVICE, RANGES), True, "answer", "person")


@pytest.mark.parametrize("outcome", ["modified", "overridden"])
@pytest.mark.parametrize(
    ("option", "dose", "words"),
    [
        (
            "low",
            "35",
            "35 mg/wk is not “low dose, under 21 mg a week”: change the dose, or choose “Medium "
            "dose, 21 to 49 mg a week”",
        ),
        (
            "high",
            "49",
            "49 mg/wk is not “high dose, over 49 mg a week”: change the dose, or choose",
        ),
        ("medium", "20,5", "or choose “Low dose, under 21 mg a week”"),
    ],
)
def test_a_dose_of_another_class_is_refused_with_both_names(
    outcome: str, option: str, dose: str, words: str
) -> None:
    record, errors = decide(outcome, option, dose)
    assert record is None
    assert words in errors[f"dose_{outcome}"]


@pytest.mark.parametrize(
    ("option", "dose"), [("low", "20.5"), ("medium", "21"), ("medium", "49"), ("other", "35")]
)
def test_a_dose_of_the_class_is_kept(option: str, dose: str) -> None:
    record, errors = decide("overridden", option, dose)
    assert errors == {}
    assert record is not None
