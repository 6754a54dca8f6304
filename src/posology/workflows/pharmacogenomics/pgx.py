"""Pharmacogenomics of one patient: genes, phenotypes and what guidelines recommend."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pyarrow as pa

from posology.domain.pharmacogenomics.definitions import ObservedGene
from posology.domain.pharmacogenomics.guidance import DrugGuidance, find_guidance
from posology.domain.pharmacogenomics.patient import assess_genes
from posology.domain.pharmacogenomics.phenotypes import GeneResult
from posology.domain.pharmacogenomics.tables import PgxTables, TableVersion
from posology.errors import RecordError
from posology.records.sources.genomics.gene_sites import read_gene_sites
from posology.records.sources.genomics.outside_calls import read_outside_calls
from posology.records.sources.genomics.pgx_tables import read_pgx_tables
from posology.report.pharmacogenomics import pgx_lines
from posology.workflows.results import Row, rows_to_table


@dataclass(frozen=True, slots=True)
class PgxResult:
    """Genes of one patient and the recommendations for drugs. Decision support, not a device."""

    results: dict[str, GeneResult]
    """By gene."""
    guidance: tuple[DrugGuidance, ...]
    versions: tuple[TableVersion, ...]
    today: date
    """Of the answer: the age of the tables is counted to it."""

    @property
    def rows(self) -> list[Row]:
        """One row a gene and diplotype."""
        return [
            {"gene": gene, "is_settled": result.is_settled, **asdict(shown)}
            for gene, result in self.results.items()
            for shown in result.interpretations
        ]

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values; of what the data admit only the phenotypes are listed."""
        genes = []
        for result in self.results.values():
            body = asdict(result)
            if body["call"] is not None:
                del body["call"]["possible"], body["call"]["acting"]
            body["phenotypes"], body["lookup_keys"] = result.phenotypes, result.lookup_keys
            genes.append(body)
        guidance = [
            asdict(found)
            | {"forbids": found.forbids}
            | {"matched": [asdict(x) | {"effect": x.effect} for x in found.matched]}
            for found in self.guidance
        ]
        versions = [
            asdict(x) | {"made": None if x.made is None else x.made.isoformat()}
            for x in self.versions
        ]
        return {
            "date": self.today.isoformat(),
            "tables": versions,
            "genes": genes,
            "recommendations": guidance,
        }

    def summary(self) -> str:
        """Genes, positions missing, recommendations and versions in lines of 80 columns."""
        lines = pgx_lines(
            "Pharmacogenomics of one patient. Decision support, not a medical device.",
            self.results,
            self.guidance,
            self.versions,
            self.today,
        )
        return "\n".join(lines)

    def __rich__(self) -> str:
        return self.summary().replace("[", r"\[")


def pgx(
    tables: str | Path | PgxTables,
    vcf: str | Path | None = None,
    calls: str | Path | None = None,
    drugs: Sequence[str] = (),
    population: str = "",
    assembly: str | None = None,
) -> PgxResult:
    """Diplotypes, phenotypes and recommendations of one patient.

    Args:
        tables: a folder in the layout of PharmCAT and CPIC.
        vcf: variants of one sample on GRCh38.
        calls: a laboratory's results: tab-separated gene, diplotype, phenotype, activity score.
        drugs: names or RxNorm codes; without any, all drugs that concern the genes.
        population: the start of a guideline's population, such as `CVI ACS PCI`.
        assembly: GRCh38, if the header of the VCF names no assembly and you know it is.
    """
    if vcf is None and calls is None:
        raise RecordError("nothing to read: give variants (--vcf FILE) or results (--calls FILE)")
    read = tables if isinstance(tables, PgxTables) else read_pgx_tables(tables)
    observed = {} if vcf is None else _read_sample(vcf, read, assembly)
    reports = () if calls is None else read_outside_calls(calls)
    results = assess_genes(read, observed, reports)
    guidance = find_guidance(read.guidance, results, drugs, population)
    _check_drugs(drugs, guidance, read)
    today = datetime.now(UTC).date()
    return PgxResult(results, tuple(guidance), read.versions, today)


def _read_sample(
    vcf: str | Path, tables: PgxTables, assembly: str | None
) -> dict[str, ObservedGene]:
    if not tables.definitions:
        raise RecordError(
            "the folder of tables has no GENE_translation.json, which variants need; give the "
            "laboratory's results instead (--calls FILE)"
        )
    patients = read_gene_sites(vcf, tables.definitions.values(), assembly)
    if len(patients) > 1:
        raise RecordError(
            f"{vcf}: has {len(patients)} samples; keep the patient's one (bcftools view -s NAME)"
        )
    return next(iter(patients.values()))


def _check_drugs(drugs: Sequence[str], guidance: Sequence[DrugGuidance], tables: PgxTables) -> None:
    """Every drug that was named must be in the table: silence would look like safety."""
    if drugs and not tables.guidance:
        raise RecordError(
            f"drug {drugs[0]!r}: the folder of tables has no table of recommendations, so nothing "
            "is known of any drug; add CPIC's *recommendation*.json to it, or leave --drug out to "
            "see the genes alone"
        )
    known = {name for found in guidance for name in (found.drug, found.rxnorm)}
    names = sorted({rule.drug for rule in tables.guidance})
    for drug in drugs:
        if drug.strip().lower() not in known:
            near = get_close_matches(drug.strip().lower(), names, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}?" if near else f"they are {_some(names)}"
            raise RecordError(
                f"drug {drug!r}: the {len(names)} drugs of the table of recommendations do not "
                f"include it; {hint} Name an ingredient or its RxNorm code"
            )


def _some(names: Sequence[str], most: int = 8) -> str:
    """The first names, and how many there are more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}."
