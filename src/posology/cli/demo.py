"""`posology demo`: the whole job on 6,256 real warfarin patients, from records to report."""

import time
from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the report and the policy.")] = Path(
        "posology-demo"
    ),
    seed: Annotated[int, typer.Option(help="The same seed gives the same result.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every figure here as JSON.")
    ] = None,
) -> None:
    """Learn who needs how much warfarin, compare with rules and classical models, and report."""
    import numpy as np

    from posology import artifact
    from posology.cli.demo_report import Judged, write_demo_report
    from posology.cli.learning import learned
    from posology.cli.measures import measured_spread, spread_rows, write_measures
    from posology.cli.progress import CONSOLE, bars, one_thread, watch
    from posology.cohorts.build import build_cohort
    from posology.cohorts.study.reader import read_study
    from posology.datasets import iwpc
    from posology.domain.cohort import TEST, TRAIN, VALIDATION, part
    from posology.evaluation.table1.comparison import compare_models, to_rows
    from posology.evaluation.table1.predictions import predict_cohort
    from posology.learners.baselines import baselines, networks
    from posology.report.table1 import terminal as screen

    started = time.perf_counter()
    one_thread()
    data = iwpc.load()
    study = read_study("iwpc")
    cohort = build_cohort(data.events, study)
    train, validation, test = (part(cohort, s) for s in (TRAIN, VALIDATION, TEST))
    CONSOLE.print(
        f"{study.title}\n{len(data.subject_id):,} patients, {data.events.num_rows:,} events; "
        f"{len(data.subject_id) - len(cohort):,} without a stable dose set aside, each with its "
        f"reason.\n{len(train):,} patients to learn from, {len(validation):,} to choose by, "
        f"{len(test):,} to test on, once."
    )
    policies, curves = {}, {}
    for name, (policy, curve) in networks(train, validation, seed, watch).items():
        policies[name], curves[name] = policy, curve
    with bars() as progress:
        task = progress.add_task("baselines", total=8, said="")
        for name, make in baselines(train, validation):
            progress.update(task, advance=1, said=name)
            policies[name] = make()
        progress.update(task, said="asking every model, 2,000 resamples", completed=8)
        answers = {name: predict_cohort(policy, test) for name, policy in policies.items()}
        table = compare_models(answers, test, np.random.default_rng(seed))
    folder = _fresh(out / "model")
    rows = to_rows(table)
    spread = measured_spread(policies["posology"], validation)
    ours = {name: curve for name, curve in curves.items() if name != "posology_paper"}
    evidence = {"data": "IWPC", "split": "test", "seed": seed, "table": rows, **spread}
    evidence["learning"] = learned(ours)
    artifact.save(policies["posology"], study, evidence, folder)
    rows = [*rows, *spread_rows(answers["posology"].dose, test, spread.get("dose_spread"))]
    report = out / "report.html"
    write_demo_report(
        report, data, test, Judged(artifact.load(folder), answers, table, curves, seed)
    )
    CONSOLE.print(screen.table1(table))
    CONSOLE.print(
        f"Report: [bold]{report}[/]\nPolicy: {folder}\n"
        f"Next: posology template {folder} --out patient.json, fill it in, then "
        f"posology recommend {folder} --patient patient.json"
    )
    if json_file is not None:
        write_measures(json_file, rows, started, seed)


def _fresh(folder: Path) -> Path:
    """The folder, or the first of folder-2, folder-3, ... that does not exist: none is replaced."""
    number = 1
    candidate = folder
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate
