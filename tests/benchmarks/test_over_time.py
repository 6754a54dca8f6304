"""The kill test in small, and the gate's benchmark for a few worlds."""

import random
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gate import (
    GAIN,
    HARMS,
    Challenger,
    computed_power,
    harmed,
    simulate_gain,
    simulate_month,
    try_challenger,
)
from benchmarks.kill_over_time import kill_changes, kill_outcomes
from tests.builders.two_drug_records import study


def test_a_kill_at_any_moment_leaves_a_valid_champion(tmp_path: Path) -> None:
    found = kill_changes(tmp_path, 12, random.Random(1))
    assert (found.lost, found.doubled, found.invalid) == (0, 0, 0)
    assert found.reported > 0


def test_a_kill_at_any_moment_loses_and_doubles_no_outcome(tmp_path: Path) -> None:
    within = study(("from_days = 10", "from_days = 0"))
    found = kill_outcomes(tmp_path, within, 8, random.Random(1))
    assert (found.lost, found.doubled, found.invalid) == (0, 0, 0)
    assert found.reported > 0


def test_simulated_scores_have_the_gain_that_is_said() -> None:
    challenger = Challenger(0.2, GAIN)
    rng = np.random.default_rng(0)
    for scores in (
        simulate_month(challenger, rng, 400_000).gain,
        simulate_gain(challenger, rng, 400_000),
    ):
        assert scores.mean() == pytest.approx(GAIN, abs=3 * scores.std() / np.sqrt(400_000))
    variance, power = computed_power(0.2, rng)
    assert variance == pytest.approx(0.27, abs=0.02)
    assert 0.85 < power < 0.97


@pytest.mark.parametrize("kind", HARMS)
def test_a_harmed_challenger_is_refused(kind: str) -> None:
    if kind != "group, half as much":
        assert not try_challenger(harmed(kind), [], np.random.default_rng(5))
