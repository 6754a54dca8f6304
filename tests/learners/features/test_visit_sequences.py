"""Visits against naive loops."""

import numpy as np

from posology.domain.history import subject_rows
from posology.learners.features.last_values import MAX_STANDARD_SCORE
from posology.learners.features.visit_sequences import build_visits, fit_visits
from tests.builders.belief_cohort import small_trajectories


def naive_visits(spec, history, decision: int) -> list[range]:
    """Steps of each visit up to a decision: a visit ends before each treatment."""
    subject = subject_rows(history, np.array([decision]))[0]
    visits, start = [], int(history.step_offsets[subject])
    for step in range(start, decision + 1):
        is_due = False
        if step < decision:
            events = range(history.event_offsets[step + 1], history.event_offsets[step + 2])
            is_due = any(spec.option[history.code[e]] >= 0 for e in events)
        if is_due or step == decision:
            visits.append(range(start, step + 1))
            start = step + 1
    return visits


def events_of(history, steps: range) -> range:
    return range(history.event_offsets[steps[0]], history.event_offsets[steps[-1] + 1])


def test_visits_of_every_step_equal_a_naive_loop() -> None:
    c = small_trajectories()
    spec, h = fit_visits(c), c.history
    steps = np.arange(len(h.time))
    decisions = steps[np.isfinite(h.time)]
    visits = build_visits(spec, h, decisions)
    options, numbers = spec.treatments, len(spec.value_code)
    for row, decision in enumerate(decisions):
        expected = naive_visits(spec, h, decision)
        place = visits.decision[row]
        sequence = np.searchsorted(visits.offsets, place, side="right") - 1
        mine = range(visits.offsets[sequence], place + 1)
        assert len(mine) == len(expected)
        counts, last, run = np.zeros(options), {}, 0
        current = -1
        for visit, its_steps in zip(mine, expected, strict=True):
            flags = [
                int(np.searchsorted(spec.flag_code, h.code[e]))
                for e in events_of(h, its_steps)
                if np.isnan(h.value[e])
            ]
            part = visits.flag[visits.flag_offsets[visit] : visits.flag_offsets[visit + 1]]
            assert sorted(part.tolist()) == sorted(flags)
            before = dict(last)
            given = -1
            for e in events_of(h, its_steps):
                if spec.option[h.code[e]] >= 0:
                    given = int(spec.option[h.code[e]])
                if not np.isnan(h.value[e]):
                    last[int(h.code[e])] = float(h.value[e])
            counts[given] += given >= 0
            run = run + 1 if given == current and visit > mine[0] else 0
            current = given
            change = [last.get(k, 0) - before.get(k, last.get(k, 0)) for k in spec.value_code]
            raw = np.concatenate([change, np.log1p(np.append(counts, run * (given >= 0)) / 4)])
            columns = [*range(numbers, 2 * numbers), *range(3 * numbers, 3 * numbers + options + 1)]
            scale = spec.scale[columns]
            scaled = np.where(
                scale > 0, (raw - spec.center[columns]) / np.where(scale, scale, 1), 0
            )
            np.testing.assert_allclose(
                visits.values[visit, columns],
                scaled.clip(-MAX_STANDARD_SCORE, MAX_STANDARD_SCORE),
                atol=1e-4,
            )
