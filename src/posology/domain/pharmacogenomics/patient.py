"""All genes of one patient: a laboratory's result first, else what variants show."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from posology.domain.pharmacogenomics.call_gene import call_gene
from posology.domain.pharmacogenomics.definitions import ObservedGene
from posology.domain.pharmacogenomics.phenotypes import (
    GeneResult,
    ReportedGene,
    interpret_call,
    interpret_report,
)
from posology.domain.pharmacogenomics.tables import PgxTables


def assess_genes(
    tables: PgxTables,
    observed: Mapping[str, ObservedGene],
    reports: Iterable[ReportedGene] = (),
) -> dict[str, GeneResult]:
    """Results by gene, in alphabetical order. Where both exist, the laboratory's counts."""
    found = {}
    for gene, definition in tables.definitions.items():
        if gene in observed:
            table = tables.phenotypes.get(gene)
            call = call_gene(definition, observed[gene], {} if table is None else table.activity)
            found[gene] = interpret_call(call, table)
    for report in reports:
        result = interpret_report(report, tables.phenotypes.get(report.gene))
        variants = found.get(report.gene)
        found[report.gene] = result if variants is None else _with_variants(result, variants)
    return dict(sorted(found.items()))


def _with_variants(result: GeneResult, variants: GeneResult) -> GeneResult:
    shown = result.interpretations[0].diplotype
    called = () if variants.call is None else variants.call.diplotypes
    if not called or shown in called:
        return result
    note = f"Variants show {' or '.join(called)} instead; the laboratory's result is used."
    return replace(result, notes=(*result.notes, note))
