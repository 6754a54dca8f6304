"""A harm that nobody had is judged by what as many patients leave possible."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from posology.lifecycle.gate.harm_bound import Followed, UnestimatedHarm, judge_bound
from posology.lifecycle.gate.judge import judge
from posology.lifecycle.gate.plan import GatePlan
from tests.lifecycle.gate.test_judge import better

WHY = "0 in all 400 decisions where it is known"
MANY = Followed(400.0)


def holds(champion: Followed, challenger: Followed, largest: float = 1.0) -> bool:
    harm = UnestimatedHarm(WHY, champion, challenger, largest)
    return judge_bound("falls", harm, GatePlan().harm_margin, 0.05).holds


def test_a_bound_is_the_exact_one() -> None:
    assert MANY.upper(0.05) == pytest.approx(1 - 0.05 ** (1 / 400))
    assert MANY.upper(0.05) == pytest.approx(3 / 400, rel=0.01)  # the rule of three
    for had, of in ((0, 7), (3, 60), (12, 12)):
        exact = binomtest(had, of).proportion_ci(0.9, "exact").high
        assert Followed(of, had / of).upper(0.05) == pytest.approx(exact)
    assert Followed(0.0).upper(0.05) == 1.0
    assert Followed(400.0, 0.0, unknown=0.1).upper(0.05) == pytest.approx(0.1067, abs=1e-4)


def test_where_both_are_as_well_known_the_challenger_is_not_blamed() -> None:
    for size in (0.0, 2.0, 400.0):
        assert holds(Followed(size), Followed(size))
    assert holds(Followed(50.0), Followed(400.0))


def test_moving_to_what_is_known_of_few_closes_the_gate() -> None:
    assert not holds(MANY, Followed(40.0))
    assert not holds(MANY, Followed(400.0, 0.0, unknown=0.02))
    assert holds(MANY, Followed(250.0))
    assert holds(Followed(9_000.0), Followed(350.0))
    assert not holds(MANY, Followed(400.0, 0.05))
    assert holds(MANY, Followed(40.0), largest=0.1)  # a harm that hardly counts


def test_the_gate_asks_it_of_each_such_harm() -> None:
    def closed_by(challenger: Followed) -> dict[str, str]:
        evidence = replace(better(), unestimated={"falls": UnestimatedHarm(WHY, MANY, challenger)})
        verdict = judge(evidence, GatePlan(), 4e-4, np.random.default_rng(1))
        return {r.name: r.reason for r in verdict.requirements if not r.holds}

    assert closed_by(MANY) == {}
    reason = closed_by(Followed(40.0))["harm"]
    assert reason.startswith(f"falls: {WHY}, so that its change cannot be estimated. With 95% ")
    assert "0.0722 under the challenger (as known of 40 patients treated so) and 0.0075" in reason
