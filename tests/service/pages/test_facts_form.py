"""Numbers of a page's form, in any unit that the API's form takes."""

import pytest

from posology.advice.form.field import Field, Limits
from posology.service.pages.facts_form import changed_facts, fact_groups
from posology.service.pages.field_groups import FieldOrder
from posology.workflows.advice.what_if import FactValue

HEIGHT = Field("height", "HEIGHT", "number", unit="cm", limits=Limits(100.0, 250.0))
VALUES = (FactValue(HEIGHT, "168"),)


@pytest.mark.parametrize(
    ("entered", "change"),
    [
        ({"fact-0": "70", "fact-0-unit": "in"}, "70 in"),
        ({"fact-0": "70 in"}, "70 in"),
        ({"fact-0": "1.8 m", "fact-0-unit": "cm"}, "1.8 m"),
        ({"fact-0": "180", "fact-0-unit": "cm"}, "180"),
    ],
)
def test_a_number_is_taken_in_the_unit_that_was_chosen(
    entered: dict[str, str], change: str
) -> None:
    assert changed_facts(VALUES, entered) == ({"height": change}, {})


@pytest.mark.parametrize(
    ("entered", "words"),
    [
        ({"fact-0": "70 kg"}, "is no number in cm"),
        ({"fact-0": "70"}, "Height: 70 cm cannot be right; enter from 100 to 250 cm"),
        ({"fact-0": "8", "fact-0-unit": "in"}, "Height: 20.32 cm cannot be right"),
    ],
)
def test_what_cannot_be_right_is_refused_in_the_records_unit(
    entered: dict[str, str], words: str
) -> None:
    assert words in changed_facts(VALUES, entered)[1]["fact-0"]


def test_the_units_are_a_choice_and_stay_chosen() -> None:
    entered = {"fact-0": "7", "fact-0-unit": "in"}
    (group,) = fact_groups(VALUES, entered, {"fact-0": "wrong"}, FieldOrder())
    (shown,) = group.shown
    assert shown.units[0] == "cm"
    assert {"in", "m", "ft"} <= set(shown.units)
    assert (shown.value, shown.chosen_unit) == ("7", "in")
    age = FactValue(Field("age", "AGE_DECADE", "age"), "70-79")
    (group,) = fact_groups((age,), {}, {}, FieldOrder())
    assert group.shown[0].units == ()
