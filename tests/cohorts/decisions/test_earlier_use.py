"""New users, sequences of trials, least history; prevalent users are counted and warned of."""

import numpy as np
import pytest

from posology.cohorts.build import build_cohort
from posology.cohorts.decisions.decision_table import DecisionTable
from posology.cohorts.decisions.flow_diagram import summarize_flow
from posology.errors import StudyError
from posology.learners.features.rewards import is_truncated
from tests.builders.two_drug_records import FIRST, Row, event_table, extract_from_rows, study

UNTREATED = ('codes = ["DRUG//A"]', "otherwise = true")
SEQUENTIAL = ('which = "every"', 'which = "sequential"')
LEAVES = ('unless = ["STOP"]\n', "")
STARTS_AT_200: list[Row] = [
    *((1, day, "REVIEW", None) for day in (0.0, 100.0, 200.0)),
    (1, 200.0, "DRUG//B", None),
    (1, 300.0, "REVIEW", None),
    (1, 310.0, "HARM", None),
    (1, 900.0, "LAB", 1.0),
]


def given_on(decided: DecisionTable) -> dict[float, int]:
    return dict(zip((decided.time - FIRST).tolist(), decided.treatment.tolist(), strict=True))


def test_every_review_until_the_first_use_is_a_trial_of_its_own() -> None:
    decided, flow = extract_from_rows((UNTREATED, SEQUENTIAL), *STARTS_AT_200)
    assert given_on(decided) == {0: 0, 100: 0, 200: 1}
    assert [(e.reason, e.decisions) for e in flow.exclusions if e.decisions] == [
        ("used an option before", 1)
    ]
    assert set(decided.subject_id.tolist()) == {1}, "intervals cluster by the patient"


def test_the_trials_may_lie_on_a_grid() -> None:
    grid = ('which = "every"', 'which = "sequential"\nevery_days = 50')
    decided, _ = extract_from_rows((UNTREATED, grid), *STARTS_AT_200)
    assert given_on(decided) == {0: 0, 50: 0, 100: 0, 150: 0, 200: 1}


def test_a_trials_harms_do_not_end_with_the_next_trial() -> None:
    long = ("within_days = 40 }]", "within_days = 365 }]")
    every = extract_from_rows((UNTREATED, long), *STARTS_AT_200)[0]
    trials = extract_from_rows((UNTREATED, long, SEQUENTIAL), *STARTS_AT_200)[0]
    assert every.cost.tolist() == [0.0, 0.0, 0.0, 0.5]
    assert trials.cost.tolist() == [0.5, 0.5, 0.5]


def test_sequential_trials_have_no_discounted_future() -> None:
    assert study(SEQUENTIAL).reward.discount == 0.0
    given = ('source = "made up"', 'source = "made up"\ndiscount = 0.9')
    with pytest.raises(
        StudyError, match=r"`discount` is 0.9, but .* is a trial of its own; set it"
    ):
        study(SEQUENTIAL, given)


@pytest.mark.parametrize(("days", "kept"), [(90, [0, 200, 300]), (140, [0, 200])])
def test_a_washout_excludes_recent_users(days: int, kept: list[float]) -> None:
    rows: list[Row] = [(1, day, "REVIEW", None) for day in (0.0, 50.0, 200.0, 300.0)]
    rows += [(1, day, "DRUG//A", None) for day in (0.0, 50.0, 200.0, 300.0)]
    rows.sort(key=lambda row: row[1] or 0.0)
    washout = ('which = "every"', f'which = "every"\nnew_users_days = {days}')
    decided, flow = extract_from_rows((washout,), *rows)
    assert list(given_on(decided)) == kept
    assert (f"used an option in the {days} days before", 4 - len(kept)) in [
        (e.reason, e.decisions) for e in flow.exclusions
    ]


def test_the_first_decision_of_a_new_user_study_is_the_first_after_the_washout() -> None:
    washout = ('which = "every"', 'which = "first"\nnew_users_days = 90')
    rows: list[Row] = [(1, 0.0, "DRUG//B", None)]
    rows += [(1, day, code, None) for day in (10.0, 200.0) for code in ("REVIEW", "DRUG//A")]
    assert list(given_on(extract_from_rows((washout,), *rows)[0])) == [200.0]


@pytest.mark.parametrize(
    ("start", "second"),
    [
        (((1, -900.0, "MEDS_BIRTH", None), (1, -50.0, "LAB", 1.0)), 40.0),
        (((1, -900.0, "LAB", 1.0), (1, -30.0, "OBSERVATION_PERIOD//START", None)), 60.0),
    ],
)
def test_decisions_with_too_short_a_history_are_excluded_and_counted(
    start: tuple[Row, ...], second: float
) -> None:
    history = ('which = "every"', 'which = "every"\nhistory_days = 90')
    days = (0.0, second - 1, second)
    rows: list[Row] = [(1, day, code, None) for day in days for code in ("REVIEW", "DRUG//A")]
    decided, flow = extract_from_rows((history,), *start, *rows)
    assert list(given_on(decided)) == [second]
    assert ("recorded for less than 90 days before", 2) in [
        (e.reason, e.decisions) for e in flow.exclusions
    ]


def test_prevalent_users_are_counted_and_warned_of_unless_handled() -> None:
    rows: list[Row] = [(1, day, "REVIEW", None) for day in (0.0, 10.0, 20.0)]
    rows += [(1, 0.0, "DRUG//A", None), (1, 10.0, "DRUG//A", None), (1, 20.0, "DRUG//B", None)]
    rows.sort(key=lambda row: row[1] or 0.0)
    codes = ("DRUG//A", "DRUG//B", "REVIEW")

    def flow_of(*changes: tuple[str, str]) -> dict:
        return summarize_flow(study(*changes), *extract_from_rows(changes, *rows), codes)

    flow = flow_of()
    assert flow["earlier_use"] == {"decisions": 2, "continued": 1}
    warning = flow["warnings"][-1]
    assert warning.startswith(
        "2 of 3 decisions follow earlier use of an option (prevalent users); 1"
    )
    assert "Earlier use is a feature" in warning
    assert "set [decision] `new_users_days` to a washout" in warning
    no_feature = flow_of(('"DRUG", "HARM"', '"HARM"'))["warnings"][-1]
    assert "families` has none of the options' codes" in no_feature
    washout = ('which = "every"', 'which = "every"\nnew_users_days = 9')
    handled = flow_of(washout)
    assert handled["earlier_use"]["decisions"] == 2
    assert not any("prevalent" in text for text in handled["warnings"])


def test_early_harm_is_seen_in_new_users_only() -> None:
    """B harms the susceptible, who then leave it: the audit's world (prevalent_users.py)."""
    rng, patients = np.random.default_rng(0), 1_500
    susceptible, on = rng.random(patients) < 0.2, rng.integers(0, 2, patients)
    rows: list[Row] = []
    for day in (0.0, 100.0, 200.0, 300.0):
        harm = rng.random(patients) < np.where((on == 1) & susceptible, 0.6, 0.05)
        for row in range(patients):
            rows += [(row + 1, day, "REVIEW", None), (row + 1, day, f"DRUG//{'AB'[on[row]]}", None)]
            rows += [(row + 1, day + 40, "HARM", None)] if harm[row] else []
        on = np.where(harm & (on == 1) & (rng.random(patients) < 0.9), 0, on)
    rows += [(row + 1, 600.0, "LAB", 1.0) for row in range(patients)]
    rows.sort(key=lambda row: (row[0], row[1]))
    event = (
        ('kind = "value_in_range"\ncodes = ["LAB"]', 'kind = "does_not_occur"\ncodes = ["HARM"]'),
        ("from_days = 10\nwithin_days = 40\nrange = { at_most = 5.0 }", "within_days = 90"),
        ('unless = ["STOP"]\n', ""),
    )

    def effect(*changes: tuple[str, str]) -> float:
        decided, _ = extract_from_rows((*event, *changes), *rows)
        arms = [np.nanmean(decided.effective[decided.treatment == row]) for row in (0, 1)]
        return float(arms[1] - arms[0])

    assert abs(effect(SEQUENTIAL) + 0.11) < 0.025, "0.2 * (0.6 - 0.05)"
    assert effect() > -0.08, "those who still use B bear it"


def test_sequential_trials_are_no_trajectory_that_was_cut() -> None:
    table = event_table(*STARTS_AT_200, (2, 0.0, "SEX", None))
    every = is_truncated(build_cohort(table, study(UNTREATED, LEAVES)))
    trials = is_truncated(build_cohort(table, study(UNTREATED, LEAVES, SEQUENTIAL)))
    assert every.tolist() == [False, False, False, True]
    assert trials.tolist() == [False, False, False]
