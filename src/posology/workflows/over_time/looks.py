"""The gate's plan that a registry keeps, and the looks that it has had."""

from posology.lifecycle.gate.plan import GatePlan, Look, read_plan
from posology.lifecycle.registry.history import JUDGE, PLAN
from posology.lifecycle.registry.state import Registry

COUNTED = "counted"
"""Whether a look spent its level: not where too few patients could be judged."""


def plan_of(registry: Registry | None) -> GatePlan:
    """The plan that the registry keeps; the default one without any."""
    entries = () if registry is None else registry.entries
    plans = [entry for entry in entries if entry.action == PLAN]
    return read_plan(dict(plans[-1].details["settings"])) if plans else GatePlan()


def looks_of(registry: Registry) -> list[Look]:
    """The looks that the registry's last plan has had."""
    looks: list[Look] = []
    for entry in registry.entries:
        if entry.action == PLAN:
            looks = []
        elif entry.action == JUDGE and entry.details.get(COUNTED, True):
            looks.append(Look(entry.details["alpha"], entry.details["showed_gain"]))
    return looks
