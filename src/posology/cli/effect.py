"""`posology effect`: what each option brings, and whether choosing by the patient adds to it."""

import time
from pathlib import Path
from typing import Annotated

import typer


def effect(
    study: Annotated[
        str, typer.Argument(help="A cohort's folder, or a study file or name with --events.")
    ],
    events: Annotated[
        Path | None, typer.Option(help="MEDS events, where the study is not a cohort's folder.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report here, as HTML.")] = None,
    most: Annotated[
        int, typer.Option(help="Decisions at most; beyond, patients are drawn at random.")
    ] = 20_000,
    again: Annotated[
        int, typer.Option(help="How often the rule is learned anew on other folds, for stability.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="The same seed gives the same result.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every figure here as JSON.")
    ] = None,
) -> None:
    """Average effect of each option, and what personalising gains over the best single one.

    Every patient is judged by a rule learned from the others. The first line is the verdict.
    """
    import numpy as np

    from posology.cli.effect_report import page, rows_of
    from posology.cli.effect_run import run, say
    from posology.cli.measures import write_measures
    from posology.cli.progress import CONSOLE, bars, one_thread
    from posology.cli.read_cohort import read_cohort
    from posology.report.effects.page import write_effect_report

    started = time.perf_counter()
    one_thread()
    cohort = read_cohort(study, events)
    with bars() as progress:
        task = progress.add_task("effects", total=None, said="")

        def told(what: str) -> None:
            progress.update(task, said=what)

        judged = run(cohort, most, again, np.random.default_rng(seed), told)
    say(judged)
    if report is not None:
        write_effect_report(page(cohort, judged, seed), report)
        CONSOLE.print(f"Report: [bold]{report}[/]")
    if json_file is not None:
        write_measures(json_file, rows_of(cohort.study.name, judged), started, seed)
