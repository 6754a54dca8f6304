"""Checks: a share that grew and a mean that moved are found; too little is not judged."""

import pytest

from posology.service.pages.monitoring.checks import (
    OK,
    OUT,
    UNKNOWN,
    Check,
    check_groups,
    headline,
    percentile,
)
from posology.service.pages.monitoring.weeks import WEEKS, Use, Week


def steady(answers: int = 40, abstained: int = 4) -> Week:
    week = Week(answers, abstained, [80.0] * answers, answers)
    week.missing["weight"] = answers // 20
    week.numbers["age"] = [60.0] * answers
    return week


def checks(last: Week, earlier: Week | None = None) -> dict[str, Check]:
    use = Use([*([earlier or steady()] * (WEEKS - 1)), last])
    groups = check_groups(use, {"age": (60.0, 10.0, "years")})
    return {row.name: row for group in groups for row in group.rows}


def test_what_stays_as_it_was_is_as_expected() -> None:
    found = checks(steady())
    assert {check.state for check in found.values()} == {OK}
    assert found["No answer given"].last == "10 of 100"
    assert found["Answers a week"].expected == "21 to 59"


def test_a_fact_that_goes_missing_is_found() -> None:
    last = steady()
    last.missing["weight"] = 8
    found = checks(last)
    assert found["Weight missing"].state == OUT
    assert (found["Weight missing"].last, found["Weight missing"].expected) == (
        "20 of 100",
        "at most 15 of 100",
    )
    assert found["Weight missing"].reading == "5 of 100 in the weeks before"
    last.missing["weight"] = 6
    assert checks(last)["Weight missing"].state == OK


def test_a_mean_that_moved_is_found_against_training() -> None:
    last, earlier = steady(), steady()
    for week in (last, earlier):
        week.numbers["age"] = [74.0] * 40
    found = checks(last, earlier)
    assert found["Age, shift"].state == OUT
    assert found["Age, shift"].last == "+1.40 SD"
    assert found["Age, shift"].reading == "mean 74 years; 60 in training"


def test_slow_answers_are_found() -> None:
    last = steady()
    last.milliseconds = [80.0] * 39 + [900.0]
    assert checks(last)["Time to answer, 99 of 100"].state == OUT


def test_too_few_answers_are_not_judged() -> None:
    found = checks(steady(3, 1), Week())
    states = {name: check.state for name, check in found.items()}
    assert states["No answer given"] == states["Answers a week"] == UNKNOWN
    assert states["Age, shift"] == UNKNOWN


def test_the_headline_names_what_needs_a_look() -> None:
    use = Use([steady() for _ in range(WEEKS)])
    assert headline(check_groups(use, {})) == "Everything is as expected"
    use.weeks[-1].abstained = 30
    assert headline(check_groups(use, {})) == (
        "One thing needs a look: no answer given is 75 of 100, at most 24 of 100 expected"
    )
    assert headline(check_groups(Use([Week()] * WEEKS), {})) == "Too few answers to judge yet"


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.99, 4.0), (0.0, None)])
def test_a_percentile_is_a_value_that_was_seen(share: float, value: float | None) -> None:
    assert percentile([4.0, 1.0, 2.0, 3.0] if value else [], share) == value


def test_few_judged_checks_are_no_all_clear() -> None:
    """One check of eleven that holds once read "Everything is as expected"."""
    few = check_groups(Use([Week(), steady(40, 1)]), {})
    rows = [row for group in few for row in group.rows]
    judged = sum(row.state == OK for row in rows)
    assert 0 < judged < len(rows)
    assert f"{judged} of {len(rows)} checks could be judged" in headline(few)
    assert "Everything" not in headline(few)
