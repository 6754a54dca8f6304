"""What a report on effects says, before it is laid out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from posology.domain.study import Study
from posology.evaluation.effects.effect_study import EffectStudy
from posology.evaluation.off_policy.trajectory_value import TrajectoryValue


@dataclass(frozen=True, slots=True, eq=False)
class EffectContent:
    """All that the page says; every text is escaped, none may identify a patient."""

    study: Study
    found: EffectStudy
    evidence: str
    """On whom: patients, decisions, how many were followed to the end."""
    covariates: tuple[str, ...]
    """All that was known and admitted: effects are right only if nothing else decided."""
    unit: str
    binary: bool
    propensity: str
    """The model of who was given what."""
    saved: bool = False
    """Whether the rule is a saved policy, and not one learned for this page."""
    courses: TrajectoryValue | None = None
    """Of a saved policy whose decisions earn together, what whole courses would."""
    learning: tuple[tuple[str, Sequence[Mapping[str, int | float]]], ...] = ()
    """Of a saved policy, as in `ReportContent`."""
    footer: tuple[tuple[str, str], ...] = ()
    """(label, value): version, command, date."""
