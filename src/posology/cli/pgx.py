"""`posology pgx`: diplotypes, phenotypes and recommendations of one patient."""

import json
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import writable_file
from posology.records.io.drafts import write_whole

Tables = Annotated[
    Path,
    typer.Option(
        help="Folder of tables in the layout of PharmCAT and CPIC: GENE_translation.json, "
        "phenotype/GENE.json, *recommendation*.json."
    ),
]


def pgx(
    tables: Tables,
    vcf: Annotated[
        Path | None, typer.Option(help="Variants of one patient on GRCh38 (VCF or gVCF).")
    ] = None,
    calls: Annotated[
        Path | None,
        typer.Option(
            help="A laboratory's results: tab-separated gene, diplotype, phenotype, activity score."
        ),
    ] = None,
    drug: Annotated[
        list[str] | None, typer.Option(help="Name or RxNorm code of a drug; may be repeated.")
    ] = None,
    population: Annotated[
        str, typer.Option(help="For whom, as the guideline names it, such as 'CVI ACS PCI'.")
    ] = "",
    assembly: Annotated[
        str | None,
        typer.Option(help="GRCh38, if the VCF's header names no assembly and you know it is."),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", help="Write the whole answer to this JSON file.", callback=writable_file
        ),
    ] = None,
) -> None:
    """Call star alleles, and say what guidelines recommend, with the tables' version and age.

    For example: posology pgx --calls lab.tsv --tables tables/ --drug clopidogrel

    A laboratory's result counts before variants. A position that is not in the VCF is no call,
    never the reference. docs/pharmacogenomics.md describes the method and its limits.
    """
    from posology.workflows.pharmacogenomics.pgx import pgx as run

    result = run(tables, vcf, calls, tuple(drug or ()), population, assembly)
    typer.echo(result.summary())
    if json_file is not None:
        write_whole(json_file, json.dumps(result.to_json(), indent=1) + "\n")
