"""The demo: from the records of real warfarin patients to a policy, its evaluation and a report."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from rich.console import Group

from posology import artifact
from posology.cohorts.build import build_cohort
from posology.cohorts.study.reader import read_study
from posology.datasets import iwpc
from posology.domain.cohort import TEST, TRAIN, VALIDATION, select_split
from posology.evaluation.table1.comparison import Table1, compare_models, to_rows
from posology.evaluation.table1.predictions import predict_cohort
from posology.learners import baselines
from posology.report.table1.terminal import render_table1
from posology.workflows.demo_report import DemoFigures, write_demo_report
from posology.workflows.dose_intervals import dose_coverage_rows, measure_dose_spread
from posology.workflows.learning_curves import to_learning_curves
from posology.workflows.progress import Progress, no_progress, run_epochs
from posology.workflows.results import Row, render_text, rows_to_table


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
    policies, curves = {}, {}
    networks = baselines.networks(
        train,
        validation,
        seed,
        lambda fitting, title, epochs: run_epochs(fitting, title, epochs, progress),
    )
    for name, (policy, curve) in networks.items():
        policies[name], curves[name] = policy, curve
    for name, make in baselines.baselines(train, validation):
        progress(f"baseline: {name}")
        policies[name] = make()
    progress("predictions of every model, 2,000 resamples")
    predictions = {name: predict_cohort(policy, test) for name, policy in policies.items()}
    table = compare_models(predictions, test, np.random.default_rng(seed))
    model = _new_folder(Path(folder) / "model")
    spread = measure_dose_spread(policies["posology"], validation)
    ours = {name: curve for name, curve in curves.items() if name != "posology_paper"}
    evidence = {"data": "IWPC", "split": "test", "seed": seed, "table": to_rows(table), **spread}
    evidence["learning"] = to_learning_curves(ours)
    artifact.save(policies["posology"], study, evidence, model)
    figures = DemoFigures(artifact.load(model), predictions, table, curves, seed)
    report_path = Path(folder) / "report.html"
    write_demo_report(report_path, data, test, figures)
    coverage = dose_coverage_rows(predictions["posology"].dose, test, spread.get("dose_spread"))
    rows = [*to_rows(table), *coverage]
    return DemoResult(introduction, table, rows, report_path, model)


def _new_folder(folder: Path) -> Path:
    """The folder, or the first of folder-2, folder-3, ... that does not exist."""
    number = 1
    candidate = folder
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate
