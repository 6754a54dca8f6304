"""`posology new`: a project folder that works, to be corrected line by line."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def new(
    name: Annotated[Path, typer.Argument(help="A new folder for the project.")],
    data: Annotated[
        str | None,
        typer.Option(help="Where the records are from: simulated, csv, omop, fhir or meds."),
    ] = None,
    path: Annotated[
        Path | None,
        typer.Option(help="The table's file (csv), or the records' folder; it stays where it is."),
    ] = None,
    question: Annotated[
        str, typer.Option(help="treatment: which option; dose: which option, and how much of it.")
    ] = "treatment",
    treatment: Annotated[
        list[str] | None,
        typer.Option(
            help="The column of the treatment given; of records, the codes of the options, one "
            "--treatment each."
        ),
    ] = None,
    outcome: Annotated[
        str | None, typer.Option(help="The column of the outcome; of records, its code.")
    ] = None,
    goal: Annotated[
        str | None,
        typer.Option(
            help="What is a good outcome: '<=140', '>=50', or a value of the column; of records "
            "also occurs or does_not_occur."
        ),
    ] = None,
    days: Annotated[
        str | None,
        typer.Option(
            help="Days from entry to the outcome; or the column of the days to an event or the end "
            "of follow-up."
        ),
    ] = None,
    dose: Annotated[str | None, typer.Option(help="The column of the dose given.")] = None,
    entry: Annotated[
        str | None,
        typer.Option(help="The column of the date at which treatment is chosen; or its code."),
    ] = None,
    subject: Annotated[str | None, typer.Option(help="The column of the patient's number.")] = None,
    circe: Annotated[
        Path | None,
        typer.Option(
            help="A cohort definition of ATLAS (Circe JSON), with --data omop: time zero and who "
            "is in the study."
        ),
    ] = None,
    randomised: Annotated[
        bool | None,
        typer.Option("--randomised/--observed", help="Whether a trial drew the treatment by lot."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing: take the best guesses; simulated data.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the files, and write nothing.")
    ] = False,
) -> None:
    """Write a new project: mapping, commented study file, Makefile, notebook and README.

    For example: posology new trial --data csv --path trial.csv

    On a terminal it asks for what is not given. Guesses are marked CHECK in the files. `make` in
    the folder then runs everything, from the records to a recommendation and its evaluation.
    """
    from posology.cli.progress import CONSOLE
    from posology.cli.start.questions import ask
    from posology.errors import UserError
    from posology.workflows.new.project import plan_project
    from posology.workflows.new.request import Request

    asks = not yes and sys.stdin.isatty() and sys.stdout.isatty()
    if data is None and not yes and not asks:
        raise UserError(
            "posology new: add --data simulated, csv, omop, fhir or meds; or --yes for simulated "
            "data."
        )
    request = Request(
        folder=name,
        data=data or ("csv" if path is not None else "simulated"),
        path=path,
        question=question,
        subject=subject,
        entry=entry,
        treatments=tuple(treatment or ()),
        dose=dose,
        outcome=outcome,
        days=days,
        goal=goal,
        randomised=randomised,
        circe=circe,
    )
    project = plan_project(ask(request, data is None) if asks else request)
    if dry_run:
        CONSOLE.print(project.summary(), highlight=False, markup=False)
        CONSOLE.print("Nothing was written: this was a dry run.")
        return
    project.write()
    CONSOLE.print(project.summary(), highlight=False, markup=False)
    if project.checks:
        CONSOLE.print(f"{project.checks} guesses are marked CHECK in the .toml files: read them.")
    CONSOLE.print(f"Next: cd {name} && make", highlight=False, markup=False)
