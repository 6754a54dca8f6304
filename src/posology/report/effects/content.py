"""What the effect page is made of: the results it reports, and its sections ready to print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from posology.domain.study import Study
from posology.evaluation.effects.effect_study import EffectStudy
from posology.evaluation.off_policy.trajectory_value import TrajectoryValue
from posology.report.svg import InlineFigure
from posology.report.tripod import TripodItem


@dataclass(frozen=True, slots=True, eq=False)
class EffectContent:
    """The results that the page reports. Texts are escaped; none may identify a patient."""

    study: Study
    results: EffectStudy
    evidence: str
    """Number of patients and decisions, and how many have complete follow-up."""
    covariates: tuple[str, ...]
    """All covariates: the effects are valid only if there is no other confounder."""
    unit: str
    is_binary: bool
    """Whether the outcome is a probability."""
    propensity_model: str
    """Name of the propensity model that was selected."""
    is_saved_policy: bool = False
    """Whether the rule is a saved policy; False: it was learned from the same cohort."""
    trajectory_value: TrajectoryValue | None = None
    """Value of a saved policy over whole trajectories, if later decisions count."""
    learning: tuple[tuple[str, Sequence[Mapping[str, int | float]]], ...] = ()
    """Of a saved policy: (phase, epochs), as in `report.plots.learning_figures`."""
    footer: tuple[tuple[str, str], ...] = ()
    """(label, value): version, command, date."""


@dataclass(frozen=True, slots=True)
class SectionTable:
    """A table of a section; without heads, each row is a label and a text."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the page."""

    id: str
    short_title: str
    """For the navigation bar."""
    title: str
    paragraphs: tuple[str, ...]
    figures: tuple[InlineFigure, ...] = ()
    tables: tuple[SectionTable, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class EffectPage:
    """The variables of the page's template."""

    study: Study
    headline: str
    notes: tuple[str, ...]
    """Sentences of the verdict after its first."""
    caution: str
    evidence: str
    sections: tuple[Section, ...]
    methods: tuple[str, ...]
    references: tuple[str, ...]
    covariates: tuple[str, ...]
    items: tuple[TripodItem, ...]
    n_reported: int
    """TRIPOD+AI items that the page reports itself."""
    footer: tuple[tuple[str, str], ...]
