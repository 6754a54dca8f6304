"""A patient's value under several plans, from a saved policy."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from posology.artifact import Artifact
from posology.domain.history import History
from posology.domain.outcome_trajectories import OutcomeTrajectories, Plans
from posology.errors import RecordError, UserError
from posology.learners.trajectories.simulated_paths import PathSettings
from posology.learners.trajectories.visit_grid import (
    MOST_VISITS,
    OptionsTaken,
    as_components,
    to_trajectories,
)
from posology.records.io.drafts import write_whole
from posology.report.patient.forecast_terminal import reading_lines
from posology.workflows.patient import Patient, encode
from posology.workflows.plans.learn import PlanModel, plans_of
from posology.workflows.plans.plan_file import (
    NO_OPTION,
    Plan,
    PlannedStep,
    PlanNotes,
    plans_to_json,
    read_plans,
    suggest_plans,
)
from posology.workflows.recommend import as_artifact
from posology.workflows.results import Row, render_text, rows_to_table

DRAWS = 2_048
"""Paths of each plan: one patient's interval must not depend on chance."""
FEW_PATIENTS = 50
"""Training patients of an option below which the comparison says so."""
NOTHING_TO_STOP = (
    "The patient takes none of the options now: to stop is the same as to continue, and is no plan "
    "of its own."
)


@dataclass(frozen=True, slots=True, eq=False)
class PlanComparison:
    """The value after each step of each plan, with 90 % intervals."""

    value: str
    unit: str
    last_value: float
    step_days: float
    plans: tuple[Plan, ...]
    mean: np.ndarray
    """One row a plan, one column a step; NaN after a plan's last step."""
    low: np.ndarray
    high: np.ndarray
    notes: tuple[str, ...]
    """What must be said first: facts not used, beyond what the model saw, or assumed."""
    digest: str

    @property
    def rows(self) -> list[Row]:
        """One row a plan and step."""
        return [
            {
                "plan": plan.name,
                "days": (step + 1) * self.step_days,
                "option": plan.steps[step].option,
                "dose": plan.steps[step].dose,
                "expected": float(self.mean[i, step]),
                "low": float(self.low[i, step]),
                "high": float(self.high[i, step]),
            }
            for i, plan in enumerate(self.plans)
            for step in range(len(plan.steps))
        ]

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "model": self.digest,
            "value": self.value,
            "unit": self.unit,
            "last_value": self.last_value,
            "notes": [" ".join(render_text(note).split()) for note in self.notes],
            "rows": self.rows,
        }

    def summary(self) -> str:
        """The table as text."""
        return render_text(self.__rich__())

    def __rich__(self) -> Group:
        table = Table(title=f"{escape(self.value)}: {self.last_value:.4g} {escape(self.unit)} now")
        for title in ("plan", "after", "expected", "90 % interval"):
            table.add_column(title, overflow="fold")
        for row in self.rows:
            is_first = row["days"] == self.step_days
            table.add_row(
                escape(row["plan"]) if is_first else "",
                f"{row['days']:.0f} days",
                f"{row['expected']:.1f}",
                f"{row['low']:.1f} to {row['high']:.1f}",
            )
        note = (
            "[dim]Expected if the plan is kept to, for patients alike in what is recorded. Drugs "
            "that only patients differing in unrecorded ways received are not compared fairly.\n"
            "Intervals contain the value of 90 of 100 such patients, not the difference between "
            "two plans, which is more certain.[/]"
        )
        return Group(*self.notes, table, note)


@dataclass(frozen=True, slots=True, eq=False)
class _Now:
    """The patient at the last measurement."""

    model: PlanModel
    trajectories: OutcomeTrajectories
    taken: OptionsTaken
    visit: int
    notes: tuple[str, ...]


def compare_plans(
    model: str | Path | Artifact, patient: Patient, plan_file: str | Path
) -> PlanComparison:
    """The patient's value under each plan of the file, from the last measurement on."""
    loaded = as_artifact(model)
    horizon = plans_of(loaded).trajectories.horizon
    plans = read_plans(Path(plan_file), loaded.study.formulary, horizon)
    now = _read(loaded, patient)
    learned = replace(now.model.trajectories, settings=PathSettings(DRAWS))
    treatment = _components(now, plans, loaded)
    rows = np.zeros(len(plans), np.int64)
    found = learned.predict(now.trajectories, Plans(rows, rows + now.visit, treatment))
    unknown = [
        [np.nan if step >= len(plan.steps) else 1.0 for step in range(treatment.shape[1])]
        for plan in plans
    ]
    return PlanComparison(
        value=now.model.value,
        unit=now.model.unit,
        last_value=float(now.trajectories.outcome[0, now.visit]),
        step_days=now.model.grid.step_days,
        plans=plans,
        mean=found.mean * unknown,
        low=found.low * unknown,
        high=found.high * unknown,
        notes=(*now.notes, *_rare_options(now.model, plans, loaded.study.formulary.names)),
        digest=loaded.digest,
    )


def _rare_options(model: PlanModel, plans: tuple[Plan, ...], names: tuple[str, ...]) -> list[str]:
    """A sentence about each planned option that few training patients took."""
    planned = {step.option for plan in plans for step in plan.steps}
    return [
        f"[yellow]{escape(name)}: only {count} training patients took it; what it does to "
        f"{escape(model.value)} is hardly known.[/]"
        for name, count in zip(names, model.patients, strict=True)
        if name in planned and count < FEW_PATIENTS
    ]


@dataclass(frozen=True, slots=True)
class PlanTemplate:
    """The plans that were written, and remarks about them."""

    plans: tuple[Plan, ...]
    remarks: tuple[str, ...]


def write_plan_template(
    model: str | Path | Artifact, patient: Patient, path: str | Path
) -> PlanTemplate:
    """Write a file of plans to edit: continue, stop, switch; UserError if it exists."""
    if Path(path).exists():
        raise UserError(f"--write-plan {path}: exists already; name a new file.")
    loaded = as_artifact(model)
    now = _read(loaded, patient)
    option = int(now.taken.option[0, now.visit])
    current = PlannedStep(NO_OPTION)
    if option >= 0:
        largest = now.model.grid.largest_dose[option]
        dose = float(now.taken.share[0, now.visit]) * largest if largest else None
        current = PlannedStep(loaded.study.formulary.names[option], dose)
    horizon = now.model.trajectories.horizon
    plans = suggest_plans(loaded.study.formulary, current, horizon)
    remarks = (NOTHING_TO_STOP,) if option < 0 else ()
    learned = now.model
    notes = PlanNotes(learned.value, learned.unit, learned.grid.step_days, horizon, remarks)
    write_whole(Path(path), plans_to_json(plans, loaded.study.formulary, notes))
    return PlanTemplate(plans, remarks)


def write_comparison(result: PlanComparison, path: str | Path) -> None:
    """Write the comparison as JSON."""
    write_whole(Path(path), json.dumps(result.to_json(), indent=1) + "\n")


def _read(model: Artifact, patient: Patient) -> _Now:
    learned = plans_of(model)
    history, reading = encode(model, patient)
    if reading.required:
        raise RecordError(" ".join((*reading.required, "Enter it and ask again.")))
    return _at_last_visit(learned, history, tuple(reading_lines(reading)))


def _at_last_visit(learned: PlanModel, history: History, notes: tuple[str, ...]) -> _Now:
    trajectories, taken = to_trajectories(learned.grid, history)
    known = np.flatnonzero(~np.isnan(trajectories.outcome[0]))
    if not len(known):
        raise RecordError(
            f"the patient has no dated value of `{learned.value}`: a plan starts from the last "
            "one. Add its date and number, and ask again."
        )
    assert known[-1] < MOST_VISITS
    return _Now(learned, trajectories, taken, int(known[-1]), notes)


def _components(now: _Now, plans: tuple[Plan, ...], model: Artifact) -> np.ndarray:
    names, horizon = model.study.formulary.names, max(len(plan.steps) for plan in plans)
    option, share = np.full((len(plans), horizon), -1, np.int64), np.ones((len(plans), horizon))
    for i, plan in enumerate(plans):
        for j, step in enumerate(plan.steps):
            if step.option == NO_OPTION:
                continue
            option[i, j] = names.index(step.option)
            if step.dose is not None:
                share[i, j] = step.dose / now.model.grid.largest_dose[option[i, j]]
    last = int(now.taken.option[0, now.visit - 1]) if now.visit else -1
    before = np.concatenate([np.full((len(plans), 1), last), option[:, :-1]], axis=1)
    return as_components(len(names), OptionsTaken(option, share), before)
