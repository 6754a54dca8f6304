"""Each requirement holds where it is shown, and not where it cannot be judged."""

import pytest

from posology.evaluation.effects.verdict_sentence import Unit
from posology.evaluation.gate.advantage import (
    describe_gate,
    refuse_harm,
    require_calibration,
    require_gain,
    require_no_more_harm,
    require_safety,
    require_support,
)
from posology.evaluation.gate.requirement import GateVerdict
from posology.evaluation.intervals import Interval


@pytest.mark.parametrize(
    ("low", "high", "holds"), [(0.01, 0.05, True), (0.0, 0.05, False), (-0.1, 0.3, False)]
)
def test_a_gain_must_be_above_zero(low: float, high: float, holds: bool) -> None:
    found = require_gain(Interval((low + high) / 2, low, high), "usual care")
    assert found.holds is holds
    assert ("is above 0" in found.reason) is holds
    assert found.threshold == 0


def test_a_gain_is_written_as_in_the_tables() -> None:
    points = Unit("percentage points", 100.0)
    found = require_gain(Interval(0.432, 0.31, 0.5551), "usual care", unit=points)
    assert found.reason == (
        "The gain over usual care is above 0: +43.2 (31.0 to 55.5) percentage points."
    )
    assert found.estimate == Interval(0.432, 0.31, 0.5551), "machines read the outcome's own unit"
    wide = require_gain(Interval(0.0066578, -0.0868123, 0.1), "usual care")
    assert "+0.01 (-0.09 to 0.10)." in wide.reason
    assert ": 0.00 (-0.09 to 0.10)." in require_gain(Interval(-0.004, -0.09, 0.1), "it").reason


def test_a_reason_of_two_lines_stays_in_its_column() -> None:
    verdict = GateVerdict((require_gain(Interval(0.4, 0.3, 0.5), "treatment as randomised here"),))
    assert describe_gate(verdict, 60) == (
        "Gate: open\n"
        "  holds  The gain over treatment as randomised here is above\n"
        "         0: +0.40 (0.30 to 0.50)."
    )


def test_a_gain_that_cannot_be_estimated_does_not_hold() -> None:
    nan = float("nan")
    for gain in (None, Interval(nan, nan, nan), Interval(0.3, nan, nan)):
        found = require_gain(gain, "old", "too few were treated so")
        assert not found.holds
        assert found.reason == "The gain over old is not shown: too few were treated so."


def test_a_harm_fails_only_if_it_is_shown_to_be_greater_or_is_not_known() -> None:
    assert require_no_more_harm("bleed", Interval(0.02, -0.01, 0.05), "usual care").holds
    worse = require_no_more_harm("bleed", Interval(0.03, 0.01, 0.05), "usual care")
    assert (worse.holds, worse.name) == (False, "harm: bleed")
    assert "bleed is greater than under usual care: change +0.030 (0.010 to 0.050)" in worse.reason
    assert not refuse_harm("bleed", "no patient was followed").holds


def test_one_forbidden_option_is_too_many() -> None:
    assert require_safety(0, 100, 3).holds
    assert not require_safety(1, 100, 3).holds
    assert require_safety(0, 100, 0).reason == "The study has no safety rules."


def test_options_that_cannot_be_judged_must_be_rare() -> None:
    assert require_support(0.0).holds
    assert require_support(0.05).holds
    assert not require_support(0.06).holds


def test_calibration_needs_enough_patients_on_both_sides() -> None:
    assert require_calibration(Interval(0.0, -0.09, 0.09)).holds
    assert not require_calibration(Interval(0.0, -0.2, 0.2)).holds, "too few to tell"
    assert not require_calibration(Interval(-0.15, -0.18, -0.12)).holds
    assert not require_calibration(Interval(0.15, 0.12, 0.18)).holds


def test_the_verdict_comes_first_and_failures_stand_out() -> None:
    verdict = GateVerdict((require_gain(None, "usual care", "no patients"), require_support(0.0)))
    first, second, third = describe_gate(verdict).splitlines()
    assert first == "Gate: closed"
    assert second.startswith("  FAILS  The gain over usual care is not shown: no patients")
    assert third.startswith("  holds")
