"""A saved policy judges later months: undisturbed ones pass, a recalibrated laboratory alarms."""

import datetime
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from posology.artifact import Artifact
from posology.domain.serialization import serialize
from posology.errors import UserError
from posology.learners.methods import build_learner
from posology.lifecycle.monitoring.reference import EVIDENCE
from posology.workflows.monitoring.monitor import MonitoringResult, MonitorSettings, monitor
from posology.workflows.monitoring.observe import measure_monitoring
from tests.builders.policies import iwpc_cohort
from tests.builders.synthetic_iwpc import events

MONTHS = 3


@cache
def saved() -> Artifact:
    cohort = iwpc_cohort()
    policy = build_learner("logistic", 0).fit(cohort, cohort)
    cohort = replace(cohort, split=np.arange(len(cohort), dtype=np.int8) % 2)
    evidence = {EVIDENCE: serialize(measure_monitoring(policy, cohort), {})}
    return Artifact(policy, cohort.study, evidence, "0" * 64)


@cache
def later(heavier: float = 0.0) -> pa.Table:
    """Three months of other patients; in the last one everybody's weight is read as heavier."""
    parts = []
    for month in range(MONTHS):
        table = events(400, seed=10 + month)
        shift = pa.scalar(datetime.timedelta(days=31 * month), pa.duration("us"))
        time = pc.add(table["time"], shift)
        subject = pc.add(table["subject_id"], 1000 * month)
        value = table["numeric_value"]
        if month == MONTHS - 1:
            is_weight = pc.equal(table["code"], "WEIGHT")
            more = pc.cast(pc.add(value, heavier), value.type)
            value = pc.if_else(is_weight, more, value)
        for name, column in (("time", time), ("subject_id", subject), ("numeric_value", value)):
            at = table.schema.get_field_index(name)
            table = table.set_column(at, table.schema.field(name), column)
        parts.append(table)
    return pa.concat_tables(parts)


def value_of(result: MonitoringResult, split: str, metric: str) -> dict:
    (row,) = [r for r in result.rows if r["split"] == split and r["metric"] == metric]
    return row


def test_undisturbed_months_raise_no_alarm() -> None:
    result = monitor(saved(), later())
    assert not result.is_alarm
    assert result.verdict.alarms == (False,) * MONTHS
    assert result.summary().startswith("No alarm in 3 months to 2000-03.")
    kinds = {row["kind"] for row in result.rows}
    assert {"inputs", "missingness", "behaviour", "calibration", "value"} <= kinds


def test_a_shifted_input_alarms_and_is_named_with_what_to_do() -> None:
    result = monitor(saved(), later(heavier=25.0))
    assert result.verdict.alarms == (False, False, True)
    row = value_of(result, "2000-03", "weight, kg: level")
    assert row["is_alarm"]
    assert row["value"] > row["high"]
    assert "Inputs: weight, kg: level rose" in result.summary()
    assert "Look whether a laboratory, a unit, a code" in result.summary()


def test_decisions_before_the_model_was_in_use_are_not_judged() -> None:
    result = monitor(saved(), later(25.0), MonitorSettings(since=datetime.date(2000, 3, 1)))
    assert len(result.verdict.months) == 1
    until = datetime.date(2000, 2, 15)
    result = monitor(saved(), later(25.0), MonitorSettings(until=until))
    assert result.verdict.alarms == (False, False)


def test_small_counts_are_not_shown() -> None:
    table = later()
    few = table.filter(pc.less(table["subject_id"], 4))
    result = monitor(saved(), few)
    shown = [row for row in result.rows if row["metric"] != "evidence"]
    assert all(row["value"] is None and row["n"] in (None, 0) for row in shown)
    assert "under 5" in result.summary()


def test_what_cannot_be_judged_is_an_error_with_its_mend() -> None:
    model = saved()
    with pytest.raises(UserError, match="saved without a reference for monitors; fit it again"):
        monitor(replace(model, evidence={}), later())
    with pytest.raises(
        UserError,
        match=r"no decision in the months to judge; decisions are in 2000-01 to 2000-03\.",
    ):
        monitor(model, later(), MonitorSettings(settle=12))
    with pytest.raises(UserError, match="before the first decision, in 2000-01; name a later"):
        monitor(model, later(), MonitorSettings(until=datetime.date(1999, 1, 1)))
    with pytest.raises(UserError, match=r"^nowhere: no such file or folder"):
        monitor(model, "nowhere")
    with pytest.raises(UserError, match=r"^the table of events: has 0 rows; give events of"):
        monitor(model, later()[:0])
    diagnoses = later().filter(pc.equal(later()["code"], "CONDITION//a"))
    with pytest.raises(
        UserError, match=r"no decision in the events, which cover \d{4}-\d\d to 2000-0"
    ):
        monitor(model, diagnoses)


def dated_later(table: pa.Table, subjects: list[int], days: int) -> pa.Table:
    """The same events, those of some patients so many days later."""
    shift = pa.scalar(datetime.timedelta(days=days), pa.duration("us"))
    is_late = pc.is_in(table["subject_id"], pa.array(subjects, table["subject_id"].type))
    time = pc.if_else(is_late, pc.add(table["time"], shift), table["time"])
    at = table.schema.get_field_index("time")
    return table.set_column(at, table.schema.field("time"), time)


@pytest.mark.parametrize(("subject", "years", "month"), [(1, 60, "2059-12"), (2, 3, "2002-12")])
def test_a_decision_dated_far_ahead_does_not_move_the_last_month(
    subject: int, years: int, month: str
) -> None:
    late = dated_later(later(25.0), [subject], 365 * years)
    match = (
        rf"1 decision is dated after today or over a year after all others \(patient {subject} in "
        rf"{month}\), and would be the last month\. Mend the dates, or name the last month with "
        r"--until 2000-03\."
    )
    with pytest.raises(UserError, match=match):
        monitor(saved(), late)
    until = MonitorSettings(until=datetime.date(2000, 3, 1))
    assert monitor(saved(), late, until).is_alarm


@pytest.mark.parametrize(
    ("years", "settings", "month"),
    [
        (3, MonitorSettings(), "1997-01"),
        (60, MonitorSettings(settle=1), "1940-01"),
        (3, MonitorSettings(until=datetime.date(2000, 3, 1), settle=1), "1997-01"),
        (3, MonitorSettings(since=datetime.date(1990, 1, 1)), "1997-01"),
    ],
)
def test_a_decision_dated_far_before_does_not_move_the_first_month(
    years: int, settings: MonitorSettings, month: str
) -> None:
    early = dated_later(later(25.0), [3], -365 * years)
    match = (
        rf"1 decision is dated over a year before all others \(patient 3 in {month}\), and would "
        r"be the first month\. Mend the dates; where they are right, as of records that began with "
        r"few patients, name the first month with --since 2000-01\."
    )
    with pytest.raises(UserError, match=match):
        monitor(saved(), early, settings)
    result = monitor(saved(), early, replace(settings, since=datetime.date(2000, 1, 1)))
    assert result.is_alarm
    assert len(result.verdict.months) == MONTHS - settings.settle


def test_several_stray_decisions_are_counted_and_a_pause_of_years_is_not_stray() -> None:
    few, many = list(range(1, 5)), list(range(1, 200))
    with pytest.raises(UserError, match=r"4 decisions are .* \(patient 1 in .* and 1 more\)"):
        monitor(saved(), dated_later(later(), few, 2000))
    assert len(monitor(saved(), dated_later(later(), many, 2000)).verdict.months) > 60


def test_dates_shifted_before_1970_are_judged_as_any() -> None:
    everyone = pc.unique(later()["subject_id"]).to_pylist()
    result = monitor(saved(), dated_later(later(25.0), everyone, -365 * 60))
    assert result.is_alarm
    assert result.verdict.alarms == (False,) * (len(result.verdict.months) - 1) + (True,)


def test_shifted_dates_say_nothing_of_today() -> None:
    everyone = pc.unique(later()["subject_id"]).to_pylist()
    assert len(monitor(saved(), dated_later(later(), everyone, 60_000)).verdict.months) <= 4


def test_swapped_months_are_said_to_be_swapped() -> None:
    since, until = datetime.date(2018, 6, 1), datetime.date(2018, 1, 31)
    with pytest.raises(UserError, match="--since 2018-06 is after --until 2018-01; the two are sw"):
        MonitorSettings(since, until)
    MonitorSettings(datetime.date(2018, 1, 31), datetime.date(2018, 1, 1))  # the same month


def test_a_month_with_few_patients_says_so_and_names_the_alarm_before_it() -> None:
    result = monitor(saved(), later(25.0), MonitorSettings(until=datetime.date(2000, 5, 1)))
    text = " ".join(result.summary().split())
    assert text.startswith("No alarm in 2000-05; the last one was in 2000-03: weight, kg: level ")
    monitors = len(result.verdict.monitors)
    assert f"of {monitors} monitors have under 5 patients in 2000-05: too few to judge" in text
    assert "too few" not in monitor(saved(), later()).summary()
