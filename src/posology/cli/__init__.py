"""The command line: one file a verb. A mistake the caller can mend exits with code 2."""

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
from posology.cli.ingest import ingest
from posology.cli.predict import predict
from posology.cli.pretrain import pretrain
from posology.cli.recommend import recommend
from posology.cli.simulate import simulate
from posology.cli.template import template
from posology.cli.tune import tune
from posology.errors import UserError

app = typer.Typer(
    name="posology",
    help="Which treatment, at what dose, for this patient: with evidence a clinician can check.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for verb in (
    cohort, demo, effect, evaluate, fit, ingest, predict, pretrain, recommend, simulate, template,
    tune,
):  # fmt: skip
    app.command()(verb)


def main() -> None:
    """Run the command line; what the caller can mend is one paragraph, not a traceback."""
    log = logging.getLogger("posology")
    log.setLevel(logging.INFO)
    log.addHandler(logging.StreamHandler())
    try:
        app()
    except UserError as error:
        text = f"[bold red]posology:[/] {escape(str(error))}"
        Console(stderr=True, soft_wrap=True).print(text, highlight=False)
        sys.exit(2)
