"""What was seen so far, and what came of each option, against naive loops."""

from dataclasses import replace

import numpy as np

from posology.learners.features import responses as module
from posology.learners.features.last_values import MAX_STANDARD_SCORE
from posology.learners.features.pieces import in_pieces
from posology.learners.features.responses import build_responses, fit_responses
from tests.builders.belief_cohort import small_trajectories


def naive_row(cohort, spec, decision: int) -> np.ndarray:
    """Visit by visit: the last numbers, their pieces, and their changes by the option between."""
    history = cohort.history
    subject = int(np.searchsorted(history.step_offsets, decision, side="right")) - 1
    first = int(history.step_offsets[subject])
    last, visits, given = {}, [], [-1]
    for step in range(first, decision + 1):
        events = range(history.event_offsets[step], history.event_offsets[step + 1])
        options = [int(spec.option[history.code[e]]) for e in events]
        if max(options, default=-1) >= 0 and step > first:
            visits.append(dict(last))
            given.append(-1)
        given[-1] = max([given[-1], *options])
        for event in events:
            if not np.isnan(history.value[event]):
                last[int(history.code[event])] = float(history.value[event])
    visits.append(dict(last))
    raw = np.array([[v.get(int(c), np.nan) for c in spec.number] for v in visits])
    seen = np.hstack([raw, in_pieces(spec.pieces, raw)])
    columns = [np.nanmean(column) if (~np.isnan(column)).any() else np.nan for column in seen.T]
    for option in range(spec.treatments):
        after = [row for row in range(1, len(raw)) if given[row] == option]
        for number in range(len(spec.number)):
            changes = [raw[row, number] - raw[row - 1, number] for row in after]
            known = [change for change in changes if not np.isnan(change)]
            columns.append(np.mean(known) if known else 0.0)
    return np.array(columns)


def test_columns_equal_a_naive_loop() -> None:
    cohort = small_trajectories(40)
    spec = fit_responses(cohort)
    found = build_responses(spec, cohort.history, cohort.last_step)
    assert len(spec.center) == len(spec.number) * (1 + spec.treatments) + len(spec.pieces.number)
    for row, decision in enumerate(cohort.last_step):
        raw = naive_row(cohort, spec, int(decision))
        expected = np.nan_to_num((raw - spec.center) / np.where(spec.scale > 0, spec.scale, np.inf))
        np.testing.assert_allclose(
            found[row], expected.clip(-MAX_STANDARD_SCORE, MAX_STANDARD_SCORE), atol=1e-4
        )


def test_a_decision_sees_nothing_of_what_came_later() -> None:
    cohort = small_trajectories(40)
    spec, history = fit_responses(cohort), cohort.history
    decision = int(cohort.last_step[0])
    later = np.arange(len(history.value)) >= history.event_offsets[decision + 1]
    changed = replace(history, value=np.where(later, 99.0, history.value).astype(np.float32))
    np.testing.assert_array_equal(
        build_responses(spec, changed, np.array([decision])),
        build_responses(spec, history, np.array([decision])),
    )


def test_of_many_numbers_those_most_often_recorded_are_used(monkeypatch) -> None:
    cohort = small_trajectories(40)
    every = fit_responses(cohort)
    monkeypatch.setattr(module, "MOST_COLUMNS", 2 * (6 + every.treatments))
    few = fit_responses(cohort)
    often = np.bincount(
        cohort.history.code[~np.isnan(cohort.history.value)], minlength=len(cohort.profile.codes)
    )
    assert len(few.number) == 2 < len(every.number)
    left_out = np.setdiff1d(every.number, few.number)
    assert often[few.number].min() >= often[left_out].max()


def test_without_changing_numbers_there_are_no_columns() -> None:
    cohort = small_trajectories(40)
    history = cohort.history
    still = replace(
        history, value=np.where(np.isnan(history.value), history.value, 1.0).astype(np.float32)
    )
    spec = fit_responses(replace(cohort, history=still))
    assert build_responses(spec, still, cohort.last_step).shape == (len(cohort), 0)
