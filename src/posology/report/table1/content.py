"""What the Table 1 page is made of: the results it reports, and its sections ready to print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from posology.domain.cohort import Cohort
from posology.domain.study import Study
from posology.evaluation.table1.calibration import Calibration
from posology.evaluation.table1.comparison import Table1
from posology.evaluation.table1.predictions import Predictions
from posology.evaluation.table1.subgroups import SubgroupRow
from posology.report.inline_figure import InlineFigure


@dataclass(frozen=True, slots=True)
class CaseOption:
    """One option of a case, in the recommended order."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class CaseStudy:
    """One patient of the cohort, without anything that identifies them."""

    title: str
    """What the case shows, such as `A genotype that calls for less`."""
    facts: tuple[tuple[str, str], ...]
    """(label, value): what was known at the decision."""
    options: tuple[CaseOption, ...]
    dose: str
    """The recommended dose, with its unit and range; empty if the study has no dose."""
    truth: str
    """The correct option, as far as it is known."""
    reasons: tuple[str, ...]
    """Sentences on what each input contributed."""


@dataclass(frozen=True, slots=True)
class MemberLine:
    """What one member of a stack adds by one loss, on validation patients."""

    member: str
    loss: str
    """In words, with its unit."""
    weight: float
    alone: float
    """Loss of the member alone."""
    without: float
    """Loss of the stack without it."""


@dataclass(frozen=True, slots=True, eq=False)
class Table1Content:
    """The results that the page reports. Texts are escaped; none may identify a patient."""

    study: Study
    cohort: Cohort
    """The decisions of Table 1."""
    predictions: Mapping[str, Predictions]
    """Of each model, by its name."""
    table: Table1
    evidence: str
    """The patients, sites and years behind the figures."""
    calibration: tuple[Calibration, ...] = ()
    """Of the reference model, by option."""
    groups: tuple[SubgroupRow, ...] = ()
    """Of the reference model, for any metrics."""
    other_splits: tuple[Table1, ...] = ()
    """The same table on other splits, such as held-out sites."""
    learning: tuple[tuple[str, Sequence[Mapping[str, int | float]]], ...] = ()
    """(phase, epochs), as in `report.plots.learning_figures`."""
    members: tuple[MemberLine, ...] = ()
    """Of the reference model where it is a stack."""
    members_note: str = ""
    """Whether there is a stack, in one sentence."""
    cases: tuple[CaseStudy, ...] = ()
    methods: tuple[str, ...] = ()
    """How the models were fitted; the page itself adds how they were evaluated."""
    references: tuple[str, ...] = ()
    """Sources in addition to those of the evaluation."""
    attribution: str = ""
    """Owner and licence of the data."""
    rejected_rows: tuple[tuple[str, int], ...] = ()
    """(reason, count): rows of the source that are not in the cohort."""
    footer: tuple[tuple[str, str], ...] = ()
    """(label, value): version, model hash, command, date."""


@dataclass(frozen=True, slots=True)
class MetricHead:
    """The head of a metric's column."""

    name: str
    note: str


@dataclass(frozen=True, slots=True)
class MetricCell:
    """One model's value of one metric, and the reference's test against that model."""

    value: str
    interval: str
    is_known: bool
    is_best: bool
    verdict: str
    """CSS class; empty if there is no test."""
    mark: str
    verdict_text: str
    p: str


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model's row of Table 1."""

    name: str
    code: str
    is_reference: bool
    cells: tuple[MetricCell, ...]


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One paired test in full."""

    metric: str
    model: str
    difference: str
    interval: str
    p: str
    p_holm: str
    verdict: str
    mark: str
    verdict_text: str
    n: int


@dataclass(frozen=True, slots=True)
class Table1Block:
    """Table 1 of one split."""

    whom: str
    """Such as `300 patients, each held out once`."""
    reference: str
    heads: tuple[MetricHead, ...]
    blocks: tuple[tuple[ModelRow, ...], ...]
    """The reference and its variants, then the baselines."""
    tests: tuple[ComparisonRow, ...]


@dataclass(frozen=True, slots=True)
class CalibrationSection:
    """Calibration curves, and (option, (slope, intercept, calibration error))."""

    figure: InlineFigure
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class DoseSection:
    """Predicted against correct doses, and (model, shares by error band, mean error)."""

    figure: InlineFigure
    bands: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...], str], ...]
    unit: str


@dataclass(frozen=True, slots=True)
class ConfusionSection:
    """(correct option, ((count, share, fraction), ...) by chosen option, count of the row)."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[int, str, float], ...], int], ...]


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group's value of a metric."""

    family: str
    group: str
    counts: str
    is_estimated: bool
    value: str
    interval: str


@dataclass(frozen=True, slots=True)
class GroupSection:
    """One metric by group."""

    metric: str
    figure: InlineFigure
    rows: tuple[GroupRow, ...]


@dataclass(frozen=True, slots=True)
class CaseBar:
    """One option's probability as a bar; lengths in percent of the full bar."""

    name: str
    percent: str
    width: str


@dataclass(frozen=True, slots=True)
class CaseSection:
    """A case study with its bars."""

    case: CaseStudy
    bars: tuple[CaseBar, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Table1Page:
    """The variables of the page's template."""

    study: Study
    headline: str
    evidence: str
    tables: tuple[Table1Block, ...]
    contrasts: tuple[InlineFigure, ...]
    roc: InlineFigure | None
    calibration: CalibrationSection | None
    dose: DoseSection | None
    confusion: ConfusionSection | None
    groups: tuple[GroupSection, ...]
    learning: tuple[InlineFigure, ...]
    members: tuple[MemberLine, ...]
    members_note: str
    cases: tuple[CaseSection, ...]
    methods: tuple[str, ...]
    references: tuple[str, ...]
    attribution: str
    rejected_rows: tuple[tuple[str, int], ...]
    n_rejected: int
    footer: tuple[tuple[str, str], ...]
