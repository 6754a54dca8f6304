"""A grace period makes no treatment immortal: outcomes count from its end, the landmark."""

import numpy as np
import pytest

from posology.cohorts.decisions.decision_table import DecisionTable, PatientFlow
from posology.errors import StudyError
from tests.builders.two_drug_records import Row, extract_from_rows, study

PATIENTS = 1_000
YEAR_RISK = 0.4
UNTREATED = ('codes = ["DRUG//A"]', "otherwise = true")
FATAL = (
    UNTREATED,
    ('kind = "value_in_range"\ncodes = ["LAB"]', 'kind = "does_not_occur"\ncodes = ["DEATH"]'),
    ("from_days = 10\nwithin_days = 40\nrange = { at_most = 5.0 }", "within_days = 365"),
    ('unless = ["STOP"]\n', ""),
    ('costs = [{ codes = ["HARM"], cost = 0.5, within_days = 40 }]\n', ""),
    ('ended_by = ["DEATH"]', 'ended_by = ["DEATH"]\nuntil = 2011-06-01'),
)


def grace(days: float) -> tuple[str, str]:
    return ("grace_days = 1", f"grace_days = {days}")


def event_days(rng: np.random.Generator) -> np.ndarray:
    """Days of the event: the quantiles of an exponential with a risk of 40 % a year, shuffled."""
    quantile = (np.arange(PATIENTS) + 0.5) / PATIENTS
    return rng.permutation(np.log1p(-quantile) * 365 / np.log(1 - YEAR_RISK))


def difference(decided: DecisionTable) -> float:
    """Outcome under B less that under no treatment, of those whose outcome is known."""
    known = ~np.isnan(decided.effective)
    arm = [decided.effective[known & (decided.treatment == row)].mean() for row in (0, 1)]
    return float(arm[1] - arm[0])


@pytest.mark.parametrize("days", [30, 90, 180])
def test_a_null_drug_that_starts_late_saves_no_lives(days: int) -> None:
    """B does nothing and starts at random within the grace period, unless death comes first."""
    rng, rows = np.random.default_rng(days), []
    for first in (0, PATIENTS):
        for row, day in enumerate(event_days(rng)):
            subject, start = first + row + 1, (row + 0.5) / PATIENTS * days
            rows += [(subject, 0.0, "REVIEW", None), (subject, 0.0, "LAB", 1.0)]
            rows += [(subject, day, "DEATH", None)] if day < 500 else []
            rows += [(subject, start, "DRUG//B", None)] if first and start < day else []
    decided, flow = extract_from_rows((*FATAL, grace(days)), *rows)
    assert abs(difference(decided)) < 0.01, "true effect 0"
    dead = next(e for e in flow.exclusions if e.reason.startswith("death before"))
    expected = 2 * PATIENTS * (1 - (1 - YEAR_RISK) ** (days / 365))
    assert abs(dead.decisions - expected) < 3


@pytest.mark.parametrize("days", [30, 90])
def test_events_before_a_rescue_drug_are_not_blamed_on_it(days: int) -> None:
    """Half of those with an early event are given B after it; B does nothing."""
    nonfatal = [(old, new.replace("DEATH", "HARM")) for old, new in FATAL[:5]]
    until = ('ended_by = ["DEATH"]', "until = 2011-06-01")
    rng, rows = np.random.default_rng(days), []
    for subject, day in enumerate(np.concatenate([event_days(rng), event_days(rng)]), start=1):
        chosen, rescued = subject > PATIENTS, day < days and subject % 2
        rows += [(subject, 0.0, "REVIEW", None), (subject, day, "HARM", None)]
        rows += [(subject, (day + days) / 2, "DRUG//B", None)] if rescued and not chosen else []
        rows += [(subject, 0.0, "DRUG//B", None)] if chosen else []
    decided, flow = extract_from_rows((*nonfatal, until, grace(days)), *rows)
    assert abs(difference(decided)) < 0.01
    assert f"harm before the landmark at {days} days" in [e.reason for e in flow.exclusions]


def reasons(flow: PatientFlow) -> dict[str, int]:
    return {e.reason: e.decisions for e in flow.exclusions if e.decisions}


def test_who_is_not_at_risk_at_the_landmark_is_counted_with_the_reason() -> None:
    rows: list[Row] = [(s, 0.0, code, None) for s in range(1, 7) for code in ("REVIEW", "DRUG//A")]
    rows += [(1, 5.0, "STOP", None), (2, 5.0, "DEATH", None), (3, 5.0, "LAB", 1.0)]
    rows += [
        (4, 30.0, "LAB", 1.0),
        (5, 50.0, "LAB", 1.0),
        (6, 14.0, "LAB", 9.0),
        (1, 50.0, "LAB", 1.0),
    ]
    rows += [(6, 15.0, "LAB", 1.0), (6, 9.0, "HARM", None), (6, 20.0, "HARM", None)]
    decided, flow = extract_from_rows((grace(14),), *sorted(rows, key=lambda row: row[:2]))
    assert reasons(flow) == {
        "stop before the landmark at 14 days": 1,
        "follow-up ended for good (death) before the landmark at 14 days": 1,
        "follow-up ended before the landmark at 14 days": 1,
    }
    assert decided.subject_id.tolist() == [4, 5, 6]
    assert decided.outcome[[0, 2]].tolist() == [1.0, 1.0], "the number of day 14 comes too early"


def test_harms_before_the_landmark_have_no_cost() -> None:
    rows = [(1, 0.0, "REVIEW", None), (1, 0.0, "DRUG//A", None), (1, 9.0, "HARM", None)]
    rows += [(1, 20.0, "HARM", None), (1, 30.0, "LAB", 1.0), (1, 60.0, "LAB", 1.0)]
    assert extract_from_rows((), *rows)[0].reward.tolist() == [0.0]
    assert extract_from_rows((grace(14),), *rows)[0].reward.tolist() == [0.5]


@pytest.mark.parametrize(
    ("days", "message"),
    [
        (40, r"\[outcome\] `within_days` is 40, but with \[given\] grace_days = 40"),
        (45, r"outcomes count from day 45 on, the landmark; shorten `grace_days`"),
    ],
)
def test_a_window_that_closes_by_the_landmark_is_refused(days: int, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        study(grace(days))
    with pytest.raises(StudyError, match=r"\[reward\] costs of HARM `within_days` is 20"):
        study(("within_days = 40 }]", "within_days = 20 }]"), grace(30))
