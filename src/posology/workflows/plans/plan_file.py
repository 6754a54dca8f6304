"""The file of plans: for each a name, and an option with its dose in every step."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posology.domain.formulary import Formulary, Treatment
from posology.errors import UserError
from posology.records.io.documents import parse_json

NO_OPTION = "none"
_EXPECTED = (
    'a file of plans is {"plans": [{"name": "...", "steps": [{"option": "...", "dose": ...}]}]}; '
    "write one with: posology predict MODEL PATIENT --write-plan FILE"
)


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """What is taken until the next visit."""

    option: str
    """Name of an option of the study, or `none`."""
    dose: float | None = None
    """In the option's unit; None: its largest."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One sequence of treatments."""

    name: str
    steps: tuple[PlannedStep, ...]


def read_plans(path: Path, formulary: Formulary, horizon: int) -> tuple[Plan, ...]:
    """The plans of a file; UserError names the plan, the step and the field."""
    try:
        body = parse_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {_EXPECTED}.") from error
    except ValueError as error:
        raise UserError(f"{path}: is not JSON ({error}); {_EXPECTED}.") from error
    listed = body.get("plans") if isinstance(body, dict) else None
    if not isinstance(listed, list) or not listed:
        raise UserError(f'{path}: has no list "plans"; {_EXPECTED}.')
    return tuple(
        _plan(item, f"{path}: plan {i + 1}", formulary, horizon) for i, item in enumerate(listed)
    )


def _plan(item: Any, place: str, formulary: Formulary, horizon: int) -> Plan:
    steps = item.get("steps") if isinstance(item, dict) else None
    if not isinstance(steps, list) or not steps:
        raise UserError(f'{place}: has no list "steps"; {_EXPECTED}.')
    if len(steps) > horizon:
        raise UserError(f"{place}: has {len(steps)} steps; the model goes {horizon} steps ahead.")
    name = str(item.get("name") or place.rpartition(": ")[2])
    return Plan(
        name, tuple(_step(s, f"{place}, step {i + 1}", formulary) for i, s in enumerate(steps))
    )


def _step(item: Any, place: str, formulary: Formulary) -> PlannedStep:
    names = (*formulary.names, NO_OPTION)
    option = item.get("option") if isinstance(item, dict) else None
    if option not in names:
        raise UserError(f'{place}: "option" is {option!r}; it is one of {", ".join(names)}.')
    dose = item.get("dose")
    if dose is None or option == NO_OPTION:
        return PlannedStep(option)
    limits = formulary.treatments[formulary.names.index(option)].dose
    if isinstance(dose, bool) or not isinstance(dose, int | float):
        raise UserError(f'{place}: "dose" is {dose!r}; it is a number, or left out.')
    if limits is None:
        raise UserError(f'{place}: {option} has no dose in the study; leave "dose" out.')
    if not limits.low <= dose <= limits.high:
        raise UserError(
            f'{place}: "dose" is {dose:g}; {option} is {limits.low:g} to {limits.high:g} '
            f"{limits.unit}."
        )
    return PlannedStep(option, float(dose))


def suggest_plans(formulary: Formulary, current: PlannedStep, horizon: int) -> tuple[Plan, ...]:
    """Continue, stop, and switch to each other option at its largest dose."""
    none = PlannedStep(NO_OPTION)
    plans = [Plan("continue", (current,) * horizon)]
    if current.option != NO_OPTION:
        plans.append(Plan("stop", (none,) * horizon))
    for option in formulary.treatments:
        if option.name != current.option:
            dose = None if option.dose is None else option.dose.high
            step = PlannedStep(option.name, dose)
            plans.append(Plan(f"switch to {option.name}", (step,) * horizon))
    return tuple(plans)


@dataclass(frozen=True, slots=True)
class PlanNotes:
    """What a file of plans says of itself to its reader; ignored when the file is read."""

    value: str
    unit: str
    step_days: float
    most_steps: int
    remarks: tuple[str, ...] = ()


def plans_to_json(plans: tuple[Plan, ...], formulary: Formulary, notes: PlanNotes) -> str:
    """The text of a file of plans, with the keys that explain it."""
    listed = [
        {
            "name": plan.name,
            "steps": [
                {"option": s.option} | ({} if s.dose is None else {"dose": s.dose})
                for s in plan.steps
            ],
        }
        for plan in plans
    ]
    explained = {
        "value": f"{notes.value}, {notes.unit}",
        "step": f"{notes.step_days:.0f} days; at most {notes.most_steps} steps",
        "options": {t.name: _option_words(t) for t in formulary.treatments}
        | {NO_OPTION: "none of them"},
        "remarks": list(notes.remarks),
    }
    body = {"about": "Only the plans are read.", **explained, "plans": listed}
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def _option_words(option: Treatment) -> str:
    """The option's title and its doses."""
    if option.dose is None:
        return f"{option.title}; without a dose"
    return f"{option.title}; dose {option.dose.low:g} to {option.dose.high:g} {option.dose.unit}"
