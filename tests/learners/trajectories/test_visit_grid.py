"""Trajectories made of histories, against counting by hand."""

import numpy as np
import pytest

from posology.domain.history import History
from posology.learners.trajectories.visit_grid import (
    OptionsTaken,
    VisitGrid,
    as_components,
    to_trajectories,
    visit_at,
)

VALUE, FIRST, SECOND, STOP, SEX = range(5)
GRID = VisitGrid(
    (VALUE,), ((FIRST,), (SECOND,)), (STOP,), (SEX,), (0.5,), (0.5,), (20.0, 0.0), 10.0
)


def _history(*subjects: list[tuple[float | None, int, float]]) -> History:
    """Events (day, code, value) of each subject; one without a day is static."""
    code, value, times, event_counts, step_counts = [], [], [], [0], [0]
    for events in subjects:
        static = [e for e in events if e[0] is None]
        steps = [(np.nan, static), *((e[0], [e]) for e in events if e[0] is not None)]
        for day, inside in steps:
            times.append(day)
            code += [e[1] for e in inside]
            value += [e[2] for e in inside]
            event_counts.append(len(code))
        step_counts.append(len(times))
    return History(
        np.array(code, np.int32),
        np.array(value, np.float32),
        np.array(event_counts, np.int64),
        np.array(times, np.float64),
        np.array(step_counts, np.int64),
        np.arange(len(subjects), dtype=np.int64) + 7,
    )


def test_values_belong_to_the_nearest_visit_and_options_last_until_another_or_a_stop():
    history = _history(
        [
            (None, SEX, 1.0),
            (100.0, VALUE, 8.0),
            (100.5, FIRST, 10.0),
            (111.0, VALUE, 7.0),
            (112.0, SECOND, np.nan),
            (129.0, VALUE, 6.0),
            (133.0, STOP, np.nan),
        ],
        [(50.0, VALUE, 5.0)],
    )
    logged, taken = to_trajectories(GRID, history)
    assert logged.outcome[0, :4] == pytest.approx([8, 7, np.nan, 6], nan_ok=True)
    assert logged.outcome[1, :2] == pytest.approx([5, np.nan], nan_ok=True)
    assert taken.option[0, :4].tolist() == [0, 1, 1, -1]
    assert taken.share[0, :2].tolist() == [0.5, 1.0]
    assert taken.option[1].tolist() == [-1] * taken.option.shape[1]
    assert logged.statics.tolist() == [[1.0], [0.0]]
    # taken now (2), taken in the step before (2), dose less the largest (2)
    assert logged.treatment[0, :3].tolist() == [
        [1, 0, 0, 0, -0.5, 0],
        [0, 1, 1, 0, 0, 0],
        [0, 1, 0, 1, 0, 0],
    ]


def test_a_visit_of_a_time_is_the_nearest_one_and_none_before_the_first():
    history = _history([(100.0, VALUE, 8.0), (120.0, VALUE, 7.0)])
    times = np.array([80.0, 100.0, 104.9, 105.1, 131.0])
    found = visit_at(GRID, history, np.zeros(5, np.int64), times)
    assert found.tolist() == [-1, 0, 0, 1, 3]


def test_components_of_a_plan_are_those_of_the_same_options_logged():
    events = [(0.0, VALUE, 8.0), (0.5, FIRST, 20.0), (10.0, VALUE, 7.0), (10.5, SECOND, np.nan)]
    history = _history([*events, (20.0, VALUE, 6.0), (30.0, VALUE, 6.0)])
    logged, taken = to_trajectories(GRID, history)
    plan = OptionsTaken(taken.option[:, 1:3], taken.share[:, 1:3])
    components = as_components(2, plan, taken.option[:, 0:2])
    assert np.array_equal(components, logged.treatment[:, 1:3])


def test_what_happens_after_a_visit_does_not_change_the_steps_before_it():
    events = [(0.0, VALUE, 8.0), (0.5, FIRST, 20.0), (10.0, VALUE, 7.0)]
    short, _ = to_trajectories(GRID, _history(events))
    later = [(21.0, VALUE, 3.0), (22.0, STOP, np.nan), (23.0, SECOND, np.nan)]
    long, _ = to_trajectories(GRID, _history(events + later))
    assert np.array_equal(long.outcome[:, :2], short.outcome[:, :2])
    assert np.array_equal(long.treatment[:, :1], short.treatment[:, :1])
