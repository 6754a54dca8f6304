"""From observed bases to the diplotypes of one gene: all that fit best, and what stays open."""

from collections.abc import Mapping
from dataclasses import dataclass

from posology.domain.pharmacogenomics.definitions import (
    GeneDefinition,
    ObservedGene,
    in_natural_order,
    join_diplotype,
    natural_order,
    sort_pair,
)
from posology.domain.pharmacogenomics.matching import AllelePair, match_pairs

REPORTED_ONLY = ("CYP2D6", "HLA-A", "HLA-B", "MT-RNR1")
"""Genes that are taken from laboratories alone: copy numbers, hybrids, long alleles and
heteroplasmy do not show in short variants (PharmCAT's documentation)."""
_SLCO1B1_SITE, _SLCO1B1_ALLELES = "rs4149056", {"T": "*1", "C": "*5"}
"""Where no diplotype fits, SLCO1B1 is read from this variant alone (Cooper-DeHoff et al., CPIC
guideline for statins, Clin Pharmacol Ther 2022;111:1007, doi:10.1002/cpt.2557)."""


@dataclass(frozen=True, slots=True)
class GeneCall:
    """What variants show of one gene."""

    gene: str
    diplotypes: tuple[str, ...]
    """All that fit best, `*1/*2`; empty if none fits or nothing is known."""
    acting: tuple[tuple[str, str], ...]
    """The pairs of alleles whose phenotypes count: of the diplotypes, or the two of lowest
    activity where a gene is judged so."""
    others: tuple[str, ...]
    """Diplotypes that fit too, and are less specific."""
    components: tuple[str, ...]
    """Alleles found where it is not known which strand has which (DPYD)."""
    not_excluded: tuple[str, ...]
    """Alleles that a missing position may hide."""
    missing: tuple[str, ...]
    """Positions of the definitions without a call, with the reason if it is not absence."""
    possible: frozenset[tuple[str, str]]
    """Every pair of alleles that the data admit; the fewer positions, the more."""
    notes: tuple[str, ...]
    """Whole sentences on how it was called, or why it was not."""
    version: str
    """Of the table of definitions."""


def call_pairs(definition: GeneDefinition, observed: ObservedGene) -> GeneCall:
    """Call a gene by the pairs of named alleles that explain every observed base."""
    problem = find_problem(definition, observed)
    if problem:
        return no_call(definition, observed, problem)
    pairs = match_pairs(definition, observed)
    visible = [pair for pair in pairs if pair.is_visible]
    if not visible:
        inferred = _infer_slco1b1(definition, observed)
        if inferred is not None:
            return inferred
        return no_call(definition, observed, describe_misfit(definition, observed))
    top, note = _choose(definition, visible, _is_phased(observed))
    names = dict(definition.core_names)
    acting = in_pair_order({_core(pair, names) for pair in top})
    diplotypes = tuple(join_diplotype(*pair) for pair in acting)
    others = {join_diplotype(*_core(pair, names)) for pair in visible} - set(diplotypes)
    shown = {name for pair in acting for name in pair}
    open_names = {name for pair in pairs for name in _core(pair, names)}
    return GeneCall(
        definition.gene,
        diplotypes,
        acting,
        in_natural_order(others),
        (),
        in_natural_order((open_names & _hidden(definition, observed)) - shown),
        missing_names(definition, observed),
        frozenset(_core(pair, names) for pair in pairs),
        (note,) if note else (),
        definition.version,
    )


def no_call(definition: GeneDefinition, observed: ObservedGene, reason: str) -> GeneCall:
    """A gene about which the variants settle nothing."""
    missing = missing_names(definition, observed)
    return GeneCall(
        definition.gene, (), (), (), (), (), missing, frozenset(), (reason,), definition.version
    )


def find_problem(definition: GeneDefinition, observed: ObservedGene) -> str:
    """Why a gene cannot be called at all; empty if it can."""
    if definition.gene in REPORTED_ONLY:
        return f"{definition.gene} is not called from variants: give the laboratory's result."
    if not observed.sites:
        return f"None of its {len(definition.loci)} positions has a call."
    missing = sorted(definition.required - set(observed.sites))
    if missing:
        names = [locus.name for locus in definition.loci if locus.position in missing]
        return f"Positions that it cannot be called without are missing: {', '.join(names)}."
    return ""


def describe_misfit(definition: GeneDefinition, observed: ObservedGene) -> str:
    """Why no pair of alleles fits: a base that no definition has, or a new combination."""
    odd = [
        f"{locus.name} {'/'.join(observed.sites[locus.position].alleles)}"
        for locus in definition.loci
        if locus.position in observed.sites
        and set(observed.sites[locus.position].alleles) - {locus.ref, *locus.alts}
    ]
    if odd:
        return f"An observed base is not in the definitions: {', '.join(odd)}."
    return "No pair of defined alleles explains the observed bases."


def missing_names(definition: GeneDefinition, observed: ObservedGene) -> tuple[str, ...]:
    """Names of the positions without a call, with the reason where a record has one."""
    reasons = observed.problems
    return tuple(
        f"{x.name} ({reasons[x.position]})" if x.position in reasons else x.name
        for x in definition.loci
        if x.position not in observed.sites
    )


def in_pair_order(pairs: set[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Pairs of names, *1/*2 before *1/*10."""
    return tuple(sorted(pairs, key=lambda pair: tuple(natural_order(name) for name in pair)))


def _is_phased(observed: ObservedGene) -> bool:
    """Whether only one arrangement of the strands is possible."""
    blocks = [
        site.phase_block or f"\0{position}"
        for position, site in observed.sites.items()
        if site.alleles[0] != site.alleles[1]
    ]
    return len(set(blocks)) <= 1


def _choose(
    definition: GeneDefinition, visible: list[AllelePair], is_phased: bool
) -> tuple[list[AllelePair], str]:
    """The pairs with the highest score; in unphased data the pick of the table's priorities."""
    if not is_phased:
        by_name = {join_diplotype(pair.first, pair.second): pair for pair in visible}
        for names, pick in definition.priorities:
            if names <= set(by_name) and pick in by_name:
                note = f"Unphased bases fit {' and '.join(in_natural_order(names))}; {pick} is the "
                return [by_name[pick]], note + "more frequent one by the table's priorities."
    best = max(pair.score for pair in visible)
    return [pair for pair in visible if pair.score == best], ""


def _core(pair: AllelePair, names: Mapping[str, str]) -> tuple[str, str]:
    return sort_pair(names.get(pair.first, pair.first), names.get(pair.second, pair.second))


def _hidden(definition: GeneDefinition, observed: ObservedGene) -> set[str]:
    """Alleles with a defining locus that has no call."""
    absent = {i for i, x in enumerate(definition.loci) if x.position not in observed.sites}
    names = dict(definition.core_names)
    return {
        names.get(allele.name, allele.name)
        for allele in definition.alleles
        if not allele.is_reference and allele.defining & absent
    }


def _infer_slco1b1(definition: GeneDefinition, observed: ObservedGene) -> GeneCall | None:
    if definition.gene != "SLCO1B1":
        return None
    locus = next((x for x in definition.loci if x.rsid == _SLCO1B1_SITE), None)
    site = None if locus is None else observed.sites.get(locus.position)
    if site is None or set(site.alleles) - set(_SLCO1B1_ALLELES):
        return None
    first, second = sorted(_SLCO1B1_ALLELES[base] for base in site.alleles)
    empty = no_call(definition, observed, "")
    note = f"No diplotype fits; {first}/{second} is inferred from {_SLCO1B1_SITE} alone."
    return GeneCall(
        definition.gene,
        (),
        ((first, second),),
        (),
        (),
        (),
        empty.missing,
        frozenset(((first, second),)),
        (note,),
        definition.version,
    )
