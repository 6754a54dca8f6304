"""From diplotypes to allele functions, phenotype and activity score."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from posology.domain.pharmacogenomics.calling import GeneCall
from posology.domain.pharmacogenomics.definitions import join_diplotype

UNKNOWN_PHENOTYPES = ("", "indeterminate", "n/a", "no result", "unknown")
"""In lower case: what settles nothing."""


@dataclass(frozen=True, slots=True)
class PhenotypeTable:
    """Function of each allele, and phenotype of each pair, of one gene."""

    gene: str
    version: str
    functions: Mapping[str, str]
    """`No function`, or an activity value as text."""
    activity: Mapping[str, float]
    """Activity value of each allele, where the gene has them."""
    results: Mapping[tuple[str, ...], tuple[str, str, str]] = field(default_factory=dict)
    """By the sorted names of alleles: phenotype, lookup key, activity score (may be empty)."""


@dataclass(frozen=True, slots=True)
class Interpretation:
    """One diplotype in words."""

    diplotype: str
    functions: tuple[str, ...]
    """Of its two alleles; empty if the table has none."""
    phenotype: str
    """Empty if the table has none."""
    activity_score: str
    """Empty where the gene has none."""
    lookup_key: str
    """What recommendations are looked up by: the phenotype, or the activity score."""


@dataclass(frozen=True, slots=True)
class GeneResult:
    """One gene of a patient: from variants, or as a laboratory reported it."""

    gene: str
    call: GeneCall | None
    """None if a laboratory reported it."""
    interpretations: tuple[Interpretation, ...]
    """Of every diplotype that counts; several if the data do not decide between them."""
    is_settled: bool
    """Whether every diplotype that the data admit has the same phenotype, which is known."""
    open_phenotypes: tuple[str, ...]
    """Other phenotypes that the data admit, because of missing positions."""
    notes: tuple[str, ...]
    table_version: str
    """Of the table of phenotypes; empty if there is none for the gene."""

    @property
    def lookup_keys(self) -> tuple[str, ...]:
        """Distinct lookup keys, in the order of the interpretations."""
        return tuple(dict.fromkeys(x.lookup_key for x in self.interpretations if x.lookup_key))

    @property
    def phenotypes(self) -> tuple[str, ...]:
        """Distinct phenotypes; `Indeterminate` stays one."""
        return tuple(dict.fromkeys(x.phenotype for x in self.interpretations if x.phenotype))


@dataclass(frozen=True, slots=True)
class ReportedGene:
    """A laboratory's result of one gene. Empty texts were not reported."""

    gene: str
    diplotype: str = ""
    phenotype: str = ""
    activity_score: str = ""


def interpret_call(call: GeneCall, table: PhenotypeTable | None) -> GeneResult:
    """Phenotype and activity score of every diplotype that counts."""
    shown = tuple(_interpret(pair, table) for pair in call.acting)
    possible = {_interpret(pair, table).phenotype for pair in call.possible}
    seen = {x.phenotype for x in shown}
    known = {p for p in possible if p.lower() not in UNKNOWN_PHENOTYPES}
    notes = list(call.notes)
    if call.acting and table is None:
        notes.append(f"No table of phenotypes of {call.gene}.")
    elif "" in seen and table is not None:
        notes.append(f"The table of phenotypes ({table.version}) does not have this diplotype.")
    return GeneResult(
        call.gene,
        call,
        shown,
        len(possible) == 1 and known == possible,
        tuple(sorted(known - seen)),
        tuple(notes),
        "" if table is None else table.version,
    )


def interpret_report(report: ReportedGene, table: PhenotypeTable | None) -> GeneResult:
    """A laboratory's result: what it reported, completed from the table of its diplotype.

    HLA alleles may have several phenotypes at once: `*15:02 negative; *57:01 positive`.
    """
    if report.gene.startswith("HLA-") and report.phenotype:
        texts = [text.strip() for text in report.phenotype.split(";")]
        several = tuple(Interpretation(report.diplotype, (), text, "", text) for text in texts)
        return GeneResult(report.gene, None, several, True, (), (), "")
    pair = tuple(part.strip() for part in report.diplotype.split("/") if part.strip())
    found = _interpret(pair, table) if pair else Interpretation("", (), "", "", "")
    notes = []
    reported = report.phenotype
    if reported and found.phenotype and reported.lower() != found.phenotype.lower():
        notes.append(
            f"The laboratory reports {reported}; the table gives {found.phenotype} for "
            f"{report.diplotype}. The laboratory's is used."
        )
    by_score = bool(report.activity_score or (found.activity_score and not reported))
    score = number_text(report.activity_score) or ("" if reported else found.activity_score)
    if reported and found.activity_score and reported.lower() == found.phenotype.lower():
        score, by_score = score or found.activity_score, True
    phenotype = reported or found.phenotype
    shown = Interpretation(
        report.diplotype,
        found.functions,
        phenotype,
        score,
        score if by_score else (phenotype if reported else found.lookup_key or phenotype),
    )
    if not phenotype and not score and not report.gene.startswith("HLA-"):
        version = "" if table is None else f" ({table.version})"
        notes.append(
            f"No phenotype of {report.gene} {report.diplotype} is in the tables{version}: give the "
            "laboratory's phenotype or activity score."
        )
    settled = bool(score) or phenotype.lower() not in UNKNOWN_PHENOTYPES
    version = "" if table is None else table.version
    return GeneResult(report.gene, None, (shown,), settled, (), tuple(notes), version)


def number_text(text: str) -> str:
    """A score in one spelling: `1.0`, `0.25`; other texts as they are, such as `≥3.0`."""
    try:
        return str(float(text))
    except ValueError:
        return text.strip()


def _interpret(pair: tuple[str, ...], table: PhenotypeTable | None) -> Interpretation:
    name = join_diplotype(*pair) if len(pair) == 2 else "/".join(pair)
    if table is None:
        return Interpretation(name, (), "", "", "")
    names = tuple(_known_name(allele, table) for allele in pair)
    phenotype, key, score = table.results.get(tuple(sorted(names)), ("", "", ""))
    functions = tuple(table.functions.get(allele, "") for allele in names)
    return Interpretation(
        name, functions if any(functions) else (), phenotype, number_text(score), number_text(key)
    )


def _known_name(allele: str, table: PhenotypeTable) -> str:
    """The table's spelling: without a suballele's number, or with the `m.` of MT-RNR1."""
    for name in (allele, allele.partition(".")[0], f"m.{allele}"):
        if name in table.functions:
            return name
    return allele
