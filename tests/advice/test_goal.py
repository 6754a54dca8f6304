from dataclasses import replace

import pytest

from posology.advice.goal import describe_goal
from posology.domain.study import Bounds, Outcome
from tests.builders.policies import iwpc_cohort

INR = Outcome(kind="occurs", codes=("INR",), unit="", from_days=0.0, within_days=30.0)
HBA1C = replace(INR, codes=("HBA1C",), unit="mmol/mol", within_days=287.0)
DOWN, UP = Bounds(None, -11.0), Bounds(50.0, None)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (replace(INR, within_days=28.0), "INR within 4 weeks"),
        (replace(INR, kind="does_not_occur", within_days=14.0), "no INR within 14 days"),
        (replace(INR, within_days=1.0), "INR within 1 day"),
        (replace(INR, within_days=365.0), "INR within 1 year"),
        (replace(INR, within_days=366.0), "INR within 1 year"),
        (replace(INR, within_days=364.0), "INR within 52 weeks"),
        (replace(INR, within_days=730.0), "INR within 2 years"),
        (replace(INR, within_days=1000.0), "INR within 1,000 days"),
        (replace(INR, from_days=98.0, within_days=182.0), "INR 14 to 26 weeks later"),
        (replace(INR, from_days=135.0, within_days=285.0), "INR 19 to 41 weeks later"),
        (replace(INR, from_days=3.0, within_days=50.0), "INR 3 to 50 days later"),
        (replace(INR, kind="time_to_event", within_days=1826.0), "no INR within 5 years"),
        (
            replace(INR, kind="value_in_range", range=Bounds(2.0, 3.0)),
            "INR from 2 to 3 within 30 days",
        ),
        (
            replace(INR, unit="{INR}", kind="value_in_range", range=Bounds(2.0, 3.0)),
            "INR from 2 to 3 within 30 days",
        ),
        (
            replace(HBA1C, kind="value_in_range", range=Bounds(None, 53.0), change=DOWN),
            "HbA1c at most 53 mmol/mol, or down by at least 11 mmol/mol, within 41 weeks",
        ),
        (
            replace(HBA1C, kind="change", change=UP, from_days=100.0, within_days=180.0),
            "HbA1c up by at least 50 mmol/mol 14 to 26 weeks later",
        ),
        (replace(INR, from_days=10.0, within_days=180.0), "INR 10 to 180 days later"),
        (
            replace(HBA1C, kind="change", change=UP),
            "HbA1c up by at least 50 mmol/mol within 41 weeks",
        ),
        (
            replace(HBA1C, kind="change", change=Bounds(-5.0, 5.0)),
            "HbA1c changed by -5 to 5 mmol/mol within 41 weeks",
        ),
    ],
)
def test_the_goal_names_outcome_and_horizon(outcome: Outcome, words: str) -> None:
    names = (("INR", "INR"), ("HBA1C", "HbA1c, mmol/mol"))
    assert describe_goal(replace(iwpc_cohort().study, outcome=outcome, names=names)) == words
