"""Read tables of alleles, phenotypes and recommendations in the layout of PharmCAT and CPIC.

The folder, searched with its subfolders, may hold
- `GENE_translation.json`: allele definitions, as in PharmCAT's `definition/alleles`;
- `exemptions.json` beside them: required positions and priorities of unphased diplotypes;
- `phenotype/GENE.json` as PharmCAT ships them, or `phenotype_GENE.json`: alleles' functions and
  diplotypes' phenotypes;
- `*recommendation*.json`: CPIC's recommendations, a list of drugs each with its recommendations;
- `prescribing_guidance.json`: CPIC's recommendations as PharmCAT carries them.
Nothing of it is copied.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson

from posology.domain.pharmacogenomics.definitions import GeneDefinition, Locus, NamedAllele
from posology.domain.pharmacogenomics.guidance import Guidance
from posology.domain.pharmacogenomics.phenotypes import PhenotypeTable
from posology.domain.pharmacogenomics.tables import PgxTables, TableVersion, find_date
from posology.errors import RecordError
from posology.records.sources.genomics.pharmcat_guidance import (
    PRESCRIBING_GUIDANCE,
    read_prescribing_guidance,
)

Json = dict[str, Any]
_BUILD = "GRCh38"


def read_pgx_tables(folder: str | Path) -> PgxTables:
    """All tables of a folder; RecordError if there is none, or one is damaged."""
    root = Path(folder)
    if not root.is_dir():
        raise RecordError(f"{root}: there is no such folder of pharmacogenomic tables")
    files = sorted(root.rglob("*.json"))
    exemptions = {path.parent: _load(path) for path in files if path.name == "exemptions.json"}
    definitions = [
        _guard(path, lambda body, p=path: read_definition(body, exemptions.get(p.parent, {})))
        for path in files
        if path.name.endswith("_translation.json")
    ]
    phenotypes = [
        _guard(path, read_phenotypes)
        for path in files
        if path.parent.name == "phenotype" or path.name.startswith("phenotype_")
    ]
    sources = [path for path in files if "recommendation" in path.name.lower()]
    guidance = [rule for path in sources for rule in _guard(path, read_guidance)]
    rxnorm = {rule.drug: rule.rxnorm for rule in guidance if rule.rxnorm}
    carried = [
        rule
        for path in files
        if path.name == PRESCRIBING_GUIDANCE
        for rule in _guard(path, lambda body: read_prescribing_guidance(body, rxnorm))
    ]
    names = [path.name for path in sources]
    own = _version("recommendations", [x.version for x in guidance], names, len(guidance))
    of_pharmcat = _version("recommendations", [x.version for x in carried])
    guidance += carried
    if not definitions and not phenotypes and not guidance:
        raise RecordError(
            f"{root}: holds no pharmacogenomic table; expected GENE_translation.json, "
            "phenotype_GENE.json (or phenotype/GENE.json), *recommendation*.json or "
            "prescribing_guidance.json, as PharmCAT and CPIC publish them"
        )
    return PgxTables(
        {x.gene: x for x in definitions},
        {x.gene: x for x in phenotypes},
        tuple(guidance),
        (
            _version("allele definitions", [x.version for x in definitions]),
            _version("phenotypes", [x.version for x in phenotypes]),
            _join(own, of_pharmcat),
        ),
    )


def read_definition(body: Json, exemptions: Json) -> GeneDefinition:
    """One `GENE_translation.json` of PharmCAT."""
    gene = str(body["gene"])
    loci = tuple(
        Locus(
            str(x["chromosome"]),
            int(x["position"]),
            str(x["rsid"] or ""),
            str(x["ref"]).upper(),
            tuple(str(alt).upper() for alt in x["alts"]),
        )
        for x in body["variants"]
    )
    alleles = tuple(
        NamedAllele(str(x["name"]), tuple(x["alleles"]), bool(x["reference"]))
        for x in body["namedAlleles"]
        if not x.get("structuralVariant")
    )
    if sum(allele.is_reference for allele in alleles) != 1:
        raise ValueError("namedAlleles needs exactly one with reference true")
    if any(len(allele.bases) != len(loci) for allele in alleles):
        raise ValueError("every one of namedAlleles needs one of alleles for each of variants")
    build = str(body["genomeBuild"])
    if not build.startswith(_BUILD):
        raise ValueError(f"genomeBuild is {build!r}; only tables of {_BUILD} are read")
    exemption = exemptions.get(gene, {})
    priorities = tuple(
        (frozenset(x["list"]), str(x["pick"]))
        for x in exemption.get("unphasedDiplotypePriorities", ())
    )
    return GeneDefinition(
        gene,
        build,
        str(body.get("version") or ""),
        loci,
        alleles,
        tuple((body.get("suballelesMap") or {}).items()),
        frozenset(exemption.get("requiredPositions", ())),
        priorities,
    )


def read_phenotypes(body: Json) -> PhenotypeTable:
    """One gene's phenotypes, in PharmCAT's form or in the same with lists for diplotypes."""
    functions = {**body.get("haplotypes", {}), **body.get("haplotype_function", {})}
    for allele in body.get("namedAlleles", ()):
        functions[allele["name"]] = allele.get("functionValue") or functions.get(allele["name"], "")
    values = body.get("activityValues") or body.get("activity_values") or {}
    results: dict[tuple[str, ...], tuple[str, str, str]] = {}
    diplotypes = body["diplotypes"]
    if isinstance(diplotypes, dict):
        for name, (key, phenotype, score) in diplotypes.items():
            results[_pair_key(name.split("/"))] = (_text(phenotype), _text(key), _text(score))
    else:
        for x in diplotypes:
            names = [name for name, count in x["diplotypekey"].items() for _ in range(int(count))]
            phenotype = str(x.get("phenotype") or x.get("generesult") or "")
            key = _text(x.get("lookupkey")) or phenotype
            results[_pair_key(names)] = (phenotype, key, _text(x.get("activityScore")))
    return PhenotypeTable(
        str(body["gene"]),
        str(body.get("version") or ""),
        {str(name): _text(text) for name, text in functions.items()},
        {str(name): float(value) for name, value in values.items() if _is_number(value)},
        results,
    )


def read_guidance(body: list[Json]) -> list[Guidance]:
    """CPIC's recommendations: drugs with RxNorm code, guideline, PubMed numbers and rules."""
    if not isinstance(body, list):
        raise TypeError("expected a list of drugs")
    return [
        Guidance(
            str(drug["drug"]).strip().lower(),
            str(drug.get("drugid") or "").removeprefix("RxNorm:"),
            tuple((str(gene), str(key)) for gene, key in rule["lookupkey"].items()),
            str(rule.get("population") or "general").strip(),
            str(rule["recommendation"]).strip(),
            str(rule.get("classification") or "").strip(),
            "; ".join(str(text) for text in (rule.get("implications") or {}).values()),
            str(rule.get("comments") or "").strip().replace("n/a", ""),
            str(drug.get("guideline") or ""),
            _citation(drug),
            str(drug.get("cpic_version") or drug.get("version") or ""),
        )
        for drug in body
        for rule in drug["recommendations"]
    ]


def _citation(drug: Json) -> str:
    numbers = ", ".join(f"PMID {number}" for number in (drug.get("pmids") or ())[-1:])
    return "; ".join(part for part in (str(drug.get("url") or ""), numbers) if part)


def _text(value: object) -> str:
    """A number too, such as the activity 0 of an allele without function; empty for null."""
    return "" if value is None else str(value)


def _is_number(value: object) -> bool:
    return str(value).replace(".", "", 1).isdecimal()


def _pair_key(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(name.strip() for name in names))


def _join(first: TableVersion, second: TableVersion) -> TableVersion:
    """Two tables of the same content: both versions, and the older date; unknown if one's is."""
    if not first.entries or not second.entries:
        return first if first.entries else second
    made = None if first.made is None or second.made is None else min(first.made, second.made)
    version = " and ".join(x.version for x in (first, second) if x.version)
    return TableVersion(first.content, version, made, first.entries + second.entries)


def _guard(path: Path, read: Callable[[Any], Any]) -> Any:
    body = _load(path)
    try:
        return read(body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"needs {error}" if isinstance(error, KeyError) else str(error)
        raise RecordError(
            f"{path}: not a table in the layout of PharmCAT or CPIC: {what}; take it again from "
            "its publisher, or remove it from the folder"
        ) from error


def _load(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise RecordError(f"{path}: cannot be read as JSON: {error}") from error


def _version(
    content: str, versions: list[str], file_names: list[str] | None = None, entries: int = 0
) -> TableVersion:
    """Version and date: the oldest date of the versions, else of the files' names."""
    names = sorted({version for version in versions if version})
    dates = [found for text in names if (found := find_date(text)) is not None]
    dates = dates or [found for x in file_names or () if (found := find_date(x)) is not None]
    text = " to ".join(dict.fromkeys((names[0], names[-1]))) if names else ""
    return TableVersion(content, text, min(dates, default=None), entries or len(versions))
