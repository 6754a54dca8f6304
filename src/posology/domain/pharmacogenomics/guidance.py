"""Recommendations by drug, gene result and population: found, and put in order of caution."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from posology.domain.pharmacogenomics.lookup_keys import matching_keys, normal_key
from posology.domain.pharmacogenomics.phenotypes import GeneResult

AVOID, CHANGE, UNCERTAIN, STANDARD = "avoid", "change", "uncertain", "standard"
_RANK = {AVOID: 1, CHANGE: 2, UNCERTAIN: 3, STANDARD: 4}
_STRONG = "strong"

_AVOIDS = re.compile(r"\b(avoid|contraindicated|not recommended|do not use)\b", re.IGNORECASE)
_NOT_AVOIDS = re.compile(
    r"\bno (reason|need) to avoid|\binhibitors?\b|\bno contraindication", re.IGNORECASE
)
_UNCERTAIN = re.compile(
    r"^(no recommendation\b|n/a$|to ascertain |insufficient evidence|\w+ phenotype could not be )",
    re.IGNORECASE,
)
_PARTLY_KNOWN = re.compile(
    r"could not be assigned|(genotype|status|result)s? (result )?is (not available|unknown)",
    re.IGNORECASE,
)
"""One of two genes is unknown: what is then not a change is not known to be none."""
_STANDARD = re.compile(
    r"^(use .*(per standard dosing|label recommended|according to the product label)"
    r"|no reason to avoid|there is no need to avoid|no adjustments needed"
    r"|based on genotype, there is no indication to change"
    r"|(based on \w+( status)?, )?(prescribe desired starting dose|start with normal starting dose)"
    r"|initiate (\w+ )?(with|at) (standard|recommended)"
    r"|if considering \w+, use at standard dose)",
    re.IGNORECASE,
)
_NOT_STANDARD = re.compile(
    r"\b(consider|caution|myopathy|reduce[ds]?|alternative|lower|higher|increased?|\d+ ?%)\b|%",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Guidance:
    """One recommendation of a guideline."""

    drug: str
    rxnorm: str
    """RxNorm concept of the ingredient; empty if the table has none."""
    keys: tuple[tuple[str, str], ...]
    """Gene and lookup key: a phenotype, an activity score, `*57:01 positive` or `No Result`."""
    population: str
    """`general`, or whom it is for."""
    text: str
    strength: str
    """Strong, Moderate, Optional, No Recommendation."""
    implications: str
    comments: str
    guideline: str
    citation: str
    """Address and PubMed numbers."""
    version: str

    @property
    def effect(self) -> str:
        """AVOID, CHANGE (another dose, drug or closer watch), UNCERTAIN or STANDARD.

        Read from the recommendation's words; what is not plainly standard counts as a change.
        """
        sentences = re.split(r"(?<=[.;])\s+", self.text)
        if any(_AVOIDS.search(x) and not _NOT_AVOIDS.search(x) for x in sentences):
            return AVOID
        if _UNCERTAIN.search(self.text) or self.strength.lower() == "no recommendation":
            return UNCERTAIN
        if not _STANDARD.search(self.text) or _NOT_STANDARD.search(self.text):
            return CHANGE
        return UNCERTAIN if _PARTLY_KNOWN.search(self.text) else STANDARD

    @property
    def forbids(self) -> bool:
        """Whether it says strongly that the drug is not to be used."""
        return self.effect == AVOID and self.strength.lower() == _STRONG

    @property
    def caution(self) -> int:
        """Smaller is more cautious."""
        return 0 if self.forbids else _RANK[self.effect]


@dataclass(frozen=True, slots=True)
class DrugGuidance:
    """What one guideline recommends about one drug for one patient."""

    drug: str
    rxnorm: str
    guideline: str
    genes: tuple[str, ...]
    matched: tuple[Guidance, ...]
    """Of every result and population that the patient may have, the most cautious first."""
    unknown: tuple[str, ...]
    """Genes of the guideline of which nothing is known."""

    @property
    def forbids(self) -> bool:
        """Whether some result of the patient forbids the drug in every population that is left."""
        groups = _by_population(self.matched)
        return bool(groups) and all(rules[0].forbids for rules in groups.values())


def find_guidance(
    rules: Sequence[Guidance],
    results: Mapping[str, GeneResult],
    drugs: Iterable[str] = (),
    population: str = "",
) -> list[DrugGuidance]:
    """Guidance of each drug and guideline: of all drugs, or of those named by word or RxNorm code.

    Args:
        results: what is known of the patient, by gene.
        drugs: names or RxNorm codes; without any, all drugs about whose genes something is known.
        population: the start of a population's name, such as `CVI ACS PCI`; without one, all.
    """
    wanted = {drug.strip().lower() for drug in drugs}
    found = []
    for (drug, guideline), group in groupby(
        sorted(rules, key=lambda x: (x.drug, x.guideline)), lambda x: (x.drug, x.guideline)
    ):
        members = list(group)
        if wanted and not wanted & {drug, members[0].rxnorm}:
            continue
        genes = tuple(sorted({gene for rule in members for gene, _ in rule.keys}))
        if not wanted and not set(genes) & set(results):
            continue
        matched = [
            rule
            for of_population in _by_population(members).values()
            if _is_for(of_population[0], population)
            for rule in _find_rules(of_population, results)
        ]
        matched.sort(key=lambda x: (x.caution, x.population, x.text))
        unknown = tuple(gene for gene in genes if not _is_known(results.get(gene)))
        found.append(
            DrugGuidance(drug, members[0].rxnorm, guideline, genes, tuple(matched), unknown)
        )
    return found


def _by_population(rules: Iterable[Guidance]) -> dict[str, list[Guidance]]:
    groups: dict[str, list[Guidance]] = {}
    for rule in rules:
        groups.setdefault(rule.population, []).append(rule)
    return groups


def _is_for(rule: Guidance, population: str) -> bool:
    own = normal_key(rule.population)
    return not population or own.endswith("general") or own.startswith(normal_key(population))


def _is_known(result: GeneResult | None) -> bool:
    return result is not None and bool(result.lookup_keys or _alleles(result))


def _find_rules(rules: Sequence[Guidance], results: Mapping[str, GeneResult]) -> list[Guidance]:
    """Those of one population whose keys the patient's results match, of every gene."""
    keys: dict[str, set[str]] = {}
    for rule in rules:
        for gene, key in rule.keys:
            keys.setdefault(gene, set()).add(key)
    matched = {gene: _matches(results.get(gene), gene, found) for gene, found in keys.items()}
    return [rule for rule in rules if all(key in matched[gene] for gene, key in rule.keys)]


def _matches(result: GeneResult | None, gene: str, keys: set[str]) -> set[str]:
    """The keys of a gene that a patient's result matches."""
    if result is None or not _is_known(result):
        return {key for key in keys if normal_key(key) == "no result"}
    matched = matching_keys(result.lookup_keys, keys)
    if gene.startswith("HLA-"):
        matched |= {key for key in keys if _is_carried(result, key)}
    return matched


def _is_carried(result: GeneResult, key: str) -> bool:
    """Whether the alleles of HLA say `*57:01 positive`, or negative."""
    name, _, sign = key.partition(" ")
    alleles = _alleles(result)
    is_carried = any(allele == name or allele.startswith(f"{name}:") for allele in alleles)
    if sign == "negative":
        return len(alleles) >= 2 and not is_carried
    return sign == "positive" and is_carried


def _alleles(result: GeneResult) -> tuple[str, ...]:
    return tuple(
        part.strip()
        for shown in result.interpretations
        for part in shown.diplotype.split("/")
        if part.strip()
    )
