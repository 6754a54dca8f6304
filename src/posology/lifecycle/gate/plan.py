"""The gate's plan: what a challenger must show, and the chance of ever approving a bad one."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from posology.errors import UserError


@dataclass(frozen=True, slots=True)
class GatePlan:
    """Settings that are fixed before the first look, and kept in the registry.

    The defaults are our choices. Values are in the unit of the study's outcome: 0.01 is one
    percentage point of patients for whom the option is effective.
    """

    alpha: float = 0.05
    """Chance, over all looks together, of ever approving a challenger that is not better."""
    looks: int = 120
    """Looks among which `alpha` is divided: once a month for ten years."""
    least_gain: float = 0.0
    """The lower bound of the gain over the champion must be above this."""
    calibration_margin: float = 0.03
    """Largest root mean square error of predicted probabilities, in ten groups, that may be added
    to the champion's."""
    harm_margin: float = 0.01
    """Largest increase of the risk of a harm that is not excluded."""
    unknown_margin: float = 0.01
    """Largest increase of the share of patients who get an option of which a rule is unknown."""
    coverage_margin: float = 0.05
    """How far the coverage of intervals may lie below what they state."""
    patients: int = 200
    """Fewest fresh patients on whom anything is judged."""
    judge_share: float = 0.15
    """Share of new patients, by a stable hash, from whom nothing is ever learned."""


def check_plan(plan: GatePlan) -> GatePlan:
    """The same plan; UserError names the first setting that is out of its range."""
    for name, low, high in (
        ("alpha", 1e-6, 0.2),
        ("looks", 1, 10_000),
        ("least_gain", 0.0, 1e9),
        ("calibration_margin", 0.0, 0.2),
        ("harm_margin", 0.0, 0.2),
        ("unknown_margin", 0.0, 0.2),
        ("coverage_margin", 0.0, 0.2),
        ("patients", 50, 10**9),
        ("judge_share", 0.01, 0.9),
    ):
        value = getattr(plan, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError(f"gate, {name}: is {value!r}; write a number.")
        if not low <= value <= high:  # also where it is NaN
            raise UserError(f"gate, {name}: is {value}; write a number from {low:g} to {high:g}.")
        if name in ("looks", "patients") and not isinstance(value, int):
            raise UserError(f"gate, {name}: is {value}; write a whole number.")
    return plan


def read_plan(values: dict[str, Any]) -> GatePlan:
    """The plan of JSON values; UserError for an unknown one."""
    known = {field.name for field in fields(GatePlan)}
    for name in values:
        if name not in known:
            raise UserError(f"gate, {name}: unknown setting; it knows {', '.join(sorted(known))}.")
    return check_plan(GatePlan(**values))


@dataclass(frozen=True, slots=True)
class Look:
    """One earlier look: the level it was made at, and whether it showed a gain."""

    alpha: float
    showed_gain: bool


def next_alpha(plan: GatePlan, looks: Sequence[Look]) -> float:
    """Level of the next look; 0 once the plan's looks are used up.

    Online fallback (Tian and Ramdas 2021, Stat Methods Med Res 30:976,
    doi:10.1177/0962280220983381): each look has an equal part of alpha, and one that showed a gain
    hands its level on to the next. The chance that any look ever approves a challenger that is not
    better is at most alpha, however the looks depend on one another: they may judge the same
    patients again.
    """
    if len(looks) >= plan.looks:
        return 0.0
    handed_on = looks[-1].alpha if looks and looks[-1].showed_gain else 0.0
    return min(plan.alpha / plan.looks + handed_on, plan.alpha)
