"""What a decision must hold: a dose that belongs to the option chosen with it."""

from dataclasses import replace

import pytest

from posology.cohorts.study.reader import read_study
from posology.domain.recommendation.option import NOT_ESTIMATED, OptionAdvice
from posology.domain.recommendation.recommendation import BETTER_FOR_PATIENT
from posology.report.patient.words import capitalise
from posology.service.pages.decision import (
    decision_form,
    option_ranges,
    option_words,
    read_decision,
)
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


AS_ADVISED = "This is what was advised: "


@pytest.mark.parametrize(("option", "dose"), [("low", "16"), ("low", "16,0"), ("low", "")])
@pytest.mark.parametrize("comment", ["", "as the registrar wished"])
def test_an_override_with_what_was_advised_is_refused(option: str, dose: str, comment: str) -> None:
    advice = ADVICE_BY_STATE["better"]
    form = {"outcome": "overridden", "option_overridden": option, "dose_overridden": dose}
    form |= {"reason_overridden": "guideline", "comment": comment}
    record, errors = read_decision(form, (advice, {}), True, "answer", "person")
    field = "dose_overridden" if dose else "option_overridden"
    assert record is None
    assert errors == {field: AS_ADVISED + "choose “Accept”, or another option or dose"}
    stopped, _ = read_decision(form, (advice, {}), False, "answer", "person")
    assert stopped is not None, "nothing can be accepted: the same dose is then another decision"


@pytest.mark.parametrize("outcome", ["modified", "overridden"])
def test_a_dose_as_advised_is_refused_and_another_is_kept(outcome: str) -> None:
    advised = DOSE.dose if DOSE else 0.0
    name = next(n for n, r in RANGES.items() if r.low <= advised <= r.high)
    for option, dose in ((name, f"{advised:g}"), (name, ""), ("other", f"{advised:g}")):
        _, errors = decide(outcome, option, dose)
        assert [text[: len(AS_ADVISED)] for text in errors.values()] == [AS_ADVISED], (option, dose)
    record, errors = decide(outcome, name, f"{advised + 0.5:g}")
    assert (record is not None, errors) == (True, {})


def test_a_modification_may_add_a_check_to_the_advised_dose() -> None:
    form = {"outcome": "modified", "option_modified": "low", "reason_modified": "guideline"}
    about = (ADVICE_BY_STATE["better"], {})
    assert read_decision(form, about, True, "answer", "person")[0] is None
    with_check = form | {"comment": "INR after three days"}
    assert read_decision(with_check, about, True, "answer", "person")[0] is not None


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"outcome": "overridden", "option_overridden": "other"}, "say here what is given"),
        (
            {"outcome": "overridden", "option_overridden": "medium", "reason_overridden": "other"},
            "say here what the reason is",
        ),
        ({"outcome": "deferred", "reason_deferred": "other"}, "say here what the reason is"),
    ],
)
def test_something_else_and_other_need_a_word(form: dict[str, str], words: str) -> None:
    form = {"reason_overridden": "guideline"} | form
    about = (ADVICE_BY_STATE["better"], {})
    record, errors = read_decision(form | {"comment": " "}, about, True, "answer", "person")
    assert record is None
    assert words in errors["comment"]
    record, _ = read_decision(form | {"comment": "apixaban"}, about, True, "a", "person")
    assert record is not None


def test_a_range_of_doses_is_offered_without_a_dose_that_nobody_advised() -> None:
    """`High dose, over 49 mg a week, 49.5 mg/wk` was offered, and no dose was recorded."""
    end = replace(ADVICE.dose, dose=49.5) if ADVICE.dose else None
    ranged = replace(ADVICE, options=tuple(replace(one, dose=end) for one in OPTIONS))
    form = decision_form(ranged)
    assert dict(form.options)["high"] == "High dose, over 49 mg a week"
    assert form.dose_label == "Dose that will be given"


def test_a_start_with_its_own_dose_is_offered_with_it() -> None:
    advice = ADVICE_BY_STATE[BETTER_FOR_PATIENT]
    dosed = (replace(advice.options[0], dose=DOSE), *advice.options[1:])
    form = decision_form(replace(advice, options=dosed))
    first = advice.options[0]
    assert dict(form.options)[first.name] == option_words(dosed[0]) != capitalise(first.title)
    assert form.dose_label == "Dose, if it is another"


@pytest.mark.parametrize("outcome", ["modified", "overridden"])
def test_a_range_of_doses_needs_the_dose(outcome: str) -> None:
    """The record then held no dose."""
    advised = DOSE.dose if DOSE else 0.0
    other = next(n for n, r in RANGES.items() if not r.low <= advised <= r.high)
    record, errors = decide(outcome, other, "")
    assert (record, errors) == (None, {f"dose_{outcome}": "Enter the dose that will be given"})
