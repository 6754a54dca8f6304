"""An option against the reference: the patient's own difference, or the average."""

from dataclasses import replace

import numpy as np
import pytest

from posology.advice.comparisons import compare_option, compare_reference, is_better_than
from posology.causal.patient.prognosis import Level
from posology.domain.recommendation.option import Estimate
from tests.builders.patient_evidence import estimate, evidence


def test_without_a_gain_the_averages_stand_whatever_the_patients_own_effects() -> None:
    found = compare_option(evidence("none"), 1)
    assert found.difference == Estimate(2.0, -2.0, 6.0)
    assert found.standing == "no_clear_difference"
    assert found.outcome is not None
    assert found.outcome.value == pytest.approx(42.0)


def test_with_a_gain_the_patients_own_difference_decides() -> None:
    found = compare_option(evidence("gain"), 1)
    assert found.standing == "better"
    assert found.difference is not None
    assert found.difference.value == pytest.approx(20.0)
    assert found.difference.low == pytest.approx(20 - 1.96 * 4, abs=0.01)
    assert compare_option(evidence("gain"), 2).standing == "no_clear_difference"


def test_a_difference_below_the_studys_least_one_is_no_clear_difference() -> None:
    made = evidence("gain")
    assert compare_option(replace(made, least_difference=19.0), 1).standing == "better"
    assert compare_option(replace(made, least_difference=21.0), 1).standing == "no_clear_difference"
    worse = evidence("gain", means=(0.0, -0.2, 0.05))
    assert compare_option(replace(worse, least_difference=19.0), 1).standing == "worse"
    assert (
        compare_option(replace(worse, least_difference=21.0), 1).standing == "no_clear_difference"
    )
    apart = evidence("gain", means=(0.0, 0.30, 0.14))
    assert is_better_than(replace(apart, least_difference=15.0), "medium", "high")
    assert not is_better_than(replace(apart, least_difference=17.0), "medium", "high")


def test_levels_add_up_and_stay_between_0_and_100() -> None:
    made = evidence("gain", means=(0.0, 0.7, -0.9))
    for option in (1, 2):
        found, level = compare_option(made, option), compare_reference(made)
        assert found.outcome is not None
        assert found.difference is not None
        assert level.outcome is not None
        assert found.outcome.value == pytest.approx(level.outcome.value + found.difference.value)
        assert 0 <= found.outcome.low <= found.outcome.value <= found.outcome.high <= 100


def test_against_usual_care_the_reference_is_the_mix_that_patients_like_this_one_get() -> None:
    made = evidence("gain", means=(0.0, 0.2, 0.0), errors=(0.01, 0.01, 0.01), reference="")
    found = compare_option(made, 1)
    assert found.difference is not None
    assert found.difference.value == pytest.approx(100 * (0.2 - 0.3 * 0.2))


def test_levels_that_are_averages_of_all_patients_are_called_so() -> None:
    made = evidence("gain")
    assert compare_reference(made).remark == ""
    few = replace(made.outcomes, level=Level(0.40, 0.03, is_average=True))
    assert compare_reference(replace(made, outcomes=few)).remark == (
        "For the goal this is the average of all patients: this one's own is not known."
    )
    both = replace(few, harm_levels=(Level(0.08, 0.01, is_average=True),))
    assert compare_reference(replace(made, outcomes=both)).remark.startswith(
        "For the goal and bleeding these are averages of all patients: this one's own are"
    )
    harm = replace(both, level=made.outcomes.level)
    found = compare_reference(replace(made, outcomes=harm)).remark
    assert found.startswith("For bleeding this is the average of all patients")
    options = tuple(replace(option, harms=2 * option.harms) for option in made.study.options)
    two = replace(harm, harm_levels=2 * harm.harm_levels)
    twice = replace(made, outcomes=two, study=replace(made.study, options=options))
    found = compare_reference(twice).remark
    assert found.startswith("For bleeding and bleeding these are averages of all patients")


def test_an_option_that_such_patients_never_get_is_not_estimated() -> None:
    made = evidence("gain")
    rare = replace(made.outcomes, usual_shares=np.array([0.6, 0.01, 0.39]))
    found = compare_option(replace(made, outcomes=rare), 1)
    assert (found.standing, found.difference) == ("not_estimated", None)
    assert found.remark == "Patients with all these facts were almost never given it."
    randomised = replace(made.study, is_randomised=True)
    found = compare_option(replace(made, outcomes=rare, study=randomised), 1)
    assert found.standing == "better"


def test_an_option_that_could_not_be_judged_says_why() -> None:
    made = evidence("gain")
    poor = replace(made.study.options[1], is_judged=False, reason="too few patients")
    options = (made.study.options[0], poor, made.study.options[2])
    found = compare_option(replace(made, study=replace(made.study, options=options)), 1)
    assert found.remark == "Too few patients were given it."


def test_harms_stand_on_the_level_of_such_patients_and_fewer_is_better() -> None:
    found = compare_option(evidence(bleeding=Estimate(-3.0, -5.0, -1.0)), 1)
    bleeding, falls = found.harms
    assert bleeding.standing == "better"
    assert bleeding.value is not None
    assert bleeding.value.value == pytest.approx(5.0)
    assert (falls.standing, falls.value) == ("not_estimated", None)
    assert compare_reference(evidence()).harms[0].standing == "reference"


def test_two_options_are_compared_by_the_interval_of_their_difference() -> None:
    made = evidence("gain", means=(0.0, 0.20, 0.14), errors=(0.0, 0.04, 0.04))
    assert not is_better_than(made, "medium", "high")
    assert is_better_than(evidence("gain", means=(0.0, 0.30, 0.14)), "medium", "high")


def test_of_averages_the_interval_of_their_difference_decides_not_whether_two_overlap() -> None:
    averages = (estimate(9.0, 4.0), estimate(4.0, 4.0))  # against the reference: they overlap
    made = evidence("none", averages=averages, between=estimate(5.0, 3.0))
    assert is_better_than(made, "medium", "high")
    assert not is_better_than(made, "high", "medium")
    assert not is_better_than(replace(made, least_difference=6.0), "medium", "high")
    worse = evidence("none", averages=averages, between=estimate(-5.0, 3.0))
    assert is_better_than(worse, "high", "medium")
    alike = evidence("none", averages=averages, between=estimate(5.0, 6.0))
    assert not is_better_than(alike, "medium", "high")
    unknown = evidence("none", averages=(estimate(9.0, 3.0), estimate(1.0, 3.0)))
    assert not is_better_than(unknown, "medium", "high")


def test_a_probability_is_never_exactly_none_and_limits_are_not_cut_at_an_estimate() -> None:
    """A linear model's level below 0 read `0 of 100`, and a limit was minus that level."""
    made = evidence("gain", means=(0.0, -0.9, 0.0))
    found, level = compare_option(made, 1), compare_reference(made)
    assert level.outcome is not None
    assert found.outcome is not None
    assert found.difference is not None
    assert found.outcome.value == pytest.approx(0.01)
    assert found.difference.low < -level.outcome.value
