"""Read the genotypes and expected diplotypes from the tests of a PharmCAT checkout.

PharmCAT (MPL-2.0) writes its cases in Java: a builder sets the bases at single positions of a
gene, all others are the reference, and an assertion names the diplotypes. Nothing is copied.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from posology.domain.pharmacogenomics.definitions import GeneDefinition, ObservedGene, ObservedSite
from posology.domain.pharmacogenomics.tables import PgxTables
from posology.errors import RecordError
from posology.records.sources.genomics.gene_sites import read_gene_sites

_JAVA = Path("src/test/java/org/pharmgkb/pharmcat")
_RESOURCES = Path("src/test/resources")
_EDIT = re.compile(r"\.(\w+)\(([^()]*)\)")
_IGNORED = ("phased", "reference", "generate", "extraPosition", "missingExtraPosition", "forGene")
_UNKNOWN = ("UNKNOWN_CALL", "NO_DATA", "NO_OUTSIDE_DIPLOTYPE")


Spellings = dict[tuple[str, int], dict[str, str]]


@dataclass(frozen=True, slots=True)
class _Source:
    """What the cases are read with."""

    checkout: Path
    tables: PgxTables
    spellings: Spellings


@dataclass(frozen=True, slots=True)
class Case:
    """One gene of one test."""

    test: str
    gene: str
    observed: ObservedGene
    expected: tuple[str, ...]
    """Diplotypes, or DPYD's variants where strands are unknown; empty for no call."""
    is_top: bool
    """Whether only the diplotypes with the highest score are expected."""
    remark: str = ""
    """A half call or a base without definition, which the two programs treat differently."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A test that is not a case: why."""

    test: str
    reason: str


class _SkipError(Exception):
    pass


def read_cases(checkout: Path, tables: PgxTables, spellings: Spellings) -> Iterator[Case | Skipped]:
    """Every parsed case of the genes that the tables define."""
    source = _Source(checkout, tables, spellings)
    files = sorted((checkout / _JAVA / "haplotype").glob("NamedAlleleMatcher*Test.java"))
    files += [checkout / _JAVA / f"{name}.java" for name in ("PipelineTest", "DpydTest")]
    files += [checkout / _JAVA / f"{name}.java" for name in ("ToxicGenesTest", "PharmCATTest")]
    for path in files:
        text = re.sub(r"(?m)//.*$", "", re.sub(r"(?ms)^\s*/\*.*?\*/", "", path.read_text("utf-8")))
        for body in re.split(r"@Test\b", text)[1:]:
            found = re.search(r"void (\w+)\(", body)
            if found is not None:
                yield from _read_test(source, f"{path.stem}.{found[1]}", body)


def _read_test(source: _Source, test: str, body: str) -> Iterator[Case | Skipped]:
    seen = set()
    for found in re.finditer(
        r"(assertDiplotypePairs|testSourceDiplotypes|doStandardChecks)\(", body
    ):
        before, rest = body[: found.start()], body[found.end() :]
        statement = rest[: rest.find(";")]
        kind = found[1]
        try:
            if kind == "assertDiplotypePairs":
                cases = _matcher_case(source, test, (before, statement))
            else:
                cases = _pipeline_case(source, kind, test, (before, statement))
        except (_SkipError, RecordError) as error:
            yield Skipped(test, str(error))
            continue
        for case in cases:
            key = (case.gene, str(case.observed))
            if key not in seen:
                seen.add(key)
                yield case


def _matcher_case(source: _Source, test: str, texts: tuple[str, str]) -> list[Case]:
    before, statement = texts
    tables = source.tables
    found = re.match(r"NamedAlleleMatcher(\w+)Test", test)
    gene = found[1].upper() if found else ""
    if gene not in tables.definitions:
        raise _SkipError(f"no definition of {gene or 'its own gene'}")
    expected = _names(statement, before)
    place = before.rfind("testMatchNamedAlleles(")
    call = statement
    if "testMatchNamedAlleles" not in statement:
        end = before.find(";", place)
        call = before[place:end]
    ending = re.search(r"((?:,\s*(?:true|false))*)[\s)]*$", call)
    flags = re.findall(r"true|false", ending[1] if ending else "")
    is_top = bool(flags) and flags[{1: 0, 2: 1, 3: 0, 4: 1}[len(flags)]] == "true"
    if len(flags) in (2, 4) and flags[0] == "true":
        raise _SkipError("searches for combinations of alleles")
    if "TestVcfBuilder" in call:
        observed, remark = _build(call, tables.definitions[gene], source.spellings)
        return [Case(test, gene, observed, expected, is_top, remark)]
    files = re.findall(r'getPathToResource\(\s*"([^"]+\.vcf)"', before)
    if not files:
        raise _SkipError("its genotypes are not in the test")
    path = source.checkout / _RESOURCES / files[-1]
    patients = read_gene_sites(path, [tables.definitions[gene]], assembly="GRCh38")
    return [Case(test, gene, next(iter(patients.values()))[gene], expected, is_top)]


def _pipeline_case(source: _Source, kind: str, test: str, texts: tuple[str, str]) -> list[Case]:
    before, statement = texts
    tables = source.tables
    before = before[max(before.rfind("new PipelineWrapper("), 0) :]
    if re.match(r'new PipelineWrapper\(testInfo,\s*(?:"[^"]*",\s*)?true', before):
        raise _SkipError("searches for combinations of alleles")
    gene = "DPYD"
    if kind == "testSourceDiplotypes":
        first, _, statement = statement.partition(",")
        variable = re.search(rf'String {first.strip()} = "([\w-]+)"', texts[0])
        gene = variable[1] if variable else first.strip().strip('"')
    else:
        statement = statement.split(",", 2)[2]
    chain = before[before.find("getVcfBuilder()") :]
    chain = chain[: chain.find(";")]
    if gene not in tables.definitions or f'"{gene}"' not in chain:
        return []
    expected = _names(statement.strip(), texts[0])
    observed, remark = _build(chain, tables.definitions[gene], source.spellings)
    return [Case(test, gene, observed, expected, True, remark)]


def _names(statement: str, before: str) -> tuple[str, ...]:
    """The diplotypes of the first argument: a text, a list, or a variable set before."""
    text = statement.strip()
    variable = re.match(r"(\w+)\s*(?:[,)]|$)", text)
    if variable:
        if variable[1] in _UNKNOWN:
            return ()
        values = re.findall(rf"\b{variable[1]} = ([^;]*);", before)
        if not values:
            raise _SkipError(f"{variable[1]} is not set in the test")
        return _names(values[-1], before)
    if text.startswith(_UNKNOWN):
        return ()
    if text.startswith('"'):
        return _plain(re.findall(r'"([^"]*)"', text)[:1])
    inside = re.match(r"(?:List\.of|Lists\.newArrayList|new ArrayList<>)\(([^;]*)", text)
    if inside is None:
        raise _SkipError(f"cannot read {text[:40]!r}")
    listed = re.match(r'\s*((?:"[^"]*"\s*,?\s*|TextConstants\.\w+\s*,?\s*)*)\)', inside[1])
    if listed is None:
        raise _SkipError(f"cannot read {text[:40]!r}")
    if "HOMOZYGOUS_REFERENCE" in listed[1]:
        return ("Reference/Reference",)
    return _plain(re.findall(r'"([^"]*)"', listed[1]))


def _plain(names: list[str]) -> tuple[str, ...]:
    """CPIC's way to write DPYD, in alleles."""
    plain = []
    for name in names:
        if name.endswith(" (homozygous)"):
            plain += [name.removesuffix(" (homozygous)")] * 2
        elif name.endswith(" (heterozygous)"):
            plain.append(f"Reference/{name.removesuffix(' (heterozygous)')}")
        elif not name.startswith("Unknown"):
            plain.append(name)
    return tuple(plain)


def _build(
    chain: str, definition: GeneDefinition, spellings: Spellings
) -> tuple[ObservedGene, str]:
    """The genotypes that a builder's chain of calls sets; all others are the reference."""
    phase, remark = ("phased" if ".phased()" in chain else ""), ""
    gene = definition.gene
    sites = {x.position: ObservedSite((x.ref, x.ref), phase) for x in definition.loci}
    for name, arguments in _EDIT.findall(chain):
        words = [word.strip().strip('"') for word in arguments.split(",")]
        if name in _IGNORED or words[0] != gene:
            continue
        if name not in ("variation", "missing", "variationInPhaseSet"):
            raise _SkipError(f"{name} writes records that are not in the definitions")
        position, rest = _place(words[1:], definition)
        while name == "missing" and rest:
            sites.pop(position)
            position, rest = _place(rest, definition)
        if name == "missing":
            sites.pop(position)
            continue
        block = phase
        if rest[0] in ("true", "false"):
            block, rest = ("phased" if rest[0] == "true" else ""), rest[1:]
        elif name == "variationInPhaseSet":
            block, rest = f"PS {rest[0]}", rest[1:]
        sites.pop(position)
        if len(rest) != 2:
            raise _SkipError("a genotype with one allele")
        if "null" in rest or "." in rest:
            remark = "half call"
            continue
        alleles = [spellings[gene, position].get(word, word) for word in rest]
        sites[position] = ObservedSite((alleles[0], alleles[1]), block)
    odd = any(
        set(sites[x.position].alleles) - {x.ref, *x.alts}
        for x in definition.loci
        if x.position in sites
    )
    return ObservedGene(sites), "base without definition" if odd else remark


def _place(words: list[str], definition: GeneDefinition) -> tuple[int, list[str]]:
    if words[0].startswith("chr"):
        return int(words[1].rstrip("lL")), words[2:]
    positions = [x.position for x in definition.loci if x.rsid == words[0]]
    if not positions:
        raise _SkipError(f"{words[0]} is not in the definitions")
    return positions[0], words[1:]


def read_spellings(folder: Path) -> Spellings:
    """CPIC's names of bases (`delA`, `TA(7)`) in VCF's spelling, from the definitions' files."""
    bodies = [json.loads(path.read_text("utf-8")) for path in folder.rglob("*_translation.json")]
    return {
        (body["gene"], x["position"]): x["cpicToVcfAlleleMap"]
        for body in bodies
        for x in body["variants"]
    }
