"""The predetermined change control plan of a registry, from the gate's settings.

Its three parts are those of FDA's guidance on predetermined change control plans for device
software functions with artificial intelligence (December 2024): description of modifications,
modification protocol, impact assessment. It is a draft for people who know the device; what only
they can say is marked in the template, `change_control_plan.md`.
"""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from posology.lifecycle.gate.judge import GROUP_LEVEL, MIN_GROUP, SIDE_LEVEL
from posology.lifecycle.gate.plan import GatePlan

_TEMPLATE = Path(__file__).with_suffix(".md")


@dataclass(frozen=True, slots=True)
class PlanSubject:
    """What the plan is about."""

    study: str
    """Name of the study."""
    study_hash: str
    champion: str
    """Digest of the version in use; empty before the first."""
    posology: str
    """Version of posology."""


def describe_plan(plan: GatePlan, subject: PlanSubject) -> str:
    """The document, in Markdown."""
    template = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    return template.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        study=subject.study,
        study_hash=subject.study_hash[:16],
        champion=subject.champion[:16] or "none yet",
        posology=subject.posology,
        judge_share=f"{plan.judge_share:.0%}",
        patients=f"{plan.patients:,}",
        least_gain=f"{plan.least_gain:g}",
        unknown_margin=f"{plan.unknown_margin:.1%}",
        calibration_margin=f"{plan.calibration_margin:g}",
        coverage_margin=f"{plan.coverage_margin:.0%}",
        harm_margin=f"{plan.harm_margin:g}",
        alpha=f"{plan.alpha:.0%}",
        looks=f"{plan.looks:,}",
        each=f"{plan.alpha / plan.looks:.2g}",
        side=f"{1 - SIDE_LEVEL:.0%}",
        group_level=f"{GROUP_LEVEL:.0%}",
        min_group=str(MIN_GROUP),
    )
