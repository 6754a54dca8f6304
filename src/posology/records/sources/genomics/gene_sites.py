"""A patient's bases at the positions of the allele definitions, from a VCF file."""

from collections.abc import Iterable
from pathlib import Path

from posology.domain.pharmacogenomics.definitions import (
    GeneDefinition,
    Locus,
    ObservedGene,
    ObservedSite,
)
from posology.errors import RecordError
from posology.records.io.text_lines import read_lines
from posology.records.schema import Rejection
from posology.records.sources.genomics.genomes import Site, collect_calls, find_fault
from posology.records.sources.genomics.vcf import Call, Gate, read_header

Patients = dict[str, dict[str, ObservedGene]]
"""By sample, then by gene."""


def read_gene_sites(
    path: str | Path,
    definitions: Iterable[GeneDefinition],
    assembly: str | None = None,
    gate: Gate | None = None,
) -> Patients:
    """The observed genes of every sample; RecordError if the file is not VCF of GRCh38.

    A position without a record is absent, never the reference; a gVCF block covers its positions;
    a half call, a call of low quality and two records that differ are problems, not calls.
    """
    file = Path(path)
    if not file.is_file():
        raise RecordError(f"{file}: there is no such file")
    lines = read_lines(file)
    header = read_header(lines)
    if isinstance(header, Rejection):
        raise RecordError(f"{file}: {header.reason}")
    fault = find_fault(header, assembly)
    if fault is not None:
        raise RecordError(f"{file}: {fault}")
    loci = [(x.gene, locus) for x in definitions for locus in x.loci]
    sites = tuple(
        Site(gene, x.rsid, x.chrom, x.position, x.ref, ",".join(x.alts), "+") for gene, x in loci
    )
    calls: list[list[list[Call]]] = [[[] for _ in sites] for _ in header.samples]
    damage = collect_calls(lines, sites, gate or Gate(), calls)
    if damage is not None:
        raise RecordError(f"{file}: {damage}")
    patients: Patients = {}
    for sample, found in zip(header.samples, calls, strict=True):
        genes = {gene: ObservedGene() for gene, _ in loci}
        for (gene, locus), records in zip(loci, found, strict=True):
            outcome = _observe(locus, records)
            if isinstance(outcome, ObservedSite):
                genes[gene].sites[locus.position] = outcome
            elif outcome:
                genes[gene].problems[locus.position] = outcome
        patients[sample] = genes
    return patients


def _observe(locus: Locus, records: list[Call]) -> ObservedSite | str:
    """The site's two bases, or why there are none; empty if no record covers it."""
    read = [call for call in records if call.reason is None]
    if not read:
        return records[0].reason or "" if records else ""
    sites = [_site(locus, call) for call in read]
    found = [site for site in sites if isinstance(site, ObservedSite)]
    if not found:
        return next(site for site in sites if isinstance(site, str))
    if len({tuple(sorted(site.alleles)) for site in found}) > 1:
        return "two records give different genotypes; join them with bcftools norm -m +any"
    if len(set(found)) > 1:  # the same bases, on strands that do not agree
        return ObservedSite((min(found[0].alleles), max(found[0].alleles)))
    return found[0]


def _site(locus: Locus, call: Call) -> ObservedSite | str:
    if len(call.alleles) != 2:
        return f"genotype {call.genotype[:20]} has not two alleles"
    if call.block:
        return ObservedSite((locus.ref, locus.ref), call.phase_block)
    alleles = [respell(allele, call.reference, locus.ref) for allele in call.alleles]
    first, second = alleles
    if first is None or second is None:
        return (
            f"reference is {call.reference[:40]} here, {locus.ref} in the definitions: another "
            "assembly, or not left-aligned (bcftools norm)"
        )
    return ObservedSite((first, second), call.phase_block)


def respell(allele: str, reference: str, wanted: str) -> str | None:
    """The allele as if the record's reference were `wanted`; None if the two do not agree.

    A VCF record may spell the same change with more or fewer bases after it, as the other alleles
    of its line need: `C -> CAT` is `CAT -> CATAT`.
    """
    if wanted.startswith(reference):
        return allele + wanted[len(reference) :]
    rest = reference[len(wanted) :]
    if reference.startswith(wanted) and allele.endswith(rest) and len(allele) > len(rest):
        return allele[: len(allele) - len(rest)]
    return None
