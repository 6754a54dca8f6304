"""The command line: one file a command. An error that the caller can fix exits with code 2."""

import logging
import sys

import typer
from rich.console import Console
from rich.markup import escape

from posology.cli.cohort import cohort
from posology.cli.demo import demo
from posology.cli.effect import effect
from posology.cli.evaluate import evaluate
from posology.cli.fit import fit
from posology.cli.ingest import IngestCommand, ingest
from posology.cli.pgx import pgx
from posology.cli.predict import predict
from posology.cli.pretrain import pretrain
from posology.cli.recommend import recommend
from posology.cli.safety import safety
from posology.cli.simulate import simulate
from posology.cli.template import template
from posology.cli.tune import tune
from posology.errors import UserError

app = typer.Typer(
    name="posology",
    help="Which treatment, at what dose, for this patient: with evidence a clinician can check.",
    no_args_is_help=True,
    rich_markup_mode="markdown",  # wraps the paragraphs of a docstring
    pretty_exceptions_enable=False,
)
COMMANDS = {
    "From records to evidence": (ingest, cohort, fit, evaluate, effect),
    "For one patient": (template, recommend, predict, pgx),
    "To try it out": (demo, simulate),
    "To train a better network": (pretrain, tune),
}
"""Groups of `posology --help`, in the order of work."""
for group, commands in COMMANDS.items():
    for command in commands:
        kind = IngestCommand if command is ingest else None
        app.command(rich_help_panel=group, cls=kind)(command)
app.add_typer(safety, rich_help_panel="For one patient")


def main() -> None:
    """Run the command line; an error that the caller can fix is one paragraph, no traceback."""
    log = logging.getLogger("posology")
    log.setLevel(logging.INFO)
    log.addHandler(logging.StreamHandler())
    try:
        app()
    except UserError as error:
        text = f"[bold red]posology:[/] {escape(str(error))}"
        Console(stderr=True, soft_wrap=True).print(text, highlight=False)
        sys.exit(2)
