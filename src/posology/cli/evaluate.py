"""`posology evaluate`: a saved policy and its baselines, on patients that no model has seen."""

import time
from typing import Annotated

import typer

from posology.cli.options import (
    Events,
    JsonFile,
    ModelFolder,
    ReportFile,
    Seed,
    ShareFile,
    ShareFrom,
    StudyOrCohort,
)


def evaluate(
    model: ModelFolder,
    study: StudyOrCohort,
    events: Events = None,
    report: ReportFile = None,
    max_decisions: Annotated[
        int,
        typer.Option(
            help="Where no truth is known: use at most this many decisions outside the test split "
            "to learn propensities and outcomes; above it, sample patients at random."
        ),
    ] = 20_000,
    gate: Annotated[
        bool,
        typer.Option(
            help="Judge whether the advantage over usual care is shown; exit with 3 if it is not."
        ),
    ] = False,
    baselines: Annotated[
        bool | None,
        typer.Option(
            "--baselines/--no-baselines",
            help="Fit classical models to compare with; by default unless with --gate, which "
            "judges against usual care and guidelines only.",
        ),
    ] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<name=file>",
            help="Another program's predictions of the test decisions, a CSV or Parquet file, as "
            "a row beside the others; may be repeated (docs/exchange.md).",
        ),
    ] = None,
    seed: Seed = 0,
    json_file: JsonFile = None,
    share: ShareFile = None,
    share_from: ShareFrom = 5,
) -> None:
    """Evaluate a policy on the test split, next to guidelines, classical models and usual care.

    Where the most effective option is known (from the outcome itself or from a simulator):
    accuracy, dose error and reward. Where records hold one outcome per decision: the doubly robust
    value of following the policy, with the verdict in the first line; where the study counts later
    decisions, also the value of whole trajectories. With --gate, the exit code is 0 if everything
    that is required of a policy is shown, and 3 if not; the reasons are in --json.
    """
    from posology import artifact
    from posology.cli.progress import CONSOLE, show_progress, use_one_thread
    from posology.workflows.cohorts import read_cohort
    from posology.workflows.exchange.predictions import read_named_predictions

    started = time.perf_counter()
    loaded, cohort = artifact.load(model), read_cohort(study, events)
    others = read_named_predictions(beside or [], cohort)
    use_one_thread()
    # What takes seconds to import comes after what the user may have mistyped.
    from posology.evaluation.gate.advantage import describe_gate
    from posology.evaluation.gate.requirement import GATE_CLOSED
    from posology.workflows.evaluate import evaluate as run
    from posology.workflows.gate.judge import judge
    from posology.workflows.policy_value import Comparators
    from posology.workflows.pooling.share import share_evaluation
    from posology.workflows.results import write_measurements

    comparators = Comparators(not gate if baselines is None else baselines, others)
    with show_progress("evaluate") as progress:
        result = run(loaded, cohort, max_decisions, seed, progress, comparators)
    CONSOLE.print(result)
    verdict = judge(result, loaded.policy, seed) if gate else None
    if verdict is not None:
        CONSOLE.print(describe_gate(verdict, CONSOLE.width), highlight=False, markup=False)
    if report is not None:
        result.report(report)
        CONSOLE.print(f"Report: {report}")
    if json_file is not None:
        more = {} if verdict is None else verdict.to_json()
        write_measurements(json_file, result.rows, started, seed, more)
    if share is not None:
        CONSOLE.print(share_evaluation(result, share, share_from))
    if verdict is not None and not verdict.is_open:
        raise typer.Exit(GATE_CLOSED)
