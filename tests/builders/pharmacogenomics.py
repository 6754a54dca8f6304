"""A small gene, a small DPYD, their phenotypes and recommendations, all made up for tests."""

import json
from pathlib import Path
from typing import Any

from posology.domain.pharmacogenomics.definitions import ObservedGene, ObservedSite
from posology.domain.pharmacogenomics.tables import PgxTables
from posology.records.sources.genomics.pgx_tables import read_pgx_tables

CONTIGS = "##contig=<ID=chr1,length=248956422>\n##contig=<ID=chr10,length=133797422>\n"
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t"


def definition(gene: str, chrom: str, loci: list[tuple], alleles: dict[str, dict]) -> dict:
    """A translation file; loci are position, rsid, ref, alts; alleles are bases by position."""
    positions = [locus[0] for locus in loci]
    return {
        "gene": gene,
        "version": "2025-11-05-00-25",
        "genomeBuild": "GRCh38.p14",
        "variants": [
            {"chromosome": chrom, "position": p, "rsid": rsid, "ref": ref, "alts": alts.split(",")}
            for p, rsid, ref, alts in loci
        ],
        "namedAlleles": [
            {
                "name": name,
                "alleles": [bases.get(position) for position in positions],
                "reference": i == 0,
            }
            for i, (name, bases) in enumerate(alleles.items())
        ],
    }


GENEX = definition(
    "GENEX",
    "chr10",
    [
        (100, "rs1", "A", "G"),
        (200, "rs2", "C", "T"),
        (300, "rs3", "CAT", "C,CATAT"),
        (400, "rs4", "G", "A"),
    ],
    {
        "*1": {100: "A", 200: "C", 300: "CAT", 400: "G"},
        "*2": {100: "G", 400: "R"},
        "*3": {200: "T"},
        "*4": {100: "G", 200: "T"},
        "*28": {300: "CATAT"},
    },
)
"""*2 and *3 on two strands look like *1 and *4: only phase tells them apart; *2 may wobble."""
DPYD = definition(
    "DPYD",
    "chr1",
    [
        (97573863, "rs56038477", "C", "T"),
        (97579893, "rs75017182", "G", "C"),
        (97450058, "rs3918290", "C", "T"),
        (97082391, "rs67376798", "T", "A"),
        (97515839, "rs1801159", "T", "C"),
    ],
    {
        "Reference": dict(
            zip(
                (97573863, 97579893, 97450058, 97082391, 97515839),
                ("C", "G", "C", "T", "T"),
                strict=True,
            )
        ),
        "HapB3": {97573863: "T", 97579893: "C"},
        "c.1129-5923C>G": {97579893: "C"},
        "*2A": {97450058: "T"},
        "c.2846A>T": {97082391: "A"},
        "*5": {97515839: "C"},
    },
)
_ACTIVITY = {
    "Reference": 1.0,
    "HapB3": 0.5,
    "c.1129-5923C>G": 0.5,
    "*2A": 0.0,
    "c.2846A>T": 0.5,
    "*5": 1.0,
}
_FUNCTION = {"*1": 1, "*2": 0, "*3": 0, "*4": 0, "*28": 1}
_PHENOTYPE = {2: "Normal Metabolizer", 1: "Intermediate Metabolizer", 0: "Poor Metabolizer"}


def phenotypes_genex() -> dict[str, Any]:
    """In the form with lists for diplotypes."""
    results = {}
    for a, x in _FUNCTION.items():
        for b, y in _FUNCTION.items():
            results[f"{a}/{b}"] = [_PHENOTYPE[x + y], _PHENOTYPE[x + y], None]
    functions = {name: "No function" if not x else "Normal" for name, x in _FUNCTION.items()}
    return {
        "gene": "GENEX",
        "version": "2025-11-05-00-25",
        "haplotype_function": functions,
        "activity_values": {},
        "diplotypes": results,
    }


def phenotypes_dpyd() -> dict[str, Any]:
    """In PharmCAT's own form."""
    records = []
    names = list(_ACTIVITY)
    for i, a in enumerate(names):
        for b in names[i:]:
            score = _ACTIVITY[a] + _ACTIVITY[b]
            phenotype = _PHENOTYPE[2 if score == 2 else 1 if score >= 1 else 0]
            records.append(
                {
                    "diplotype": f"{a}/{b}",
                    "diplotypekey": {a: 2} if a == b else {a: 1, b: 1},
                    "lookupkey": str(score),
                    "activityScore": str(score),
                    "phenotype": phenotype,
                    "generesult": phenotype,
                }
            )
    values = {name: str(value) for name, value in _ACTIVITY.items()}
    return {
        "gene": "DPYD",
        "version": "2025-11-05-00-25",
        "haplotypes": values,
        "activityValues": values,
        "diplotypes": records,
        "namedAlleles": [],
    }


def rule(key: dict[str, str], text: str, strength: str, population: str = "general") -> dict:
    return {
        "lookupkey": key,
        "implications": dict.fromkeys(key, "something"),
        "recommendation": text,
        "classification": strength,
        "population": population,
        "comments": "n/a",
    }


def drug(name: str, rxnorm: str, guideline: str, rules: list[dict]) -> dict:
    return {
        "drug": name,
        "drugid": f"RxNorm:{rxnorm}",
        "guideline": guideline,
        "url": "https://example.org/guideline",
        "pmids": ["1", "2"],
        "cpic_version": "v1.20.0",
        "recommendations": rules,
    }


RECOMMENDATIONS = [
    drug(
        "examplidol",
        "111",
        "GENEX and examplidol",
        [
            rule({"GENEX": "Poor Metabolizer"}, "Avoid examplidol use.", "Strong", "adults"),
            rule({"GENEX": "Poor Metabolizer"}, "Consider half the dose.", "Moderate", "children"),
            rule({"GENEX": "Intermediate Metabolizer"}, "Consider a lower dose.", "Moderate"),
            rule({"GENEX": "Normal Metabolizer"}, "Use examplidol per standard dosing.", "Strong"),
            rule({"GENEX": "Indeterminate"}, "No recommendation", "No Recommendation"),
        ],
    ),
    drug(
        "fluorouracil",
        "4492",
        "DPYD and fluoropyrimidines",
        [
            rule({"DPYD": "0"}, "Avoid use of fluorouracil.", "Strong"),
            rule({"DPYD": "0.5"}, "Avoid use of fluorouracil.", "Strong"),
            rule({"DPYD": "1"}, "Reduce starting dose by 50%.", "Strong"),
            rule({"DPYD": "1.5"}, "Reduce starting dose by 50%.", "Moderate"),
            rule({"DPYD": "2"}, "Based on genotype, there is no indication to change.", "Strong"),
        ],
    ),
    drug(
        "abacavir",
        "190521",
        "HLA-B and abacavir",
        [
            rule({"HLA-B": "*57:01 positive"}, "Abacavir is not recommended", "Strong"),
            rule({"HLA-B": "*57:01 negative"}, "Use abacavir per standard dosing guidelines", "x"),
        ],
    ),
]


def write_tables(folder: Path) -> Path:
    """The whole folder of tables; its file of recommendations is dated 2022-09."""
    (folder / "definition").mkdir(parents=True)
    (folder / "phenotype").mkdir()
    for body in (GENEX, DPYD):
        path = folder / "definition" / f"{body['gene']}_translation.json"
        path.write_text(json.dumps(body))
    (folder / "phenotype_GENEX.json").write_text(json.dumps(phenotypes_genex()))
    (folder / "phenotype" / "DPYD.json").write_text(json.dumps(phenotypes_dpyd()))
    (folder / "recommendations_2022-09.json").write_text(json.dumps(RECOMMENDATIONS))
    return folder


def tables(folder: Path) -> PgxTables:
    """The folder's tables, read."""
    return read_pgx_tables(write_tables(folder))


def observed(sites: dict[int, str]) -> ObservedGene:
    """Bases by position: `A/G`, `A|G`, or `A|G:7` for phase set 7."""
    found = {}
    for position, text in sites.items():
        bases, _, phase_set = text.partition(":")
        first, second = bases.replace("|", "/").split("/")
        block = "" if "|" not in bases else f"PS {phase_set}" if phase_set else "phased"
        found[position] = ObservedSite((first, second), block)
    return ObservedGene(found)


def genex(**changed: str) -> ObservedGene:
    """Reference at every position of GENEX but those named: `genex(p100="A/G", p200="")`."""
    return _changed({100: "A/A", 200: "C/C", 300: "CAT/CAT", 400: "G/G"}, changed)


def dpyd(**changed: str) -> ObservedGene:
    """Reference at every position of DPYD but those named; an empty text leaves one out."""
    loci = [(x["position"], x["ref"]) for x in DPYD["variants"]]
    return _changed({p: f"{ref}/{ref}" for p, ref in loci}, changed)


def _changed(sites: dict[int, str], changed: dict[str, str]) -> ObservedGene:
    sites = sites | {int(name[1:]): text for name, text in changed.items()}
    return observed({position: text for position, text in sites.items() if text})


def vcf(records: list[str], samples: tuple[str, ...] = ("7",), head: str = CONTIGS) -> str:
    """A VCF of GRCh38; records are separated by blanks."""
    body = "".join("\t".join(record.split()) + "\n" for record in records)
    return "##fileformat=VCFv4.2\n" + head + COLUMNS + "\t".join(samples) + "\n" + body
