"""The section on the monitors: each one's last month, its evidence, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass

from posology.advice.amounts import span
from posology.artifact import Artifact
from posology.language.catalogue import tr
from posology.language.numbers import number, year_month
from posology.lifecycle.monitoring.monitor import Limits, Monitor
from posology.lifecycle.monitoring.verdict import MonitorMonth, Verdict, judge_months
from posology.lifecycle.monitoring.words import (
    WHAT_TO_DO,
    alarm_words,
    change_words,
    listed_words,
    monitor_name,
    shown_figure,
    shown_range,
    unit_of,
)
from posology.report.patient.words import MINUS, capitalise
from posology.service.monitors.cases import MOST_ANSWERS, StoredCase, observe_cases, reference_of
from posology.service.pages.monitoring.checks import few

MOST_ROWS = 8
"""Monitors that are shown, those with the most evidence first."""
_NEVER = 0.001


@dataclass(frozen=True, slots=True)
class MonitorRow:
    """One monitor."""

    name: str
    is_alarm: bool
    value: str
    allowed: str
    patients: str
    evidence: str
    unit: str


@dataclass(frozen=True, slots=True)
class MonitorsPart:
    """The variables of the section."""

    verdict: str
    alarm: str
    """What the last month's alarm is about; empty if there is none."""
    todo: tuple[tuple[str, str], ...]
    """What changed, and what to do about it."""
    rows: tuple[MonitorRow, ...]
    note: str


def monitors_part(model: Artifact, cases: Sequence[StoredCase]) -> MonitorsPart:
    """The section of a model from its stored answers."""
    reference = reference_of(model)
    if reference is None:
        text = tr("This model keeps no reference for monitors: fit it again to have them.")
        return MonitorsPart(text, "", (), (), "")
    observed = observe_cases(model, cases) if cases else None
    verdict = None
    if observed is not None:
        verdict = judge_months(reference, observed, int(observed.decided.max()))
    if verdict is None:
        return MonitorsPart(tr("No answer with a patient's facts is stored yet."), "", (), (), "")
    last = verdict.months[-1]
    order = sorted(range(len(last)), key=lambda row: -last[row].evidence)[:MOST_ROWS]
    rows = (_row(verdict.monitors[row], last[row], verdict.limits[row]) for row in order)
    at = len(verdict.months) - 1
    alarm = ""
    if verdict.alarms[at]:
        alarm = tr("{changes} in {month}")
        alarm = alarm.format(changes=alarm_words(verdict, at, 1), month=_month(verdict, at))
    return MonitorsPart(verdict_words(verdict), alarm, _todo(verdict), tuple(rows), _note(verdict))


def _month(verdict: Verdict, at: int) -> str:
    return year_month(verdict.first_month + at)


def verdict_words(verdict: Verdict) -> str:
    """Whether the last month alarms; if not, when the last alarm was, and what about."""
    months = [_month(verdict, at) for at in range(len(verdict.months))]
    alarms = [at for at, is_alarm in enumerate(verdict.alarms) if is_alarm]
    if verdict.alarms[-1]:
        return tr("Alarm in {month}.").format(month=months[-1])
    if alarms:
        text = tr("No alarm in {month}. The last one was in {earlier}: {changes}.")
        about, earlier = alarm_words(verdict, alarms[-1]), months[alarms[-1]]
        return text.format(month=months[-1], earlier=earlier, changes=about)
    judged = months[0] if len(months) == 1 else span(months[0], months[-1])
    return tr("No alarm, {months}.").format(months=judged)


def _todo(verdict: Verdict) -> tuple[tuple[str, str], ...]:
    last = zip(verdict.monitors, verdict.months[-1], strict=True)
    named = [(monitor, month) for monitor, month in last if month.is_alarm]
    named.sort(key=lambda pair: -pair[1].evidence)
    parts = []
    for kind in dict.fromkeys(monitor.kind for monitor, _ in named):
        changes = [change_words(m, month) for m, month in named if m.kind == kind]
        parts.append((capitalise(listed_words(changes)), tr(WHAT_TO_DO[kind])))
    return tuple(parts)


def _row(monitor: Monitor, month: MonitorMonth, limits: Limits) -> MonitorRow:
    value, (low, high) = shown_figure(monitor, month), shown_range(monitor, limits)
    return MonitorRow(
        name=capitalise(monitor_name(monitor)),
        is_alarm=month.is_alarm,
        value=tr("not shown") if value is None else _number(value),
        allowed=span(_number(low), _number(high)),
        patients=few(month.patients),
        evidence=evidence_words(month.evidence),
        unit=unit_of(monitor),
    )


def evidence_words(evidence: float) -> str:
    """Evidence as a page shows it; an alarm at 1."""
    if evidence >= 1000:
        return tr("over {bound}").format(bound=number("1,000"))
    if evidence < _NEVER:
        return tr("under {bound}").format(bound=number(f"{_NEVER}"))
    return number(f"{evidence:.3g}")


def _number(value: float) -> str:
    return f"{value:.0f}".replace("-0", "0").replace("-", MINUS)


def _note(verdict: Verdict) -> str:
    return tr(
        "{count} monitors; the {shown} with the most evidence are shown. All together have "
        "{evidence}, and alarm at 1: without a change, at most one false alarm in {months} months. "
        "A month outside what is allowed is no alarm yet: few patients are little evidence. "
        "Judged are the newest {answers} answers of this version whose facts are kept; they are "
        "compared with the patients it was fitted on."
    ).format(
        count=len(verdict.monitors),
        shown=MOST_ROWS,
        evidence=evidence_words(verdict.total[-1]),
        months=number("1,000"),
        answers=number(f"{MOST_ANSWERS:,}"),
    )
