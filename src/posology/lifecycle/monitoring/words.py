"""Monitors in words: what a month's figure is, what changed, and what to do about it."""

import datetime
import math

from posology.lifecycle.monitoring.monitor import (
    BEHAVIOUR,
    CALIBRATION,
    INPUTS,
    MISSINGNESS,
    OUTCOMES,
    VALUE,
    Limits,
    Monitor,
)
from posology.lifecycle.monitoring.scores import CONFIDENCE, LEVEL, RESIDUAL, SPREAD
from posology.lifecycle.monitoring.verdict import MonitorMonth, Verdict

MIN_CELL = 5
"""Smaller counts of patients are not shown."""
MOST_NAMED = 4
"""Changes that a sentence names, the strongest first."""
HIDDEN = f"under {MIN_CELL}"

WHAT_TO_DO = {
    INPUTS: "Look whether a laboratory, a unit, a code or the patients changed. Mend the records, "
    "or update the model on the new ones; until then read its answers as for patients unlike those "
    "it learned from.",
    MISSINGNESS: "Find out which source stopped or began to send the fact, and mend it: the model "
    "takes a fact that is missing as not known.",
    BEHAVIOUR: "Ask what clinicians changed and why: a guideline, a shortage, a new option, trust "
    "in the model. If it is meant to last, settle the monitors on it; if options are missing from "
    "the study, extend it and fit again.",
    OUTCOMES: "Check first that outcomes are recorded as before. If they are, patients fare "
    "otherwise than those the model learned from: update it.",
    CALIBRATION: "Do not rely on the probabilities until the model is updated. The order of "
    "the options may still be right.",
    VALUE: "Patients who got what the model advised fare worse than they did. Stop it, or look at "
    "each answer, until inputs, outcomes and calibration show why.",
}
"""What to do about an alarm of each kind; docs/monitoring.md says more."""


def month_name(month: int) -> str:
    """A month, counted from January 1970, such as 2026-03."""
    return f"{1970 + month // 12}-{month % 12 + 1:02d}"


def month_number(date: datetime.date) -> int:
    """The month of a date, counted from January 1970."""
    return 12 * (date.year - 1970) + date.month - 1


def unit_of(monitor: Monitor) -> str:
    """What the figures of a monitor are."""
    if monitor.score.what == LEVEL:
        return "mean rank among 100 reference patients; 50 is the reference's"
    if monitor.score.what == SPREAD:
        return "mean distance from the middle rank, of 50 ranks in 100; 50 is the reference's"
    if monitor.score.what == RESIDUAL:
        return "outcomes beyond those predicted, in 100 patients"
    if monitor.score.what == CONFIDENCE:
        return "below 0: predictions are surer than outcomes bear out"
    return "of 100 patients"


def figure(monitor: Monitor, mean: float) -> float:
    """A mean score in the unit of `unit_of`."""
    if monitor.score.what in (RESIDUAL, CONFIDENCE):
        return 100 * (2 * mean - 1)
    return 100 * mean


def shown_figure(monitor: Monitor, month: MonitorMonth) -> float | None:
    """The month's figure; None where it would show a count under five."""
    if month.patients < MIN_CELL or math.isnan(month.mean):
        return None
    if len(monitor.score.values) == 2:
        part = round(month.mean * month.patients)
        if 0 < part < MIN_CELL or 0 < month.patients - part < MIN_CELL:
            return None
    return figure(monitor, month.mean)


def shown_range(monitor: Monitor, limits: Limits) -> tuple[float, float]:
    """The figures that are allowed."""
    return figure(monitor, limits.low), figure(monitor, limits.high)


def alarm_words(verdict: Verdict, month: int, most: int = MOST_NAMED) -> str:
    """What the alarm of a month, counted from the first, is about; the strongest change first."""
    seen = zip(verdict.monitors, verdict.months[month], strict=True)
    named = sorted((pair for pair in seen if pair[1].is_alarm), key=lambda p: -p[1].evidence)
    more = f" and {len(named) - most} more" if len(named) > most else ""
    return ", ".join(change_words(monitor, each) for monitor, each in named[:most]) + more


def change_words(monitor: Monitor, month: MonitorMonth) -> str:
    """What changed, in a few words."""
    return f"{monitor.name} {'rose' if month.is_above else 'fell'}"
