"""VCF files as events of star alleles, phenotypes and activity scores, where variants settle them.

A gene is settled if every pair of alleles that the bases admit, missing positions included, has the
same known phenotype. All others are rejected with the reason: a likely result is not a fact.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from posology.domain.pharmacogenomics.definitions import join_diplotype
from posology.domain.pharmacogenomics.patient import assess_genes
from posology.domain.pharmacogenomics.phenotypes import GeneResult
from posology.errors import RecordError
from posology.records.batching import BatchBuilder, code_part
from posology.records.io.subject_ids import to_subject_id
from posology.records.io.text_lines import list_files
from posology.records.schema import Batch, Event, Rejection
from posology.records.sources.genomics.gene_sites import read_gene_sites
from posology.records.sources.genomics.genomes import VCF_EXTENSIONS, VcfSettings, report_time
from posology.records.sources.genomics.pgx_tables import read_pgx_tables

_NAMED = 3
"""Alleles and positions that a reason names; our choice."""


def read_star_alleles(paths: Iterable[str | Path], settings: VcfSettings) -> Iterator[Batch]:
    """`GENOTYPE//gene//*1/*2`, `PHENOTYPE//gene//..` and `ACTIVITY_SCORE//gene` of settled genes.

    A row is a gene of the tables for one sample; its source is `file#sample#genes`.
    """
    if settings.tables is None:
        raise RecordError("star alleles need tables: name their folder (tables = FOLDER)")
    tables = read_pgx_tables(settings.tables)
    time = report_time(settings)
    builder = BatchBuilder(settings.batch_rows)
    for path in list_files(paths, VCF_EXTENSIONS):
        try:
            patients = read_gene_sites(
                path, tables.definitions.values(), settings.assembly, settings.gate
            )
        except RecordError as error:
            builder.reject(f"{path}#genes", 1, Rejection("file", "", str(error)))
            continue
        for sample, observed in patients.items():
            subject = settings.subjects.get(sample) if settings.subjects else sample
            results = assess_genes(tables, observed)
            for number, (gene, result) in enumerate(results.items(), start=1):
                row = (f"{path}#{sample}#genes", number)
                reason = describe_unsettled(result)
                if not subject or not subject.strip():
                    reason = f"sample {sample!r} has no subject"
                if reason:
                    builder.reject(*row, Rejection(gene, "", reason))
                else:
                    builder.add(*row, to_subject_id(str(subject)), gene_events(result, time))
        yield from builder.batches()
    yield from builder.batches(last=True)


def gene_events(result: GeneResult, time: int | None) -> list[Event]:
    """The events of a settled gene; the diplotype only if no other pair is possible."""
    gene, shown, events = code_part(result.gene), result.interpretations[0], []
    if result.call is not None and len(result.call.possible) == 1:
        (pair,) = result.call.possible
        events.append(Event(f"GENOTYPE//{gene}//{code_part(join_diplotype(*pair))}", time))
    events.append(Event(f"PHENOTYPE//{gene}//{code_part(shown.phenotype).lower()}", time))
    scores = {x.activity_score for x in result.interpretations}
    if len(scores) == 1 and shown.activity_score.replace(".", "", 1).isdecimal():
        score = float(shown.activity_score)
        events.append(Event(f"ACTIVITY_SCORE//{gene}", time, score, None, "1"))
    return events


def describe_unsettled(result: GeneResult) -> str:
    """Why a gene is no fact; empty if it is settled."""
    if result.is_settled:
        return ""
    call = result.call
    if call is None or not call.acting:
        return "; ".join(result.notes).rstrip(".") or "not called"
    if call.missing and result.open_phenotypes:
        hidden = f"; {_list(call.not_excluded)} not excluded" if call.not_excluded else ""
        noun = "position" if len(call.missing) == 1 else "positions"
        return f"{len(call.missing)} {noun} missing ({_list(call.missing)}){hidden}"
    if result.open_phenotypes or len(result.phenotypes) > 1:
        names = (*result.phenotypes, *result.open_phenotypes)
        return f"the variants do not decide between {' and '.join(names)}"
    return f"no phenotype of {' or '.join(call.diplotypes or call.components)} in the tables"


def _list(names: tuple[str, ...]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
