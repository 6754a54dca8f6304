"""Agreement with PharmCAT's own tests, and with every pair of alleles that its tables define.

git clone --branch v3.1.1 https://github.com/PharmGKB/PharmCAT
python -m benchmarks.pharmacogenomics --pharmcat PharmCAT --tables FOLDER --json FILE
"""

import argparse
import json
import re
import time
from collections import Counter
from pathlib import Path

from benchmarks.pharmcat_cases import Case, Skipped, read_cases, read_spellings
from benchmarks.rows import row, write
from posology.domain.pharmacogenomics.call_gene import call_gene
from posology.domain.pharmacogenomics.definitions import (
    GeneDefinition,
    NamedAllele,
    ObservedGene,
    ObservedSite,
    join_diplotype,
    natural_order,
    possible_bases,
)
from posology.domain.pharmacogenomics.matching import match_pairs
from posology.domain.pharmacogenomics.tables import PgxTables
from posology.records.sources.genomics.gene_sites import read_gene_sites
from posology.records.sources.genomics.pgx_tables import read_pgx_tables

GENES = ("CYP2C19", "CYP2C9", "DPYD", "NUDT15", "SLCO1B1", "TPMT", "UGT1A1", "VKORC1")


def is_equal(case: Case, tables: PgxTables) -> tuple[bool, tuple[str, ...]]:
    """Whether the case's diplotypes are ours, and what ours are."""
    definition = tables.definitions[case.gene]
    if case.is_top or case.gene == "DPYD":
        call = call_gene(definition, case.observed, activity(tables, case.gene))
        if call.components:
            return sorted(case.expected) == sorted(call.components), call.components
        ours = call.diplotypes
    else:
        core = dict(definition.core_names)
        pairs = [pair for pair in match_pairs(definition, case.observed) if pair.is_visible]
        ours = tuple(
            join_diplotype(core.get(x.first, x.first), core.get(x.second, x.second)) for x in pairs
        )
    return set(map(_alleles, case.expected)) == set(map(_alleles, ours)), ours


def activity(tables: PgxTables, gene: str) -> dict[str, float]:
    """Activity values of a gene's alleles; empty where it has none."""
    return dict(tables.phenotypes[gene].activity) if gene in tables.phenotypes else {}


def simulated(definition: GeneDefinition, first: NamedAllele, second: NamedAllele) -> ObservedGene:
    """A patient with two named alleles, every position read, no phase."""
    sites = {}
    for index, locus in enumerate(definition.loci):
        bases = [_base(definition, allele, index) for allele in (first, second)]
        sites[locus.position] = ObservedSite((min(bases), max(bases)))
    return ObservedGene(sites)


def _base(definition: GeneDefinition, allele: NamedAllele, index: int) -> str:
    ref = definition.loci[index].ref
    named = allele.bases[index] or definition.reference.bases[index] or ref
    bases = possible_bases(named)
    return (
        next(iter(sorted(bases - {ref} if allele.bases[index] else {ref})), ref)
        if (len(bases) > 1)
        else named
    )


def _alleles(diplotype: str) -> tuple[str, ...]:
    return tuple(sorted(re.split(r"/(?![^\[]*\])", diplotype), key=natural_order))


def pair_counts(definition: GeneDefinition, values: dict[str, float]) -> Counter[str]:
    """Of every pair of alleles: whether it is the call, one of the calls, admitted, or lost."""
    found: Counter[str] = Counter()
    core = dict(definition.core_names)
    for i, first in enumerate(definition.alleles):
        for second in definition.alleles[i:]:
            call = call_gene(definition, simulated(definition, first, second), values)
            names = [core.get(x.name, x.name) for x in (first, second)]
            own = join_diplotype(*names)
            if call.diplotypes == (own,) or sorted(call.components) == sorted(names):
                found["alone"] += 1
            elif own in call.diplotypes:
                found["tied"] += 1
            elif own in call.others or tuple(own.split("/")) in call.possible:
                found["less_specific"] += 1
            else:
                found["lost"] += 1
    return found


def example_counts(folder: Path, tables: PgxTables) -> Counter[tuple[str, str]]:
    """Genes of PharmCAT's examples with a stored answer, and how many have the same diplotypes."""
    counts: Counter[tuple[str, str]] = Counter()
    for path in sorted(folder.glob("*.match.json")):
        stored = json.loads(path.read_text("utf-8"))
        vcf = folder / stored["metadata"]["inputFilename"]
        sample = read_gene_sites(vcf, tables.definitions.values())[stored["metadata"]["sampleId"]]
        for result in stored["results"]:
            gene = result["gene"]
            if gene in tables.definitions:
                call = call_gene(tables.definitions[gene], sample[gene], activity(tables, gene))
                theirs = [x["name"] for x in result["diplotypes"] or result["haplotypeMatches"]]
                ours = call.diplotypes or call.components
                counts[gene, "cases"] += 1
                counts[gene, "equal"] += sorted(map(_alleles, theirs)) == sorted(
                    map(_alleles, ours)
                )
    return counts


def main() -> None:
    """Compare, print what differs, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pharmcat", type=Path, required=True)
    parser.add_argument("--tables", type=Path, required=True)
    parser.add_argument("--pairs", action="store_true", help="simulate every pair (2 minutes)")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    started, tables = time.time(), read_pgx_tables(arguments.tables)
    rows, counts = [], Counter()
    for case in read_cases(arguments.pharmcat, tables, read_spellings(arguments.tables)):
        if isinstance(case, Skipped):
            counts["", "skipped"] += 1
            print(f"not a case: {case.test}: {case.reason}")
            continue
        same, ours = is_equal(case, tables)
        counts[case.gene, "cases"] += 1
        counts[case.gene, "equal"] += same
        if not same:
            print(f"differs: {case.test} {case.gene} {case.remark}: {case.expected} / {ours}")
    for gene in sorted(tables.definitions):
        for metric in ("cases", "equal"):
            rows.append(row("pharmcat", gene, "tests", metric, counts[gene, metric]))
        if arguments.pairs and gene in GENES:
            found = pair_counts(tables.definitions[gene], activity(tables, gene))
            for metric, value in found.items():
                rows.append(row("pairs", gene, "simulated", metric, value))
    examples = example_counts(arguments.pharmcat / "docs" / "examples", tables)
    for metric in ("cases", "equal"):
        total = sum(n for (_, name), n in examples.items() if name == metric)
        rows.append(row("pharmcat", "all", "examples", metric, total))
    rows.append(row("pharmcat", "all", "tests", "skipped", counts["", "skipped"]))
    for metric in ("cases", "equal"):
        total = sum(counts[gene, metric] for gene in GENES)
        rows.append(row("pharmcat", "eight genes", "tests", metric, total))
    write(arguments.json, rows, 0, started)


if __name__ == "__main__":
    main()
