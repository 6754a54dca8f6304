"""The command line: one file a command. An error that the caller can fix exits with code 2."""

import errno
import logging
import os
import sys
import traceback
from contextlib import suppress
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

import posology
from posology.cli.cohort import cohort
from posology.cli.conform import conform
from posology.cli.effect import effect
from posology.cli.evaluate import evaluate
from posology.cli.exchange.export import export
from posology.cli.exchange.labels import labels
from posology.cli.facts import facts
from posology.cli.fit import fit
from posology.cli.ingest import IngestCommand, ingest
from posology.cli.monitor import monitor
from posology.cli.over_time.models import models
from posology.cli.over_time.outcomes import outcomes
from posology.cli.over_time.update import update
from posology.cli.pgx import pgx
from posology.cli.pool import pool
from posology.cli.predict import predict
from posology.cli.pretrain import pretrain
from posology.cli.recommend import recommend
from posology.cli.safety import safety
from posology.cli.serve import serve
from posology.cli.start.demo import demo
from posology.cli.start.doctor import doctor
from posology.cli.start.new import new
from posology.cli.start.simulate import simulate
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
    "From records to evidence": (ingest, cohort, fit, evaluate, effect, pool, export),
    "For one patient": (template, recommend, predict, pgx, facts),
    "At the point of care": (conform,),
    "Over time": (monitor, update),
    "To try it out": (new, demo, simulate, doctor),
    "To train a better network": (pretrain, tune),
}
"""Groups of `posology --help`, in the order of work."""


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"posology {posology.__version__}")
        raise typer.Exit


@app.callback()
def _first(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and stop.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Which treatment, at what dose, for this patient: with evidence a clinician can check."""


for group, commands in COMMANDS.items():
    for command in commands:
        kind = IngestCommand if command is ingest else None
        app.command(rich_help_panel=group, cls=kind)(command)
app.add_typer(labels, rich_help_panel="From records to evidence")
app.add_typer(safety, rich_help_panel="For one patient")
app.add_typer(serve, rich_help_panel="At the point of care")
app.add_typer(outcomes, rich_help_panel="Over time")
app.add_typer(models, rich_help_panel="Over time")


_MENDABLE = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EACCES, errno.EPERM),
        *(errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.EEXIST, errno.EIO),
    }
)
"""Failures of a disk or of the rights on it, which the caller can mend."""
DEFECT = 70
"""Exit code of an exception that nobody expected (EX_SOFTWARE of sysexits.h)."""


def main() -> None:
    """Run the command line.

    What the caller can mend is one paragraph and exit code 2. An exception that nobody expected is
    a defect of posology: its traceback, and exit code 70.
    """
    log = logging.getLogger("posology")
    log.setLevel(logging.INFO)
    log.addHandler(logging.StreamHandler())
    try:
        app()
    except UserError as error:
        _end(str(error))
    except OSError as error:
        if error.errno not in _MENDABLE:
            _end_with_traceback()
        place = f"{error.filename}: " if error.filename else ""
        reason = (error.strerror or str(error)).lower()
        mend = "make room or choose a place that you may write to"
        if error.errno == errno.ENOENT:
            mend = "name one that is there"
        _end(f"{place}{reason}; {mend}")
    except MemoryError:
        _end("there is not enough memory; use a smaller --rows or --memory, or a larger machine")
    except Exception:  # noqa: BLE001  (counted as a defect, not hidden)
        _end_with_traceback()


def _end(message: str) -> NoReturn:
    """Print one paragraph, if there is somewhere to print it, and exit with 2."""
    message = message.encode("utf-8", "replace").decode()
    text = f"[bold red]posology:[/] {escape(message)}"
    with suppress(OSError):
        Console(stderr=True, soft_wrap=True).print(text, highlight=False)
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except OSError:  # on a full disk: Python would fail once more, and exit with 120
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    sys.exit(2)


def _end_with_traceback() -> NoReturn:
    traceback.print_exc()
    print("posology: this is a defect of posology; please report it", file=sys.stderr)  # noqa: T201
    sys.exit(DEFECT)
