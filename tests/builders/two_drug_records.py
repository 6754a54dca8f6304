"""A small study of two drugs, and event tables of a few patients for it."""

import datetime

import pyarrow as pa

from posology.cohorts.decisions.decision_table import DecisionTable, PatientFlow, extract_decisions
from posology.cohorts.events.day_order import study_events
from posology.cohorts.study.reader import parse_study
from posology.domain.study import Study
from posology.records.schema import EVENTS

ZERO = datetime.datetime(2010, 1, 1)  # noqa: DTZ001 - MEDS times have no zone
FIRST = (ZERO - datetime.datetime(1970, 1, 1)).days  # noqa: DTZ001

TEXT = """
format = 1
name = "two_drugs"
title = "Two drugs"
purpose = "A simulated question."
limits = "None: it is made up."
[decision]
codes = ["REVIEW"]
which = "every"
[[treatments]]
name = "a"
title = "drug A"
codes = ["DRUG//A"]
[[treatments]]
name = "b"
title = "drug B"
codes = ["DRUG//B"]
[given]
grace_days = 1
[outcome]
kind = "value_in_range"
codes = ["LAB"]
unit = "mmol/L"
from_days = 10
within_days = 40
range = { at_most = 5.0 }
unless = ["STOP"]
[follow_up]
ended_by = ["DEATH"]
[reward]
source = "made up"
costs = [{ codes = ["HARM"], cost = 0.5, within_days = 40 }]
[profile]
families = ["SEX", "LAB", "DRUG", "HARM", "NOTE"]
[split]
train = 0.6
validation = 0.2
test = 0.2
salt = "diary"
"""


def study(*changes: tuple[str, str]) -> Study:
    """The study, with some of its text exchanged."""
    text = TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return parse_study(text, "two_drugs.toml")


def event_table(*rows: tuple[int, float | None, str, float | None]) -> pa.Table:
    """Events from (subject, day or None, code, number or None)."""
    return pa.Table.from_pylist(
        [
            {
                "subject_id": subject,
                "time": None if day is None else ZERO + datetime.timedelta(days=day),
                "code": code,
                "numeric_value": value,
                "text_value": None,
                "unit": None,
            }
            for subject, day, code, value in rows
        ],
        schema=EVENTS,
    )


Row = tuple[int, float | None, str, float | None]


def extract_from_rows(
    changes: tuple[tuple[str, str], ...], *rows: Row
) -> tuple[DecisionTable, PatientFlow]:
    """The decisions of an event table, and the flow."""
    changed = study(*changes)
    return extract_decisions(study_events(event_table(*rows), changed), changed)
