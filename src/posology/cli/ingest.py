"""`posology ingest`: from the records of a hospital to one folder of events."""

import sys
import time
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

from posology.cli.options import JsonFile, writable_place
from posology.records.sources.registry import SOURCE_KINDS, SourceKind


def _source_option(kind: SourceKind) -> Any:
    """The option of one kind of source; it stores its inputs in the context's `meta`."""

    def store(context: typer.Context, value: list[str] | None) -> None:
        context.meta[kind.name] = list(value or ())

    option = typer.Option(
        f"--{kind.name}", help=kind.help, metavar="<path>", callback=store, expose_value=False
    )

    def command(_inputs: Annotated[list[str] | None, option] = None) -> None:
        """Typer makes the option from this parameter."""

    app = typer.Typer(add_completion=False)
    app.command()(command)
    (parameter,) = get_command(app).params
    parameter.name = kind.name
    return parameter


@cache
def _source_options(kinds: tuple[SourceKind, ...]) -> tuple[Any, ...]:
    return tuple(_source_option(kind) for kind in kinds)


class IngestCommand(TyperCommand):
    """The command `ingest`, with one option for each line of SOURCE_KINDS."""

    context_class = typer.Context

    def get_params(self, ctx: Any) -> list[Any]:
        """`--out`, the kinds of source, then the other options."""
        out, *others = super().get_params(ctx)
        return [out, *_source_options(SOURCE_KINDS), *others]


def ingest(
    ctx: typer.Context,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="<folder>",
            help="The MEDS folder to make or to add to, also by URL.",
            callback=writable_place,
        ),
    ] = None,
    suggest: Annotated[
        Path | None,
        typer.Option(
            metavar="<file>",
            help="Print a first mapping file of this table, for --table, and stop.",
        ),
    ] = None,
    codebook: Annotated[
        Path | None, typer.Option(help="Units and plausible limits of your own codes (TOML).")
    ] = None,
    engine: Annotated[str, typer.Option(help="duckdb, spark, or postgresql://user@host/name.")] = (
        "duckdb"
    ),
    memory: Annotated[str, typer.Option(help="Memory limit of the engine, such as 2GB.")] = "2GB",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="List the sources, show five events of each mapped table, and stop."
        ),
    ] = False,
    accept: Annotated[
        bool,
        typer.Option(
            "--accept", help="Exit with 0 although a source lost more than 5 % of its rows."
        ),
    ] = False,
    free_text_codes: Annotated[
        bool,
        typer.Option(
            "--free-text-codes",
            help="Keep events whose code is only a text, which may name a person.",
        ),
    ] = False,
    splits: Annotated[
        str | None,
        typer.Option(
            metavar="<shares>",
            help="Write subject_splits.parquet: shares of train, validation and test, such as "
            "0.8,0.1,0.1.",
        ),
    ] = None,
    max_line: Annotated[
        int, typer.Option(min=1_000, help="Bytes of the longest line of a file that is read.")
    ] = 32_000_000,
    json_file: JsonFile = None,
) -> None:
    """Read records from any sources into one folder of clean MEDS events.

    For example: posology ingest --out events --omop cdm/ --table labs.toml --vcf genomes/

    Each source option may be repeated, and later runs add to the folder. Sources that the folder
    already contains, by their content, are skipped. Every rejected row is in rejected.parquet with
    its reason; the quality report is quality.html and quality.json. docs/records.md describes
    what each source needs.
    """
    from posology.cli.progress import show_stages
    from posology.errors import UserError
    from posology.records.sources.tables.suggest import suggest_mapping
    from posology.workflows.ingest import IngestOptions, preview
    from posology.workflows.ingest import ingest as run
    from posology.workflows.results import write_measurements

    started = time.perf_counter()
    sources = {kind.name: ctx.meta[kind.name] for kind in SOURCE_KINDS}
    if suggest is not None:
        typer.echo(suggest_mapping(suggest), nl=False)
        return
    if dry_run:
        for line in preview(sources):
            typer.echo(line)
        return
    if out is None:
        raise UserError("posology ingest: add --out with the folder to make or to add to.")
    with show_stages(is_quiet=not sys.stderr.isatty()) as progress:
        options = IngestOptions(engine, memory, codebook, free_text_codes, splits, max_line)
        result = run(sources, out, options, progress)
    if json_file is not None:
        write_measurements(json_file, result.rows, started)
    typer.echo(result.summary())
    if result.losses and not accept:
        raise typer.Exit(3)
