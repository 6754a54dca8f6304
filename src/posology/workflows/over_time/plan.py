"""The gate's plan of a registry: read it, set a new one, describe it as a change control plan."""

import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table

import posology
from posology.errors import UserError
from posology.lifecycle.change_control_plan import PlanSubject, describe_plan
from posology.lifecycle.gate.plan import GatePlan, read_plan
from posology.lifecycle.registry.changes import Author
from posology.lifecycle.registry.history import PLAN, Entry, append_entry
from posology.lifecycle.registry.state import Registry, read_registry
from posology.workflows.over_time.looks import looks_of, plan_of


@dataclass(frozen=True, slots=True)
class PlanResult:
    """The gate's plan of a registry, and the document that describes it."""

    plan: GatePlan
    looks: int
    """Looks that it has had."""
    document: str
    """Predetermined change control plan, in Markdown."""

    def to_json(self) -> dict[str, Any]:
        """The settings and the looks so far."""
        return {"settings": asdict(self.plan), "looks": self.looks}

    def __rich__(self) -> Group:
        table = Table("setting", "value")
        for name, value in asdict(self.plan).items():
            table.add_row(name, f"{value:g}")
        return Group(table, f"Looks so far: {self.looks:,} of {self.plan.looks:,}.")


def show_plan(folder: Path) -> PlanResult:
    """The plan of a registry; the default one before its first look."""
    registry = read_registry(folder)
    return _result(registry, plan_of(registry), len(looks_of(registry)))


def set_plan(folder: Path, settings: Path, author: Author) -> PlanResult:
    """Begin a new plan from a TOML file of settings; its looks are counted from 0.

    A plan that has had a look is only replaced with a reason: a new one is a new chance of
    approving a bad model.
    """
    registry = read_registry(folder)
    try:
        values = tomllib.loads(settings.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{settings}: cannot be read as TOML ({error}).") from error
    plan = read_plan(values)
    if looks_of(registry) and not author.reason:
        raise UserError(
            f"{folder}: the plan has had {len(looks_of(registry))} looks, and a new one begins a "
            "new chance of approving a bad model; give a --reason, which the history keeps."
        )
    entry = Entry(PLAN, "", author.by, author.reason, {"settings": asdict(plan)})
    if not author.dry_run:
        append_entry(folder, entry, len(registry.entries))
    return _result(registry, plan, 0)


def _result(registry: Registry, plan: GatePlan, looks: int) -> PlanResult:
    known = list(registry.versions.values())
    details = known[-1].details if known else {}
    subject = PlanSubject(
        study=str(details.get("study", "")),
        study_hash=str(details.get("study_hash", "")),
        champion=registry.champion,
        posology=posology.__version__,
    )
    return PlanResult(plan, looks, describe_plan(plan, subject))
