"""Long histories made shorter, against a plain loop."""

import math
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.domain.condense import FIRST_BIN_DAYS, condense_histories, expand_weights
from posology.domain.history import History, StepIndex
from tests.builders.network_inputs import random_history


def steps_of(h: History, subject: int, upto: int) -> list[tuple[float, dict[int, list[float]]]]:
    """What a decision sees: per step its time and its numbers by code."""
    told = []
    for step in range(int(h.step_offsets[subject]), upto + 1):
        events: dict[int, list[float]] = {}
        for event in range(int(h.event_offsets[step]), int(h.event_offsets[step + 1])):
            events.setdefault(int(h.code[event]), []).append(float(h.value[event]))
        told.append((float(h.time[step]), events))
    return told


def naive(h: History, decision: int, last_steps: int) -> list[tuple[float, dict]]:
    subject = int(np.searchsorted(h.step_offsets, decision, side="right") - 1)
    steps = steps_of(h, subject, decision)
    half = max(last_steps // 2, 1)
    cut = max((len(steps) - last_steps) // half * half, 0) if last_steps else 0
    if cut == 0:
        return steps
    bins: dict[int, list] = {}
    for time, events in steps[1:cut]:
        age = max(steps[cut][0] - time, 0.0)
        bins.setdefault(math.floor(math.log2(1 + age / FIRST_BIN_DAYS)), []).append((time, events))
    summary = []
    for inside in bins.values():
        if len(inside) == 1:
            summary.append(inside[0])
            continue
        numbers: dict[int, list[float]] = {}
        for _, events in inside:
            for code, values in events.items():
                numbers.setdefault(code, []).extend(values)
        means = {
            code: [float(np.mean(known)) if (known := [v for v in values if v == v]) else math.nan]
            for code, values in numbers.items()
        }
        summary.append((inside[0][0], means))
    return [steps[0], *summary, *steps[cut:]]


def assert_same(found: list[tuple[float, dict]], expected: list[tuple[float, dict]]) -> None:
    assert len(found) == len(expected)
    for (time, events), (true_time, true_events) in zip(found, expected, strict=True):
        np.testing.assert_equal(time, true_time)
        assert events.keys() == true_events.keys()
        for code, values in events.items():
            np.testing.assert_allclose(sorted(values), sorted(true_events[code]), rtol=1e-5)


def seen(h: History, decisions: StepIndex) -> list[list[tuple[float, dict]]]:
    subject = np.searchsorted(h.step_offsets, decisions, side="right") - 1
    return [steps_of(h, int(i), int(d)) for i, d in zip(subject, decisions, strict=True)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=4),
    st.integers(0, 12),
    st.integers(0, 10**6),
)
def test_condensing_equals_a_plain_loop(steps: list[int], last_steps: int, seed: int) -> None:
    h = random_history(steps, seed=seed)
    rng = np.random.default_rng(seed)
    decisions = np.sort(rng.choice(sum(steps), size=min(6, sum(steps)), replace=False))
    short = condense_histories(h, decisions, last_steps)
    for decision, found in zip(decisions, seen(short.history, short.decisions), strict=True):
        assert_same(found, naive(h, int(decision), last_steps))


def test_short_histories_are_unchanged() -> None:
    h = random_history([5, 7])
    decisions = np.array([2, 4, 11])
    short = condense_histories(h, decisions, 6)
    assert short.history is h
    assert short.decisions is decisions


def test_the_first_step_and_the_last_ones_stay_and_the_length_is_bounded() -> None:
    h = random_history([2000], events=5)
    decisions = np.arange(2000)
    short = condense_histories(h, decisions, 64)
    bins = 2 + math.ceil(math.log2(1 + (h.time[-1] - h.time[1]) / FIRST_BIN_DAYS))
    lengths = np.diff(short.history.step_offsets)
    assert lengths.max() <= 1 + bins + 64 + 32
    assert len(short.history.time) < 4 * 2000, "what is shared keeps the whole linear"
    static = h.code[: h.event_offsets[1]].tolist()
    for first in short.history.step_offsets[:-1]:
        lo, hi = short.history.event_offsets[first], short.history.event_offsets[first + 1]
        assert short.history.code[lo:hi].tolist() == static


def test_condensing_a_decision_does_not_depend_on_the_others() -> None:
    h = random_history([300, 200])
    decisions = np.array([150, 280, 299, 300 + 180])
    together = condense_histories(h, decisions, 32)
    for row, decision in enumerate(decisions):
        alone = condense_histories(h, np.array([decision]), 32)
        assert_same(
            seen(together.history, together.decisions)[row],
            seen(alone.history, alone.decisions)[0],
        )


def test_condensing_does_not_use_the_future() -> None:
    h = random_history([100])
    decision = np.array([80])
    code = h.code.copy()
    code[h.event_offsets[81] :] = 0
    time = h.time.copy()
    time[81:] += 1e4
    changed = condense_histories(replace(h, code=code, time=time), decision, 10)
    short = condense_histories(h, decision, 10)
    assert_same(
        seen(short.history, short.decisions)[0],
        seen(changed.history, changed.decisions)[0],
    )


def test_weights_are_divided_among_the_original_steps() -> None:
    h = random_history([50])
    short = condense_histories(h, np.array([49, 3]), 10)
    first = short.history.step_offsets[[1, 0]]  # the later decision's own summary, the whole
    counts = (short.decisions - first + 1).tolist()
    weight = np.concatenate([np.full(n, 1 / n) for n in counts])
    told = expand_weights(weight, short)
    assert len(told) == 50 + 4
    np.testing.assert_allclose([told[:50].sum(), told[50:].sum()], 1.0)
    np.testing.assert_allclose(told[0], 1 / counts[0])
    np.testing.assert_allclose(told[49], 1 / counts[0])
