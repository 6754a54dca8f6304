"""Codes of a study that no event has: an error where nothing can be built, a row elsewhere."""

import pytest

from posology.cohorts.study.named_codes import check_codes_occur, codes_without_events
from posology.errors import StudyError
from tests.builders.two_drug_records import study

CODES = ("REVIEW", "DRUG//A", "DRUG//B", "LAB", "DEATH", "SEX//F", "STOPPED")


def test_all_codes_that_a_cohort_needs_are_named_at_once() -> None:
    with pytest.raises(StudyError) as error:
        check_codes_occur(("REVIEWS", "DRUG//A", "LAB"), study())
    assert str(error.value) == (
        "study two_drugs: "
        "[decision] codes: no event has the code `REVIEW`; did you mean `REVIEWS`?\n"
        "treatment b: no event has the code `DRUG//B`; did you mean `DRUG//A`?"
    )
    check_codes_occur(CODES, study())


def test_other_codes_without_events_are_listed_with_the_nearest_one() -> None:
    rows = codes_without_events(CODES, study())
    assert [(row["place"], row["code"]) for row in rows] == [
        ("[outcome] unless", "STOP"),
        ("[reward] costs", "HARM"),
        ("[profile] families", "HARM"),
        ("[profile] families", "NOTE"),
    ]
    assert [row["nearest"] for row in rows] == ["STOPPED", None, None, None]
