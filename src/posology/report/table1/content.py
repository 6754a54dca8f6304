"""What a report says, before it is laid out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from posology.domain.cohort import Cohort
from posology.domain.study import Study
from posology.evaluation.table1.calibration import Calibration
from posology.evaluation.table1.comparison import Table1
from posology.evaluation.table1.predictions import Predictions
from posology.evaluation.table1.subgroups import SubgroupRow


@dataclass(frozen=True, slots=True)
class CaseOption:
    """One option of a case, in the order recommended."""

    name: str
    probability: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CaseStudy:
    """One real patient without anything that identifies them."""

    title: str
    """What the case shows, such as `A genotype that halves the dose`."""
    facts: tuple[tuple[str, str], ...]
    """(label, value): what was known at the decision, and what was not."""
    options: tuple[CaseOption, ...]
    dose: str
    """The dose recommended, with its unit and spread; empty where none is asked."""
    truth: str
    """What proved right."""
    reasons: tuple[str, ...]
    """Counterfactual sentences: what the answer would have been without which input."""


@dataclass(frozen=True, slots=True, eq=False)
class ReportContent:
    """All that a report says; every text is escaped, none may identify a patient."""

    study: Study
    cohort: Cohort
    """The decisions of Table 1."""
    answers: Mapping[str, Predictions]
    table: Table1
    evidence: str
    """On whom it was measured: patients, sites, years."""
    calibration: tuple[Calibration, ...] = ()
    """Of the reference."""
    groups: tuple[SubgroupRow, ...] = ()
    """Of the reference, for any metrics."""
    further: tuple[Table1, ...] = ()
    """The same table on other splits, such as sites held out."""
    learning: tuple[tuple[str, Sequence[Mapping[str, int | float]]], ...] = ()
    """(phase, one dict an epoch): `epoch`, and `train_x`, `validation_x` for any quantities x."""
    cases: tuple[CaseStudy, ...] = ()
    methods: tuple[str, ...] = ()
    """How the models were made; how they were judged is told by the page itself."""
    references: tuple[str, ...] = ()
    """Sources beside the evaluation's own."""
    attribution: str = ""
    """Whose data, under which licence."""
    refused: tuple[tuple[str, int], ...] = ()
    """(reason, how many): rows of the source that are not in the cohort."""
    footer: tuple[tuple[str, str], ...] = ()
    """(label, value): version, model hash, command, date."""
