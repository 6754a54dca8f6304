from dataclasses import replace

import pytest

from posology.advice.goal import describe_goal
from posology.domain.study import Bounds
from tests.builders.policies import iwpc_cohort


@pytest.mark.parametrize(
    ("kind", "days", "words"),
    [
        ("occurs", 28.0, "INR within 4 weeks"),
        ("does_not_occur", 14.0, "no INR within 14 days"),
        ("time_to_event", 1826.0, "no INR within 5 years"),
        ("value_in_range", 182.0, "INR from 2 to 3 within 26 weeks"),
        ("change", 30.0, "INR changed as intended within 30 days"),
    ],
)
def test_the_goal_names_outcome_and_horizon(kind: str, days: float, words: str) -> None:
    study = iwpc_cohort().study
    outcome = replace(
        study.outcome, kind=kind, codes=("INR",), within_days=days, range=Bounds(2.0, 3.0)
    )
    named = replace(study, outcome=outcome, names=(("INR", "INR"),))
    assert describe_goal(named) == words
