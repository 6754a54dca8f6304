"""Judge the months since a policy was fitted by its monitors."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Group
from rich.table import Table
from rich.text import Text

from posology.artifact import Artifact
from posology.cohorts.events.chunks import event_files, read_event_table
from posology.domain.serialization import deserialize
from posology.errors import UserError
from posology.lifecycle.monitoring.monitor import Monitor
from posology.lifecycle.monitoring.observations import Observations, select_observations
from posology.lifecycle.monitoring.reference import EVIDENCE, Reference, settle
from posology.lifecycle.monitoring.verdict import MonitorMonth, Verdict, judge_months
from posology.lifecycle.monitoring.words import (
    HIDDEN,
    MIN_CELL,
    WHAT_TO_DO,
    alarm_words,
    change_words,
    month_name,
    month_number,
    shown_figure,
    shown_range,
)
from posology.workflows.monitoring.observe import observe_decisions
from posology.workflows.monitoring.stray_dates import refuse_early_dates, refuse_late_dates
from posology.workflows.policies.encode_records import encode_records
from posology.workflows.progress import Progress, no_progress
from posology.workflows.results import Row, render_text, rows_to_table

ALARM = 3
"""Exit code of the command if the last month alarms; 2 is an error that the caller can mend."""
_MOST_ROWS = 12


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """Which months are judged, and against what."""

    since: datetime.date | None = None
    """First month of use: decisions before it are only the patients' past. None: the first one."""
    until: datetime.date | None = None
    """Last month that is judged; None: that of the last decision."""
    settle: int = 0
    """First months that are the reference of what the model's use changes, and are not judged."""

    def __post_init__(self) -> None:
        if self.since and self.until and month_number(self.until) < month_number(self.since):
            raise UserError(
                f"--since {_month_of(self.since)} is after --until {_month_of(self.until)}; the "
                "two are swapped."
            )


@dataclass(frozen=True, slots=True)
class MonitoringResult:
    """The verdict of a policy's monitors."""

    verdict: Verdict
    study: str
    digest: str

    @property
    def is_alarm(self) -> bool:
        """Whether the last month alarms."""
        return self.verdict.alarms[-1]

    @property
    def rows(self) -> list[Row]:
        """Of each month the total evidence, then each monitor's figure within its limits."""
        return [row for month in range(len(self.verdict.total)) for row in self._month_rows(month)]

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def summary(self) -> str:
        """The last month's verdict as text."""
        return render_text(self.__rich__())

    def __rich__(self) -> Group:
        verdict = self.verdict
        last, name = verdict.months[-1], month_name(verdict.first_month + len(verdict.months) - 1)
        order = np.argsort([-month.evidence for month in last], kind="stable")[:_MOST_ROWS]
        table = Table("monitor", f"{name}, of 100", "allowed", "patients", "evidence")
        for row in order:
            table.add_row(*_cells(verdict.monitors[row], last[row], verdict.limits[row]))
        above = (Text(self._headline(name)), *self._few(name), *self._todo(last))
        return Group(*above, table, Text(_footer(verdict)))

    def _headline(self, name: str) -> str:
        verdict = self.verdict
        alarms = [month_name(verdict.first_month + m) for m, a in enumerate(verdict.alarms) if a]
        if self.is_alarm:
            return f"Alarm in {name}."
        if alarms:
            return f"No alarm in {name}; the last one was in {alarms[-1]}: {self._last_alarm()}."
        months = len(verdict.months)
        return f"No alarm in {months} month{'' if months == 1 else 's'} to {name}."

    def _last_alarm(self) -> str:
        """What changed in the last month that alarmed."""
        month = max(m for m, is_alarm in enumerate(self.verdict.alarms) if is_alarm)
        return alarm_words(self.verdict, month)

    def _few(self, name: str) -> list[Text]:
        """That most monitors have too few patients in the last month, if so."""
        last = self.verdict.months[-1]
        few = sum(month.patients < MIN_CELL for month in last)
        if 2 * few <= len(last):
            return []
        return [
            Text(
                f"{few} of {len(last)} monitors have under {MIN_CELL} patients in {name}: too few "
                "to judge them. Judge it again when its records are complete, or name an earlier "
                "month with --until."
            )
        ]

    def _todo(self, last: Sequence[MonitorMonth]) -> list[Text]:
        named = [
            (monitor, month)
            for monitor, month in zip(self.verdict.monitors, last, strict=True)
            if month.is_alarm
        ]
        kinds = dict.fromkeys(monitor.kind for monitor, _ in named)
        lines = []
        for kind in kinds:
            changes = ", ".join(change_words(m, month) for m, month in named if m.kind == kind)
            lines.append(Text(f"{kind.capitalize()}: {changes}. {WHAT_TO_DO[kind]}"))
        return lines

    def _month_rows(self, month: int) -> list[Row]:
        verdict = self.verdict
        names = {"study": self.study, "model": "posology", "split": ""}
        names["split"] = month_name(verdict.first_month + month)
        rows: list[Row] = [
            {**names, "metric": "evidence", "value": verdict.total[month], "low": None}
            | {"high": 1.0, "n": None, "kind": "all", "is_alarm": verdict.alarms[month]}
        ]
        of_month = zip(verdict.monitors, verdict.months[month], verdict.limits, strict=True)
        for monitor, seen, limits in of_month:
            low, high = shown_range(monitor, limits)
            n = None if 0 < seen.patients < MIN_CELL else seen.patients
            rows.append(
                {**names, "metric": monitor.name, "value": shown_figure(monitor, seen)}
                | {"low": low, "high": high, "n": n, "kind": monitor.kind}
                | {"evidence": seen.evidence, "is_alarm": seen.is_alarm}
            )
        return rows


def monitor(
    model: Artifact,
    events: str | Path | pa.Table,
    settings: MonitorSettings = MonitorSettings(),
    progress: Progress = no_progress,
) -> MonitoringResult:
    """Judge each month of new events; UserError if there is nothing to judge.

    Args:
        events: MEDS events of whole patients, their past included.
    """
    reference = stored_reference(model)
    progress("reading events")
    places = () if isinstance(events, pa.Table) else (Path(events),)
    table = events if isinstance(events, pa.Table) else read_event_table(_files(Path(events)))
    if not table.num_rows:
        named = "the table of events" if isinstance(events, pa.Table) else str(events)
        raise UserError(f"{named}: has 0 rows; give events of the months to judge.")
    cohort = encode_records(table, model.study, model.policy, places)
    if not len(cohort):
        raise UserError(
            f"study {model.study.name}: no decision in the events{_covered(table)}; give events of "
            "whole patients of the study, their past included."
        )
    progress(f"{len(cohort):,} decisions")
    observed = observe_decisions(model.policy, cohort)
    considered = select_observations(observed, _is_within(settings, observed.decided))
    if settings.until is None:
        today = datetime.datetime.now(datetime.UTC).date()
        refuse_late_dates(model.study.name, considered, today)
    refuse_early_dates(model.study.name, considered)
    return judge(model, reference, observed, settings)


def judge(
    model: Artifact, reference: Reference, observed: Observations, settings: MonitorSettings
) -> MonitoringResult:
    """The verdict on observations; UserError if there is nothing to judge."""
    if not len(observed):
        raise UserError(f"study {model.study.name}: no decision to judge; wait for the first ones.")
    covered = _range(int(observed.decided.min()), int(observed.decided.max()))
    if settings.since is not None:
        observed = select_observations(observed, observed.decided >= month_number(settings.since))
    if settings.settle and len(observed):
        reference, observed = _settle(reference, observed, settings.settle)
    if not len(observed):
        raise UserError(
            f"study {model.study.name}: no decision in the months to judge; decisions are in "
            f"{covered}. Give events of later months, or a smaller --settle or "
            "earlier --since."
        )
    last = int(observed.decided.max())
    last = last if settings.until is None else month_number(settings.until)
    verdict = judge_months(reference, observed, last)
    if verdict is None:
        raise UserError(
            f"--until {settings.until}: before the first decision, in "
            f"{month_name(int(observed.decided.min()))}; name a later date."
        )
    return MonitoringResult(verdict, model.study.name, model.digest)


def stored_reference(model: Artifact) -> Reference:
    """The reference that was kept when the policy was fitted; UserError without one."""
    stored = model.evidence.get(EVIDENCE)
    if stored is None:
        raise UserError(
            f"model {model.digest[:12]}: was saved without a reference for monitors; fit it again "
            "with this version of posology."
        )
    reference: Reference = deserialize(Reference, stored, {})
    if not reference.monitors:
        raise UserError(
            f"model {model.digest[:12]}: was fitted on too few patients for monitors to judge."
        )
    return reference


def _settle(
    reference: Reference, observed: Observations, months: int
) -> tuple[Reference, Observations]:
    """The reference of the first months, and the observations after them.

    Outcomes that become known later, of decisions in the first months, are not counted again.
    """
    first = int(observed.decided.min())
    early = observed.decided < first + months
    settled = settle(reference, select_observations(observed, early))
    return settled, select_observations(observed, ~early)


def _is_within(settings: MonitorSettings, month: np.ndarray) -> np.ndarray:
    within = np.ones(len(month), dtype=bool)
    if settings.since is not None:
        within &= month >= month_number(settings.since)
    if settings.until is not None:
        within &= month <= month_number(settings.until)
    return within


def _files(events: Path) -> list[Path]:
    if not events.exists():
        raise UserError(f"{events}: no such file or folder.")
    return event_files(events)


def _month_of(date: datetime.date) -> str:
    return month_name(month_number(date))


def _range(first: int, last: int) -> str:
    return month_name(first) if first == last else f"{month_name(first)} to {month_name(last)}"


def _covered(events: pa.Table) -> str:
    """The months of events; empty if none has a time."""
    ends = pc.min_max(events["time"]).as_py()
    if ends["min"] is None:
        return ""
    return f", which cover {_range(month_number(ends['min']), month_number(ends['max']))}"


def _cells(monitor: Monitor, month: MonitorMonth, limits: Any) -> tuple[str, ...]:
    shown, (low, high) = shown_figure(monitor, month), shown_range(monitor, limits)
    patients = HIDDEN if 0 < month.patients < MIN_CELL else f"{month.patients:,}"
    evidence = f"{min(month.evidence, 1e6):.2g}" + (" alarm" if month.is_alarm else "")
    value = "-" if shown is None else f"{shown:.1f}"
    return monitor.name, value, f"{low:.1f} to {high:.1f}", patients, evidence


def _footer(verdict: Verdict) -> str:
    return (
        f"{len(verdict.monitors)} monitors; total evidence {min(verdict.total[-1], 1e6):.2g}, an "
        "alarm at 1. Without a change, at most one false alarm in 1,000 months is expected."
    )
