"""`posology cohort`: a study and events become decisions, counted before anything is built."""

import json
from pathlib import Path
from typing import Annotated

import typer


def cohort(
    study: Annotated[str, typer.Argument(help="A study file, or a study that ships (clinic).")],
    events: Annotated[Path, typer.Argument(help="A MEDS folder, or a Parquet file of events.")],
    out: Annotated[Path | None, typer.Option(help="A new folder for the cohort.")] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Count who would be in it, and build nothing, also with --out."
        ),
    ] = False,
    truth: Annotated[
        Path | None,
        typer.Option(help="A simulator's truth folder, to evaluate against; never a feature."),
    ] = None,
    parts: Annotated[
        Path | None,
        typer.Option(
            help="A folder that keeps what each file of events gave: files that did not change "
            "are not decided again next time."
        ),
    ] = None,
    rows: Annotated[
        int, typer.Option(help="Events that a core holds at once; bounds memory.")
    ] = 2_000_000,
    workers: Annotated[
        int, typer.Option(help="Cores, a file of events each; 0: all there are, up to four.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the flow as JSON.")] = False,
) -> None:
    """Build a study's cohort: who, when, what was given, what came of it, and what was known.

    The flow (n at each step with the reason), arms, outcome rates and follow-up are printed.
    """
    from joblib import cpu_count

    from posology.cli.progress import CONSOLE, bars
    from posology.cohorts.storage import folder
    from posology.cohorts.storage.arrays import load_flow
    from posology.cohorts.study.reader import read_study
    from posology.errors import UserError

    asked = read_study(study)
    if not dry_run and out is None:
        raise UserError("posology cohort: give --out, a new folder, or --dry-run.")
    if parts is not None and dry_run:
        raise UserError("posology cohort: --parts goes with --out; a dry run keeps nothing.")
    with bars() as progress:
        task = progress.add_task("deciding", total=None, said="")

        def tell(done: int, files: int) -> None:
            progress.update(task, completed=done, total=files, said=f"{done} of {files} files")

        how = folder.Asked(rows, truth, parts, workers or min(4, cpu_count()), tell)
        if dry_run or out is None:
            flow = folder.dry_run(asked, events, how)
        else:
            folder.build_folder(asked, events, out, how)
            flow = load_flow(out)
    if as_json:
        typer.echo(json.dumps(flow, indent=1))
        return
    _show(flow)
    if dry_run:
        CONSOLE.print("Nothing was built: this was a dry run.")
    else:
        CONSOLE.print(f"Cohort saved in {out}\nNext: posology fit {out} --out model")


def _show(flow: dict) -> None:
    from rich.table import Table

    from posology.cli.progress import CONSOLE

    steps = Table(
        "", "decisions", "left", title=f"Study {flow['study']}: from records to decisions"
    )
    told = flow["flow"]
    steps.add_row("subjects in the records", "", f"{told['subjects']:,} subjects")
    steps.add_row(
        "with a point of decision", f"{told['decision_points']:,}",
        f"{told['subjects_with_a_decision_point']:,} subjects",
    )  # fmt: skip
    for loss in told["left_out"]:
        steps.add_row(f"left out: {loss['reason']}", f"-{loss['decisions']:,}", f"{loss['left']:,}")
    steps.add_row(
        "in the study", f"{told['decisions']:,}", f"{told['decisions_subjects']:,} subjects"
    )
    CONSOLE.print(steps)
    arms = Table("option", "decisions", "followed to the end", "effective", "median dose")
    for arm in (*flow["arms"], flow["outcome"]):
        rate, dose = arm["effective"], arm["dose_median"]
        arms.add_row(
            arm["name"], f"{arm['decisions']:,}", f"{arm['complete']:,}",
            "-" if rate is None else f"{rate:.1%}", "-" if dose is None else f"{dose:g}",
        )  # fmt: skip
    CONSOLE.print(arms)
    watched = flow["follow_up"]
    low, middle, high = (
        "-" if days is None else f"{days:,.0f}" for days in watched["days_quartiles"]
    )
    parts = ", ".join(f"{n:,} {name}" for name, n in flow["split"].items())
    CONSOLE.print(
        f"Followed {middle} days (quartiles {low} to {high}); {watched['incomplete']:,} decisions "
        f"not to the end of their window: kept, and marked.\nSplit: {parts}."
    )
