"""The monitored world draws what it says, so that its rates mean something."""

import numpy as np
import pytest

from benchmarks.monitoring import delays, false_alarms
from benchmarks.monitoring_rivals import draw_columns, drifted_columns
from benchmarks.monitoring_world import draw_months, draw_stream, residual_probabilities, to_edge


def test_months_at_the_limits_have_means_at_the_limits() -> None:
    rng = np.random.default_rng(0)
    stream = to_edge(draw_stream(rng, residual_probabilities(rng, draws=10_000)))
    counts = draw_months(rng, stream, 100_000, 5).sum(axis=0)
    for row, monitor in enumerate(stream.detector.monitors):
        values = np.array(monitor.score.values)
        mean = counts[row, : len(values)] @ values / counts[row].sum()
        limits = stream.detector.limits[row]
        assert min(abs(mean - limits.low), abs(mean - limits.high)) < 0.01, monitor.name


def test_a_shift_is_found_and_undisturbed_months_pass() -> None:
    assert false_alarms(1000, 0, 1, is_edge=False)[0]["value"] == 0
    found = {(r["study"], r["metric"]): r["value"] for r in delays(1000, 0, 2, 5000)}
    assert found["input_half_sd", "found_within_2_months"] == 1


@pytest.mark.parametrize("rows", [800, 3500])
def test_evidentlys_rule_sees_the_shifted_column(rows: int) -> None:
    rng = np.random.default_rng(1)
    drift = drifted_columns(draw_columns(rng, rows), draw_columns(rng, 2000, 0.5))
    assert drift[0]
