"""Monitors in words: what a month's figure is, what changed, and what to do about it."""

import datetime
import math
from collections.abc import Sequence

from posology.advice.wording.fact_names import fact_name
from posology.language.catalogue import deferred, tr
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
    INPUTS: deferred(
        "Look whether a laboratory, a unit, a code or the patients changed. Mend the records, or "
        "update the model on the new ones; until then read its answers as for patients unlike "
        "those it learned from."
    ),
    MISSINGNESS: deferred(
        "Find out which source stopped or began to send the fact, and mend it: the model takes a "
        "fact that is missing as not known."
    ),
    BEHAVIOUR: deferred(
        "Ask what clinicians changed and why: a guideline, a shortage, a new option, trust in the "
        "model. If it is meant to last, settle the monitors on it; if options are missing from "
        "the study, extend it and fit again."
    ),
    OUTCOMES: deferred(
        "Check first that outcomes are recorded as before. If they are, patients fare otherwise "
        "than those the model learned from: update it."
    ),
    CALIBRATION: deferred(
        "Do not rely on the probabilities until the model is updated. The order of the options "
        "may still be right."
    ),
    VALUE: deferred(
        "Patients who got what the model advised fare worse than they did. Stop it, or look at "
        "each answer, until inputs, outcomes and calibration show why."
    ),
}
"""What to do about an alarm of each kind; docs/monitoring.md says more."""
_ABOUT = {
    "recorded": deferred("{name}: recorded"),
    "level": deferred("{name}: level"),
    "spread": deferred("{name}: spread"),
    "given": deferred("{name}: given"),
    "effective": deferred("{name}: effective"),
    "advised first": deferred("{name}: advised first"),
}
"""What is watched of a fact or an option, as the reference names it."""
_OVERALL = frozenset(
    {
        deferred("effective"),
        deferred("given as advised"),
        deferred("outcome minus prediction"),
        deferred("confidence of predictions"),
        deferred("effective if given as advised"),
    }
)
"""What is watched of all decisions."""


_UNITS = {
    LEVEL: deferred("mean rank among 100 reference patients; 50 is the reference's"),
    SPREAD: deferred(
        "mean distance from the middle rank, of 50 ranks in 100; 50 is the reference's"
    ),
    RESIDUAL: deferred("outcomes beyond those predicted, in 100 patients"),
    CONFIDENCE: deferred("below 0: predictions are surer than outcomes bear out"),
}
_SHARE = deferred("of 100 patients")
"""What the figures of a monitor are, by its score."""


def month_name(month: int) -> str:
    """A month, counted from January of year 0, such as 2026-03."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def month_number(date: datetime.date) -> int:
    """The month of a date, counted from January of year 0."""
    return 12 * date.year + date.month - 1


def unit_of(monitor: Monitor) -> str:
    """What the figures of a monitor are."""
    return tr(_UNITS.get(monitor.score.what, _SHARE))


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
    return listed_words([change_words(*pair) for pair in named], most)


def listed_words(changes: Sequence[str], most: int = MOST_NAMED) -> str:
    """The first changes, and how many more there are."""
    first = ", ".join(changes[:most])
    if len(changes) <= most:
        return first
    return tr("{changes} and {count} more").format(changes=first, count=len(changes) - most)


def change_words(monitor: Monitor, month: MonitorMonth) -> str:
    """What changed, in a few words."""
    text = tr("{monitor} rose") if month.is_above else tr("{monitor} fell")
    return text.format(monitor=monitor_name(monitor))


def monitor_name(monitor: Monitor) -> str:
    """What a monitor watches, in the language of the reader; the reference keeps it in English."""
    if monitor.name in _OVERALL:
        return tr(monitor.name)
    head, _, about = monitor.name.rpartition(": ")
    if about in _ABOUT:
        return tr(_ABOUT[about]).format(name=fact_name(head))
    return fact_name(monitor.name)
