"""The questions of `posology new` on a terminal: each has the best guess as its default."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from posology.errors import UserError

if TYPE_CHECKING:
    from posology.workflows.new.request import Request
    from posology.workflows.new.table import Table


def ask(request: "Request", ask_data: bool) -> "Request":
    """The request with what only the user knows; an option that was given has no question."""
    from posology.workflows.new.request import DATA, QUESTIONS, check_request

    if ask_data:
        data = _choose("Where are the records from?", DATA, request.data)
        request = replace(request, data=data)
    if request.data not in ("simulated",) and request.path is None:
        text = "Path of the records" + ("" if request.data == "csv" else " (empty: simulated)")
        request = replace(request, path=_ask_path(text, may_be_empty=request.data != "csv"))
    if request.data in ("simulated", "csv"):
        question = _choose("What is the question?", QUESTIONS, request.question)
        request = replace(request, question=question)
    check_request(request)
    return _ask_columns(request) if request.data == "csv" else request


def _ask_columns(request: "Request") -> "Request":
    """The roles of a table's columns, one by one; each answer improves the next guess."""
    from posology.workflows.new.roles import choose_roles
    from posology.workflows.new.table import read_table

    assert request.path is not None
    table = read_table(request.path)
    typer.echo(f"Columns: {', '.join(table.cells)}")
    if not request.treatments:
        guess = _guess(lambda: choose_roles(table, request).treatment)
        answer = _ask_column("Column of the treatment given", guess, table)
        request = replace(request, treatments=(answer,))
    if request.question == "dose" and request.dose is None:
        guess = _guess(lambda: choose_roles(table, request).dose)
        request = replace(request, dose=_ask_column("Column of the dose", guess, table))
    if request.outcome is None:
        guess = _guess(lambda: choose_roles(table, request).outcome)
        request = replace(request, outcome=_ask_column("Column of the outcome", guess, table))
    roles = choose_roles(table, request)
    if request.goal is None:
        text = "A good outcome is (such as <=140)" if roles.kind == "number" else "The good value"
        request = replace(request, goal=typer.prompt(text, default=roles.goal))
    if request.days is None and roles.measured is None and roles.time is None:
        days = typer.prompt("Days from entry to the outcome", default=f"{roles.days:g}")
        request = replace(request, days=days)
    if request.randomised is None:
        drawn = typer.confirm("Was the treatment drawn by lot, in a trial?", default=False)
        request = replace(request, randomised=drawn)
    return request


def _ask_path(text: str, may_be_empty: bool) -> Path | None:
    """A path that exists; repeats the question until it does."""
    while True:
        answer = typer.prompt(text, default="", show_default=False).strip()
        if answer and Path(answer).exists():
            return Path(answer)
        if not answer and may_be_empty:
            return None
        typer.echo(f"{answer}: there is no such file or folder." if answer else "Name the file.")


def _ask_column(text: str, guess: str | None, table: "Table") -> str:
    """A column of the table; repeats the question until it is one."""
    from posology.workflows.new.request import check_known

    while True:
        answer = typer.prompt(text, default=guess).strip()
        try:
            check_known("column", answer, tuple(table.cells))
        except UserError as error:
            typer.echo(str(error))
        else:
            return answer


def _guess(choose: Callable[[], str | None]) -> str | None:
    """The guess, or None where there is none."""
    try:
        return choose()
    except UserError:
        return None


def _choose(question: str, known: tuple[str, ...], default: str) -> str:
    from posology.workflows.new.request import check_known

    while True:
        answer = typer.prompt(f"{question} ({', '.join(known)})", default=default).strip()
        try:
            check_known("answer", answer, known)
        except UserError as error:
            typer.echo(str(error))
        else:
            return answer
