"""Checks: a share that grew and a mean that moved are found; too little is not judged."""

import re

import pytest

from posology.service.pages.monitoring.checks import (
    OK,
    OUT,
    UNKNOWN,
    Check,
    CheckGroup,
    _shifts,
    check_groups,
    headline,
    percentile,
)
from posology.service.pages.monitoring.content import _bars, _reasons_note, fold_unjudged
from posology.service.pages.monitoring.weeks import WEEKS, Use, Week


def steady(answers: int = 40, abstained: int = 8) -> Week:
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
    assert found["No answer given"].last == "20 of 100"
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
    assert found["Age, shift"].reading == "mean 74 years; 60 years in training"


@pytest.mark.parametrize(
    ("mean", "training", "reading"),
    [
        (80.0, (73.16, 21.0, "kg"), "mean 80 kg; 73 kg in training"),
        (1.2, (0.9512, 0.34, "mg/dL"), "mean 1.20 mg/dL; 0.95 mg/dL in training"),
        (7.25, (7.3, 1.4, ""), "mean 7.2; 7.3 in training"),
    ],
)
def test_both_means_have_the_unit_and_digits_of_the_spread(
    mean: float, training: tuple[float, float, str], reading: str
) -> None:
    last = steady()
    last.numbers = {"x": [mean] * 40}
    (check,) = _shifts([steady(), last], {"x": training})
    assert check.reading == reading


def test_slow_answers_are_found() -> None:
    last = steady()
    last.milliseconds = [80.0] * 38 + [900.0] * 2
    found = checks(last)["Time to answer, 99 of 100"]
    assert (found.state, found.last, found.reading) == (OUT, "900 ms", "Of the last 4 weeks")
    last.milliseconds = [80.0] * 39 + [900.0]
    assert checks(last)["Time to answer, 99 of 100"].state == OK
    last.milliseconds = [80.0] * 118 + [900.0] * 2
    assert checks(last)["Time to answer, 99 of 100"].reading == ""


def test_few_times_raise_no_alarm() -> None:
    """Of twelve answers the slowest one alone once was "99 of 100", and red."""
    last = Week(12, 0, [80.0] * 11 + [900.0], 12)
    found = checks(last, Week())["Time to answer, 99 of 100"]
    assert (found.state, found.reading) == (UNKNOWN, "Judged from 100 answers in 4 weeks")
    assert 'class="out"' not in found.picture


def test_only_a_check_out_of_range_has_a_red_mark() -> None:
    """A check that was not judged once had one, where its last week lay beyond the range."""
    few, many = Week(), Week()
    few.numbers["age"], many.numbers["age"] = [90.0] * 12, [90.0] * 40
    for week, state in ((few, UNKNOWN), (many, OUT)):
        found = checks(week, Week())["Age, shift"]
        assert (found.state, 'class="out"' in found.picture) == (state, state == OUT)
    for check in checks(steady()).values():
        assert 'class="out"' not in check.picture


def test_a_mean_of_few_may_move_by_chance() -> None:
    last = Week()
    last.numbers["age"] = [66.0] * 20  # 0.6 SD; three standard errors are 0.67
    found = checks(last, Week())["Age, shift"]
    assert (found.state, found.expected) == (OK, "within 0.67 SD")


def test_small_counts_are_not_shown() -> None:
    """The mean of one patient once was that patient's value."""
    last = steady(40, 3)
    last.missing["weight"] = 1
    found = checks(last)
    assert found["No answer given"].last == "under 5 of 40"
    assert found["Weight missing"].last == "under 5 of 40"
    few = Week(3, 1, [80.0] * 3, 3)
    few.missing["weight"] = 1
    few.numbers["age"] = [77.0] * 3
    found = checks(few, Week())
    assert found["Answers a week"].last == "under 5"
    assert found["No answer given"].last == "under 5 answers"
    assert found["Age, shift"].last == "under 5 values"
    for check in found.values():
        assert "33" not in check.last + check.picture + check.reading
        assert "77" not in check.last + check.picture + check.reading
    titles = [re.search("<title>(.*)</title>", c.picture) for c in found.values() if c.picture]
    assert all(title is not None for title in titles)
    assert "none, under 5 answers" not in found["Answers a week"].picture
    assert found["Answers a week"].picture.count("under 5") == 1


def test_what_was_done_with_few_answers_is_not_shown() -> None:
    assert [bar.words for bar in _bars([("Accepted", 36), ("Overridden", 4)])] == [
        "90",
        "under 5 answers",
    ]
    assert _bars([("Overridden", 4)])[0].picture == ""
    assert _reasons_note(0) == "Not once overridden or modified."
    assert _reasons_note(1) == "Under 5 times overridden or modified. Main reason given."
    assert _reasons_note(6) == "6 times overridden or modified. Main reason given."


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
        "One thing needs a look: no answer given is 75 of 100, at most 39 of 100 expected"
    )
    assert headline(check_groups(Use([Week()] * WEEKS), {})) == "Too few answers to judge yet"


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.99, 4.0), (0.0, None)])
def test_a_percentile_is_a_value_that_was_seen(share: float, value: float | None) -> None:
    assert percentile([4.0, 1.0, 2.0, 3.0] if value else [], share) == value


def test_few_judged_checks_are_no_all_clear() -> None:
    """One check of eleven that holds once read "Everything is as expected"."""
    few = check_groups(Use([Week(), steady(120, 1)]), {})
    rows = [row for group in few for row in group.rows]
    judged = sum(row.state == OK for row in rows)
    assert 0 < judged < len(rows)
    assert f"{judged} of {len(rows)} checks could be judged" in headline(few)
    assert "Everything" not in headline(few)


def test_many_checks_that_cannot_be_judged_are_folded_and_none_is_lost() -> None:
    judged = Check("a", OK, "", "", "", "")
    unknown = tuple(Check(f"u{n}", UNKNOWN, "", "", "", "") for n in range(5))
    few, many = CheckGroup("Use", (judged, *unknown[:4])), CheckGroup("Input", (judged, *unknown))
    shown, folded = fold_unjudged((few, many))
    assert shown == (few, CheckGroup("Input", (judged,)))
    assert folded == (CheckGroup("Input", unknown),)


def test_a_share_of_all_answers_is_called_all() -> None:
    assert [bar.words for bar in _bars([("Not recorded", 18)])] == ["all"]
    assert [bar.words for bar in _bars([("Accepted", 999), ("Other", 5)])] == [
        "more than 99",
        "under 1",
    ]
