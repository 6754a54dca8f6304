"""A drug that arrives when half of the others' decisions are made is warned of."""

from dataclasses import replace

import pytest

from posology.cohorts.decisions.option_calendar import LEAST_DECISIONS, calendar_warnings
from tests.builders.two_drug_records import Row, extract_from_rows, study


def patients(drug: str, number: int, first: float, last: float, start: int) -> list[Row]:
    rows: list[Row] = []
    for row in range(number):
        day = first + (last - first) * row / max(number - 1, 1)
        rows += [
            (start + row, day, "REVIEW", None),
            (start + row, day, f"DRUG//{drug}", None),
            (start + row, day + 400.0, "LAB", 1.0),
        ]
    return rows


def warnings(number: int, first: float, last: float) -> tuple[str, ...]:
    rows = patients("A", 100, 0.0, 1000.0, 1) + patients("B", number, first, last, 1000)
    decided, _ = extract_from_rows((), *rows)
    return calendar_warnings(study(), decided)


def test_an_option_that_arrives_late_or_goes_early_is_warned_of() -> None:
    (late,) = warnings(40, 500.0, 1000.0)
    assert (
        "50 % of the other options' decisions come before it was given for the first time" in late
    )
    assert "Ingest the records of the years in which every option could be given." in late
    (early,) = warnings(40, 0.0, 700.0)
    assert "come after it was given for the last time" in early


@pytest.mark.parametrize(
    ("number", "first", "last"), [(40, 100.0, 900.0), (LEAST_DECISIONS - 1, 500.0, 1000.0)]
)
def test_options_of_the_same_years_and_rare_ones_are_not(
    number: int, first: float, last: float
) -> None:
    assert warnings(number, first, last) == ()


def test_an_arm_that_joins_a_trial_late_was_not_drawn_by_lot_before() -> None:
    rows = patients("A", 100, 0.0, 1000.0, 1) + patients("B", 40, 500.0, 1000.0, 1000)
    decided, _ = extract_from_rows((), *rows)
    observed = study()
    trial = replace(observed, assignment=replace(observed.assignment, randomised=True))
    (joined,) = calendar_warnings(trial, decided)
    assert "It was not drawn by lot in those years" in joined
    (arrived,) = calendar_warnings(observed, decided)
    assert "`effect` and `evaluate` adjust for the date" in arrived
