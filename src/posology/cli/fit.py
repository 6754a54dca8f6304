"""`posology fit`: from a cohort to a policy."""

import time
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import (
    Events,
    Seed,
    StudyOrCohort,
    writable_file,
    writable_folder,
    writable_inside,
)


def fit(
    study: StudyOrCohort,
    events: Events = None,
    out: Annotated[
        Path, typer.Option(help="A new folder for the policy.", callback=writable_folder)
    ] = Path("model"),
    method: Annotated[
        str,
        typer.Option(
            help="How to learn the policy: stack (the network, with other models where they help "
            "on validation patients), network, effects, effects_and_doses, joint_values, "
            "recurrent_q, pessimistic_fqi, iql, cql, behaviour_cloning, tabular, "
            "logistic, forest, boosting, tuned_boosting, lightgbm, kernel, dose_ridge, "
            "dose_boosting or tuned_dose_boosting."
        ),
    ] = "stack",
    recipe: Annotated[
        str,
        typer.Option(
            help="Of the network: default, histories (for patients with long histories), paper, "
            "or a recipe file from `posology tune`."
        ),
    ] = "default",
    seed: Seed = 0,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            help="Write the learning curves, and what each member of the stack adds, to this file.",
            callback=writable_file,
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Folder for checkpoints; an interrupted run continues from it.",
            callback=writable_inside,
        ),
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="Weights from `posology pretrain` to start from.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or cuda:1; by default, the recipe's.")
    ] = None,
    evidence_decisions: Annotated[
        int,
        typer.Option(
            min=0,
            help="Decisions of the effect study that is kept for the answers of `recommend`; 0: "
            "none, and which option is better is then not answered.",
        ),
    ] = 20_000,
    plans: Annotated[
        bool,
        typer.Option(
            help="Also learn how the first [[progression]] value goes on under planned "
            "treatments, for every recommendation and for `posology predict --plan`."
        ),
    ] = False,
) -> None:
    """Fit a policy and save it; the test split is not used."""
    from posology.cli.progress import CONSOLE, show_progress, use_one_thread
    from posology.errors import UserError
    from posology.workflows.cohorts import read_cohort

    started = time.perf_counter()
    if out.exists():
        raise UserError(f"--out {out}: exists already; name a new folder.")
    cohort = read_cohort(study, events)
    use_one_thread()
    # What takes seconds to import comes after what the user may have mistyped.
    from posology.workflows.fit import NetworkSettings
    from posology.workflows.fit import fit as run
    from posology.workflows.plans.learn import learn_plans, with_plans
    from posology.workflows.results import write_measurements

    settings = NetworkSettings(recipe, resume, start, device)
    with show_progress("fit") as progress:
        if plans:
            progress("the value under plans")
        planned = learn_plans(cohort, seed) if plans else None
        result = run(cohort, method, seed, settings, progress, evidence_decisions)
    if not result.saves_result:
        return
    if planned is not None:
        result = with_plans(result, planned)
    CONSOLE.print(result, highlight=False)
    if planned is not None:
        CONSOLE.print(planned.summary(), highlight=False, markup=False)
    result.save(out)
    CONSOLE.print(f"Policy saved in {out}")
    if json_file is not None:
        write_measurements(json_file, result.rows, started, seed)
