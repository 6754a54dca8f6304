"""Conditions of [[decision.criteria]]: who is in the study, each counted."""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from posology.cohorts.build import build_cohort
from posology.cohorts.study.reader import parse_study
from posology.domain.statistics.protocol import study_protocol
from posology.errors import StudyError
from posology.records.schema import EVENTS
from posology.workflows.cohorts import build_cohort as build_folder
from tests.builders.two_drug_records import TEXT

DAY = np.timedelta64(1, "D")
START = np.datetime64("2020-01-01")
CONDITIONS = {
    "recent": '{ codes = ["ILL"], within_days = 90 }',
    "ever": '{ codes = ["ILL"] }',
    "never": '{ codes = ["ILL"], known = false }',
    "not recently": '{ codes = ["ILL"], within_days = 90, known = false }',
    "low": '{ codes = ["LAB"], below = 5.0 }',
    "fresh and high": '{ codes = ["LAB"], at_least = 5.0, within_days = 90 }',
    "adult": "{ age = true, at_least = 18 }",
    "not old": "{ age = true, below = 66 }",
}


def _study(condition: str) -> str:
    return TEXT.replace('which = "every"', f'which = "every"\ncriteria = [{condition}]', 1)


def _events(rows: list[tuple[int, float, str, float | None]]) -> pa.Table:
    made = [
        {
            "subject_id": subject,
            "time": (START + np.timedelta64(round(day * 24), "h")).astype(datetime),
            "code": code,
            "numeric_value": value,
            "text_value": None,
            "unit": None,
        }
        for subject, day, code, value in rows
    ]
    return pa.Table.from_pylist(made, schema=EVENTS)


def _random(seed: int) -> list[tuple[int, float, str, float | None]]:
    """Sixty patients with a review on day 0: an illness, a number and a birth, or not."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[int, float, str, float | None]] = []
    for subject in range(1, 61):
        rows += [(subject, 0.0, "REVIEW", None), (subject, 0.5, f"DRUG//{'AB'[subject % 2]}", None)]
        rows += [(subject, 40.0, "LAB", 4.0)]
        for _ in range(rng.integers(0, 3)):
            rows.append((subject, -float(rng.integers(0, 200)), "ILL", None))
            rows.append((subject, float(rng.integers(1, 50)), "ILL", None))
        if rng.random() < 0.8:
            rows.append((subject, -float(rng.integers(1, 200)), "LAB", float(rng.integers(3, 8))))
        if rng.random() < 0.9:
            rows.append((subject, -float(rng.uniform(10, 80)) * 365.25, "MEDS_BIRTH", None))
    return rows


def _naive(rows: list[tuple[int, float, str, float | None]], name: str, subject: int) -> bool:
    own = [(day, code, value) for s, day, code, value in rows if s == subject and day <= 0]
    ill = [day for day, code, _ in own if code == "ILL"]
    lab = sorted((day, value) for day, code, value in own if code == "LAB")
    born = [day for day, code, _ in own if code == "MEDS_BIRTH"]
    age = -born[0] / 365.25 if born else np.nan
    recent = bool(ill) and max(ill) >= -90
    last = lab[-1][1] if lab else None
    return {
        "recent": recent,
        "ever": bool(ill),
        "never": not ill,
        "not recently": not recent,
        "low": last is not None and last < 5,
        "fresh and high": last is not None and last >= 5 and lab[-1][0] >= -90,
        "adult": age >= 18,
        "not old": age < 66,
    }[name]


@pytest.mark.parametrize("name", CONDITIONS)
def test_decisions_that_meet_a_criterion_are_those_of_a_slow_reading(name: str) -> None:
    rows = _random(len(name))
    cohort = build_cohort(_events(rows), parse_study(_study(CONDITIONS[name]), "s"))
    expected = [subject for subject in range(1, 61) if _naive(rows, name, subject)]
    assert cohort.history.subject_id[cohort.subject].tolist() == expected
    assert 5 < len(expected) < 58


def test_each_criterion_is_a_step_of_the_flow(tmp_path) -> None:
    events = _events(_random(1))
    order = [("subject_id", "ascending"), ("time", "ascending")]
    pq.write_table(events.sort_by(order), tmp_path / "events.parquet")
    text = _study(f"{CONDITIONS['recent']}, {CONDITIONS['adult']}, {CONDITIONS['never']}")
    flow = build_folder(parse_study(text, "s"), tmp_path / "events.parquet").flow["flow"]
    reasons = [loss["reason"] for loss in flow["left_out"]]
    assert reasons[:3] == [
        "ill in the last 90 days not known",
        "unknown or not age at least 18 years",
        "ill known",
    ]
    assert flow["left_out"][2]["left"] == 0


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("{ known = false }", r"\[\[decision.criteria\]\] 1: give `codes`, or age = true"),
        ('{ age = true, codes = ["X"], at_least = 1 }', "give `codes`, or age = true"),
        ("{ age = true }", "an age needs a bound such as at_least"),
        ('{ codes = ["LAB"], below = 5.0, known = false }', "known = false goes without bounds"),
    ],
)
def test_a_criterion_that_means_nothing_is_an_error(condition: str, expected: str) -> None:
    with pytest.raises(StudyError, match=expected):
        parse_study(_study(condition), "study.toml")


def test_without_criteria_the_protocol_is_what_it_was() -> None:
    plain = {key for key, _ in study_protocol(parse_study(TEXT, "s"))}
    assert not any(key.startswith("decision.criteria") for key in plain)
    more = study_protocol(parse_study(_study(CONDITIONS["recent"]), "s"))
    assert ("decision.criteria.0.fact.within_days", "90.0") in more
