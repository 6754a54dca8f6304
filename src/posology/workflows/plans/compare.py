"""A patient's value under several plans, from a saved policy."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Group
from rich.table import Table
from rich.text import Text

from posology.advice.amounts import decimals_of
from posology.artifact import Artifact
from posology.errors import RecordError, UserError
from posology.records.io.drafts import write_whole
from posology.report.patient.forecast_terminal import reading_lines
from posology.workflows.patient import Patient, encode
from posology.workflows.plans.evidence_words import ADJUSTED, checked_words, learned_words
from posology.workflows.plans.learn import PlanModel, plans_of
from posology.workflows.plans.patient_plans import (
    FEW_PATIENTS,
    PatientNow,
    patient_now,
    predict_plans,
)
from posology.workflows.plans.plan_file import (
    NO_OPTION,
    Plan,
    PlanNotes,
    plans_to_json,
    read_plans,
    suggest_plans,
)
from posology.workflows.recommend import as_artifact
from posology.workflows.results import Row, render_text, rows_to_table

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
    notes: tuple[Text, ...]
    """What must be said first: facts not used, beyond what the model saw, or assumed."""
    digest: str
    learned_from: str
    """Patients and steps, in words."""
    checked: str
    """How often the intervals held the value of other patients, in words."""

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
            "adjusted": ADJUSTED,
            "learned_from": self.learned_from,
            "checked": self.checked,
            "rows": self.rows,
        }

    def summary(self) -> str:
        """The table as text."""
        return render_text(self.__rich__())

    def __rich__(self) -> Group:
        table = Table(title=f"{self.value}: {self.last_value:.4g} {self.unit} now")
        for title in ("plan", "after", "expected", "90 % interval"):
            table.add_column(title, overflow="fold")
        for row in self.rows:
            is_first = row["days"] == self.step_days
            digits = max(1, decimals_of(row["high"] - row["low"]))
            table.add_row(
                row["plan"] if is_first else "",
                f"{row['days']:.0f} days",
                f"{row['expected']:.{digits}f}",
                f"{row['low']:.{digits}f} to {row['high']:.{digits}f}",
            )
        note = Text(
            f"Expected if the plan is kept to. {ADJUSTED}\n"
            "Intervals contain the value of 90 of 100 such patients, not the difference between "
            f"two plans. {self.checked}\n"
            f"Learned from: {self.learned_from}",
            "dim",
        )
        return Group(*self.notes, table, note)


def compare_plans(
    model: str | Path | Artifact, patient: Patient, plan_file: str | Path
) -> PlanComparison:
    """The patient's value under each plan of the file, from the last measurement on."""
    loaded = as_artifact(model)
    horizon = plans_of(loaded).trajectories.horizon
    formulary = loaded.study.formulary
    plans = read_plans(Path(plan_file), formulary, horizon)
    now, notes = _read(loaded, patient)
    found = predict_plans(now, plans, formulary)
    return PlanComparison(
        value=now.model.value,
        unit=now.model.unit,
        last_value=now.last_value,
        step_days=now.model.grid.step_days,
        plans=plans,
        mean=found.mean,
        low=found.low,
        high=found.high,
        notes=(*notes, *_rare_options(now.model, plans, formulary.names)),
        digest=loaded.digest,
        learned_from=learned_words(now.model),
        checked=checked_words(now.model),
    )


def _rare_options(model: PlanModel, plans: tuple[Plan, ...], names: tuple[str, ...]) -> list[Text]:
    """A sentence about each planned option that few training patients took."""
    planned = {step.option for plan in plans for step in plan.steps}
    return [
        Text(
            f"{name}: only {count} training patients took it; what it does to {model.value} is "
            "hardly known.",
            "yellow",
        )
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
    formulary = loaded.study.formulary
    now, _ = _read(loaded, patient)
    current, horizon = now.current_step(formulary), now.model.trajectories.horizon
    plans = suggest_plans(formulary, current, horizon)
    remarks = (NOTHING_TO_STOP,) if current.option == NO_OPTION else ()
    learned = now.model
    notes = PlanNotes(learned.value, learned.unit, learned.grid.step_days, horizon, remarks)
    write_whole(Path(path), plans_to_json(plans, formulary, notes))
    return PlanTemplate(plans, remarks)


def write_comparison(result: PlanComparison, path: str | Path) -> None:
    """Write the comparison as JSON."""
    write_whole(Path(path), json.dumps(result.to_json(), indent=1) + "\n")


def _read(model: Artifact, patient: Patient) -> tuple[PatientNow, tuple[Text, ...]]:
    """The patient, and remarks about the reading."""
    learned = plans_of(model)
    history, reading = encode(model, patient)
    if reading.required:
        raise RecordError(" ".join((*reading.required, "Enter it and ask again.")))
    return patient_now(learned, history), tuple(reading_lines(reading))
