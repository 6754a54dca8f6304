"""What a row must meet."""

import numpy as np

from benchmarks.estimands.judge import judge_all, judge_world, wilson
from benchmarks.estimands.table import table
from benchmarks.estimands.truth import Truth
from benchmarks.estimands.worlds import WORLDS

NULL, VARIED = (next(w for w in WORLDS if w.name == name) for name in ("w23", "w24"))
TRUTH = Truth({}, {}, {}, 0.5, 0.1, 4.2, {})


def rows_by_metric(world, draws):
    return {row["metric"]: row for row in judge_world(world, TRUTH, draws)}


def test_a_bias_of_a_third_of_a_standard_error_misses():
    rng = np.random.default_rng(0)
    draws = [
        {"estimate|effect|1": 0.02 * (z + 0.4), "estimate|value|0": 0.02 * (z + 0.1)}
        for z in rng.normal(size=400)
    ]
    rows = rows_by_metric(NULL, draws)
    biased = rows["bias of effect 1, in standard errors"]
    assert biased["meets"] is False
    assert biased["low"] > 0.2
    assert biased["n"] == 400
    assert abs(biased["standard_error"] - 0.02) < 0.002
    assert rows["bias of value 0, in standard errors"]["meets"] is True


def test_coverage_of_ninety_percent_misses_and_ninety_five_meets():
    draws = [
        {"covers|effect": float(i % 10 > 0), "covers|value": float(i % 20 > 0)} for i in range(800)
    ]
    rows = rows_by_metric(NULL, draws)
    assert rows["coverage: effect"]["value"] == 0.9
    assert rows["coverage: effect"]["meets"] is False
    assert rows["coverage: value"]["meets"] is True


def test_an_interval_that_always_covers_misses_too():
    rows = rows_by_metric(NULL, [{"covers|gain": 1.0}] * 400)
    assert rows["coverage: gain"]["meets"] is False


def test_a_test_that_never_errs_or_errs_twice_too_often_misses():
    draws = [{"errs|effect": float(i % 10 == 0), "errs|gate": 0.0} for i in range(800)]
    rows = rows_by_metric(NULL, draws)
    assert rows["error of the test: effect"]["meets"] is False
    assert rows["error of the test: gate"]["meets"] is False


def test_verdicts_are_judged_by_whether_there_is_something_to_gain():
    seldom, often = [{"gains": float(i % 25 == 0)} for i in range(100)], [{"gains": 0.9}] * 100
    assert rows_by_metric(NULL, seldom)["verdict gains, though nothing does"]["meets"] is True
    assert rows_by_metric(NULL, often)["verdict gains, though nothing does"]["meets"] is False
    assert rows_by_metric(VARIED, seldom)["verdict gains"]["meets"] is False
    assert rows_by_metric(VARIED, often)["verdict gains"]["meets"] is True


def test_draws_that_failed_are_a_row_that_misses():
    rows = rows_by_metric(NULL, [{"failed": 1.0}, {"covers|value": 1.0}, {"covers|value": 1.0}])
    assert rows["draws that ended with an error"]["value"] == 1
    assert rows["draws that ended with an error"]["meets"] is False


def test_shares_are_pooled_over_worlds_and_false_gains_over_those_with_nothing_to_gain():
    draws = {
        "w23": [{"covers|effect": float(i % 10 > 0), "gains": 0.0} for i in range(50)],
        "w24": [{"covers|effect": 1.0, "gains": 1.0, "estimate|effect|1": 1.0}] * 50,
    }
    rows = {row["metric"]: row for row in judge_all([NULL, VARIED], draws)}
    assert rows["coverage: effect"]["value"] == 0.95
    assert rows["coverage: effect"]["n"] == 100
    assert rows["verdict gains, though nothing does"]["n"] == 50
    assert len(rows) == 2


def test_wilson_agrees_with_a_textbook():
    """81 of 263, 95 %: 0.2553 to 0.3662 (Newcombe 1998, doi:10.1002/(SICI)1097-0258, table I)."""
    low, high = wilson(81 / 263, 263, z=1.959964)
    assert round(low, 4) == 0.2553
    assert round(high, 4) == 0.3662


def test_the_table_fits_a_terminal_and_names_what_misses():
    draws = [{"estimate|effect|1": 1.0 + 0.01 * i, "covers|effect": 0.0} for i in range(50)]
    text = table([NULL], judge_world(NULL, TRUTH, draws))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "! w23 coverage: effect" in text
    assert "1 of 3 rows meet their aim." in text
