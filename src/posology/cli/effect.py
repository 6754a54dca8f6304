"""`posology effect`: the effect of each option, and whether choosing by the patient adds to it."""

import time
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import (
    Events,
    JsonFile,
    ReportFile,
    Seed,
    ShareFile,
    ShareFrom,
    StudyOrCohort,
)


def effect(
    study: StudyOrCohort,
    events: Events = None,
    report: ReportFile = None,
    max_decisions: Annotated[
        int,
        typer.Option(help="Use at most this many decisions; above it, sample patients at random."),
    ] = 20_000,
    repeats: Annotated[
        int,
        typer.Option(
            help="Learn the rule again on so many other splits; its values are means over all, "
            "and how far they differ counts in the interval of its gain."
        ),
    ] = 1,
    seed: Seed = 0,
    json_file: JsonFile = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            help="A policy fitted in another hospital, to be judged on all patients here."
        ),
    ] = None,
    share: ShareFile = None,
    share_from: ShareFrom = 5,
) -> None:
    """Estimate the average effect of each option, and the gain from choosing by the patient.

    Each patient is evaluated by a rule learned from other patients. The first line is the verdict.
    """
    from dataclasses import replace

    from posology import artifact
    from posology.cli.progress import CONSOLE, show_progress, use_one_thread
    from posology.workflows.cohorts import read_cohort, read_flow

    started = time.perf_counter()
    with show_progress("effects") as progress:
        progress("reading the cohort")
        cohort = read_cohort(study, events)
        elsewhere = None if policy is None else artifact.load(policy)
        use_one_thread()
        # What takes seconds to import comes after what the user may have mistyped.
        from posology.workflows.effect_study import effect_study
        from posology.workflows.pooling.share import share_effects
        from posology.workflows.results import write_measurements

        result = effect_study(cohort, max_decisions, repeats, seed, progress, elsewhere)
    result = replace(result, records=read_flow(study))
    CONSOLE.print(result)
    if report is not None:
        result.report(report)
        CONSOLE.print(f"Report: {report}")
    if json_file is not None:
        write_measurements(json_file, result.rows, started, seed)
    if share is not None:
        CONSOLE.print(share_effects(result, share, share_from))
