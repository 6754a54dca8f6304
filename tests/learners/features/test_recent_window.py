"""Rows of the recent past against naive loops."""

import numpy as np

from posology.domain.history import subject_rows
from posology.learners.features.last_values import MAX_STANDARD_SCORE
from posology.learners.features.recent_window import build_recent_rows, fit_recent_window
from tests.builders.belief_cohort import small_trajectories
from tests.builders.synthetic_iwpc import cohort as make_cohort


def test_values_equal_a_naive_loop() -> None:
    c = make_cohort(60)
    spec, h = fit_recent_window(c, lags=3, code_steps=2), c.history
    rows = build_recent_rows(spec, h, c.last_step)
    for row, last in enumerate(c.last_step):
        first = h.step_offsets[subject_rows(h, c.last_step[[row]])[0]]
        for column, code in enumerate(spec.value_code):
            values = []
            for step in range(first, last + 1):
                events = range(h.event_offsets[step], h.event_offsets[step + 1])
                values += sorted(
                    float(h.value[e])
                    for e in events
                    if h.code[e] == code and not np.isnan(h.value[e])
                )
            back = int(spec.lag[column])
            expected = 0.0
            if len(values) > back:
                expected = (values[-1 - back] - spec.center[column]) / spec.scale[column]
            np.testing.assert_allclose(
                rows.values[row, column],
                np.clip(expected, -MAX_STANDARD_SCORE, MAX_STANDARD_SCORE),
                atol=1e-4,
            )


def test_codes_are_those_of_the_last_steps_and_of_an_undated_first_step() -> None:
    c = make_cohort(60)
    spec, h = fit_recent_window(c, lags=1, code_steps=2), c.history
    rows, flags = build_recent_rows(spec, h, c.last_step), len(spec.flag_code)
    for row, last in enumerate(c.last_step):
        first = h.step_offsets[subject_rows(h, c.last_step[[row]])[0]]
        expected = []
        for back, step in ((0, last), (1, last - 1), (2, first)):
            if step < first or (back == 2 and not np.isnan(h.time[first])):
                continue
            for e in range(h.event_offsets[step], h.event_offsets[step + 1]):
                if h.code[e] in spec.flag_code:
                    expected.append(back * flags + int(np.searchsorted(spec.flag_code, h.code[e])))
        columns = rows.column[rows.offsets[row] : rows.offsets[row + 1]]
        assert sorted(columns.tolist()) == sorted(expected)


def test_past_treatments_are_those_of_a_naive_loop() -> None:
    c = small_trajectories()
    spec, h = fit_recent_window(c, lags=1, code_steps=0, treatment_lags=3), c.history
    rows = build_recent_rows(spec, h, c.last_step)
    base = len(spec.flag_code)
    seen = 0
    for row, last in enumerate(c.last_step):
        first = h.step_offsets[subject_rows(h, c.last_step[[row]])[0]]
        given = [
            int(spec.option[h.code[e]])
            for e in range(h.event_offsets[first], h.event_offsets[last + 1])
            if spec.option[h.code[e]] >= 0
        ]
        expected = [base + lag * spec.treatments + k for lag, k in enumerate(given[::-1][:3])]
        columns = rows.column[rows.offsets[row] : rows.offsets[row + 1]]
        assert sorted(columns[columns >= base].tolist()) == sorted(expected)
        seen += len(expected)
    assert seen > 50, "the patients must have past treatments"
