"""The sentence that says what a study estimates."""

import pytest

from posology.domain.statistics.estimand import estimand_sentence
from tests.builders.two_drug_records import study

STROKE = ('codes = ["LAB"]', 'codes = ["CONDITION//stroke"]')
NO_RANGE = ("range = { at_most = 5.0 }\n", "")
LEAVING = "patients who leave are accounted for by inverse probability weights of staying"


def event(kind: str, more: str = "") -> tuple[tuple[str, str], ...]:
    return (
        ('kind = "value_in_range"', f'kind = "{kind}"\n{more}'),
        STROKE,
        NO_RANGE,
        ("from_days = 10\n", ""),
        ('unless = ["STOP"]\n', ""),
        ('ended_by = ["DEATH"]', 'weighted_by = ["LAB"]'),
    )


@pytest.mark.parametrize(
    ("competing_as", "death"),
    [
        ("failure", "a death before it counts as failure"),
        ("composite", "a death counts as the outcome"),
        ("cause_specific", "a death before it censors, as if it could be prevented"),
    ],
)
def test_an_event_its_window_what_competes_and_who_leaves(competing_as: str, death: str) -> None:
    asked = study(*event("does_not_occur", f'competing_as = "{competing_as}"'))
    assert estimand_sentence(asked) == (
        f"Risk of condition stroke within 40 days of the decision; {death}; {LEAVING}, given lab."
    )


def test_a_number_in_range_with_names_of_the_study() -> None:
    named = ("[profile]", '[names]\n"LAB" = "HbA1c"\n"DEATH" = "a death"\n[profile]')
    assert estimand_sentence(study(named)) == (
        "Probability that the first HbA1c from day 10 to 40 after the decision is in range; "
        "stop before it counts as failure; a death before it counts as failure; "
        f"{LEAVING}."
    )


def test_a_number_that_may_also_change_as_intended() -> None:
    both = ("at_most = 5.0 }", "at_most = 5.0 }\nchange = { at_most = -1.0 }")
    sentence = estimand_sentence(study(both))
    assert "after the decision is in range or has changed as intended; stop" in sentence


def test_a_death_as_the_outcome_does_not_compete_with_itself() -> None:
    changes = (event("time_to_event")[0], ('codes = ["LAB"]', 'codes = ["MEDS_DEATH"]'))
    changes = (*changes, *event("time_to_event")[2:])
    sentence = estimand_sentence(study(*changes))
    assert sentence == f"Time to death within 40 days of the decision; {LEAVING}, given lab."
    years = study(*changes, ("within_days = 40", "within_days = 1826"))
    assert estimand_sentence(years).startswith("Time to death within 1,826 days of the decision")
