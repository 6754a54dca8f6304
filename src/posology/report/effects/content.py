"""What the effect page is made of: the results it reports, and its sections ready to print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from posology.domain.study import Study
from posology.evaluation.arms.baseline import BaselineRow
from posology.evaluation.arms.event_curves import EventCurves
from posology.evaluation.arms.raw_outcomes import RawOutcome
from posology.evaluation.effects.effect_study import EffectStudy
from posology.evaluation.effects.overlap import ExcludedComparison
from posology.evaluation.off_policy.trajectory_value import TrajectoryValue
from posology.report.inline_figure import InlineFigure
from posology.report.tripod import TripodItem


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One line of the flow from the records to the analysis (CONSORT 2010, item 13)."""

    text: str
    count: str
    is_loss: bool = False
    """Whether the count is of those left out."""


@dataclass(frozen=True, slots=True, eq=False)
class RawData:
    """The analysis population by arm, before any adjustment."""

    decisions: int
    patients: int
    baseline: tuple[BaselineRow, ...]
    outcome: RawOutcome | None
    """Share with the good outcome; None where the outcome is a time."""
    number: RawOutcome | None = None
    """The number that was measured, where the outcome is one."""
    curves: EventCurves | None = None
    """Where the outcome is a time."""
    harms: Mapping[str, RawOutcome] = field(default_factory=dict)
    """By name of the harm; those that are yes or no."""


@dataclass(frozen=True, slots=True, eq=False)
class EffectContent:
    """The results that the page reports. Texts are escaped; none may identify a patient."""

    study: Study
    results: EffectStudy
    estimand: str
    """What is estimated, in one sentence."""
    evidence: str
    """What kind of data this is, and how it is analysed."""
    warnings: tuple[str, ...]
    """What a reader must know about how the cohort was made."""
    flow: tuple[FlowStep, ...]
    raw: RawData
    excluded: tuple[ExcludedComparison, ...]
    """Patients left out against those analysed, in readable units."""
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
    plots: tuple[str, ...] = ()
    """An SVG for each row, shown in a last column (report/effects/forest.py)."""
    axis: str = ""
    """SVG of the axis of that column."""
    wraps: bool = False
    """Whether cells may wrap, for a table of many columns."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Details that are folded until a reader opens them."""

    summary: str
    paragraphs: tuple[str, ...] = ()
    figures: tuple[InlineFigure, ...] = ()
    tables: tuple[SectionTable, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the page."""

    id: str
    short_title: str
    """For the navigation bar."""
    title: str
    paragraphs: tuple[str, ...]
    flow: tuple[FlowStep, ...] = ()
    curves: str = ""
    """SVG of Kaplan-Meier curves."""
    tables: tuple[SectionTable, ...] = ()
    folds: tuple[Fold, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class EffectPage:
    """The variables of the page's template."""

    study: Study
    is_saved_policy: bool
    is_randomised: bool
    headline: str
    notes: tuple[str, ...]
    """Sentences of the verdict after its first."""
    estimand: str
    caution: str
    evidence: str
    warnings: tuple[str, ...]
    sections: tuple[Section, ...]
    methods: tuple[str, ...]
    references: tuple[str, ...]
    covariates: tuple[str, ...]
    items: tuple[TripodItem, ...]
    n_reported: int
    """TRIPOD+AI items that the page reports itself."""
    footer: tuple[tuple[str, str], ...]
