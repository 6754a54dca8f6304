"""DPYD: each variant counts by itself, and the lowest activity of each strand decides.

CPIC's guideline for fluoropyrimidines (Amstutz et al., Clin Pharmacol Ther 2018;103:210,
doi:10.1002/cpt.911, and its update of November 2018): the activity score adds the lowest values of
the two strands. Where it is not known which strand has which variant, the two lowest values of all
variants count, as if they lay on different strands: the cautious reading.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

from posology.domain.pharmacogenomics.calling import (
    GeneCall,
    describe_misfit,
    find_problem,
    missing_names,
    no_call,
)
from posology.domain.pharmacogenomics.definitions import (
    GeneDefinition,
    ObservedGene,
    in_natural_order,
    join_diplotype,
    natural_order,
    sort_pair,
)

LOWEST_ACTIVITY_GENES = ("DPYD",)
_INTRON, _EXON = "rs75017182", "rs56038477"
"""HapB3: the intronic variant is the cause and decides, the exonic one is a tag of it."""

_MOST_BLOCKS = 10
"""More unlinked variants than this are listed, not arranged; our choice."""

Strand = frozenset[str]
"""Names of the alleles on one strand."""


@dataclass(frozen=True, slots=True)
class _Variant:
    """A changed base: the alleles that it may belong to are found strand by strand."""

    marker: str
    """The allele's name, or the dbSNP identifier of a part of HapB3."""
    strands: tuple[bool, bool]
    block: str
    """Variants of one block keep their strands; empty if it is on both."""


def call_lowest_activity(
    definition: GeneDefinition, observed: ObservedGene, activity: Mapping[str, float]
) -> GeneCall:
    """Call a gene whose alleles are single variants; `activity` is the value of each allele."""
    problem = find_problem(definition, observed)
    if problem or _has_unknown_base(definition, observed):
        return no_call(definition, observed, problem or describe_misfit(definition, observed))
    reference = definition.reference.name
    variants = _find_variants(definition, observed)
    arranged = _arrange(definition, observed, variants)

    def lowest(strand: Strand) -> str:
        return min(strand or {reference}, key=lambda n: (activity.get(n, -1.0), natural_order(n)))

    def total(pair: tuple[str, str]) -> tuple[object, ...]:
        return sum(activity.get(name, -1.0) for name in pair), tuple(map(natural_order, pair))

    pairs = {sort_pair(lowest(first), lowest(second)) for first, second in arranged}
    possible = {
        sort_pair(lowest(first), lowest(second))
        for strands in arranged
        for first, second in product(*(_without_hapb3(definition, observed, x) for x in strands))
    }
    blocks = {variant.block for variant in variants} - {""}
    is_listed = len(blocks) > 1 and not any(block.startswith("PS ") for block in blocks)
    first, second = arranged[0]
    names = [*first, *second]
    hidden = _hidden(definition, observed)
    return GeneCall(
        definition.gene,
        () if is_listed else _names(arranged, reference),
        (min(pairs, key=total),),
        (),
        tuple(sorted(names, key=natural_order)) if is_listed else (),
        in_natural_order(hidden - set(names)),
        missing_names(definition, observed),
        frozenset(_widen(possible, hidden)),
        _hapb3_notes(definition, observed),
        definition.version,
    )


def _has_unknown_base(definition: GeneDefinition, observed: ObservedGene) -> bool:
    return any(
        set(observed.sites[x.position].alleles) - {x.ref, *x.alts}
        for x in definition.loci
        if x.position in observed.sites
    )


def _find_variants(definition: GeneDefinition, observed: ObservedGene) -> list[_Variant]:
    """The patient's changed bases. Of unphased ones the intron and exon of HapB3 lie together."""
    variants = {}
    for allele in definition.alleles:
        for index in () if allele.is_reference else allele.defining:
            locus = definition.loci[index]
            site = observed.sites.get(locus.position)
            if site is None or allele.bases[index] not in site.alleles:
                continue
            on = (site.alleles[0] == allele.bases[index], site.alleles[1] == allele.bases[index])
            block = "" if all(on) else site.phase_block or f"\0{locus.position}"
            if block.startswith("\0"):
                on = (False, True)
            marker = locus.rsid if locus.rsid in (_INTRON, _EXON) else allele.name
            variants[marker] = _Variant(marker, on, block)
    intron, exon = variants.get(_INTRON), variants.get(_EXON)
    if intron and exon and intron.block.startswith("\0") and exon.block.startswith("\0"):
        variants[_EXON] = replace(exon, block=intron.block)
    return list(variants.values())


def _arrange(
    definition: GeneDefinition, observed: ObservedGene, variants: list[_Variant]
) -> list[tuple[Strand, Strand]]:
    """Every way in which the variants may lie on two strands, with HapB3 recognised."""
    blocks = sorted({variant.block for variant in variants} - {""})
    free = blocks[1:_MOST_BLOCKS]
    arranged = {}
    for turned in product((False, True), repeat=len(free)):
        turn = dict(zip(free, turned, strict=True))
        strands = []
        for k in (0, 1):
            markers = {v.marker for v in variants if v.strands[k != turn.get(v.block, False)]}
            strands.append(_recognise_hapb3(definition, observed, markers))
        arranged[frozenset(strands)] = (strands[0], strands[1])
    return list(arranged.values())


def _recognise_hapb3(
    definition: GeneDefinition, observed: ObservedGene, markers: set[str]
) -> Strand:
    """The strand's alleles: HapB3 by its intronic variant, by its tag alone if that is missing."""
    names = markers - {_INTRON, _EXON}
    by_rsid = {locus.rsid: locus for locus in definition.loci}
    intron, exon = by_rsid.get(_INTRON), by_rsid.get(_EXON)
    if intron is None or exon is None:
        return frozenset(names)
    both, alone = _hapb3_names(definition)
    if _INTRON in markers:
        names |= {both if _EXON in markers else alone}
    elif _EXON in markers and intron.position not in observed.sites:
        names |= {both}
    return frozenset(names)


def _hapb3_names(definition: GeneDefinition) -> tuple[str, str]:
    """Name of the allele of intron and exon, and of that of the intron alone."""
    rsids = [locus.rsid for locus in definition.loci]
    wanted = (frozenset((rsids.index(_INTRON), rsids.index(_EXON))), {rsids.index(_INTRON)})
    both, alone = (next(a.name for a in definition.alleles if a.defining == w) for w in wanted)
    return both, alone


def _without_hapb3(
    definition: GeneDefinition, observed: ObservedGene, strand: Strand
) -> tuple[Strand, ...]:
    """The strand, and without HapB3 as well where only its tag was read."""
    intron = next((x for x in definition.loci if x.rsid == _INTRON), None)
    if intron is None or intron.position in observed.sites:
        return (strand,)
    return strand, strand - set(_hapb3_names(definition))


def _hapb3_notes(definition: GeneDefinition, observed: ObservedGene) -> tuple[str, ...]:
    seen = {x.rsid: observed.sites.get(x.position) for x in definition.loci}
    changed = {x.rsid: x.alts for x in definition.loci}
    intron, exon = seen.get(_INTRON), seen.get(_EXON)
    tags = 0 if exon is None else sum(base in changed[_EXON] for base in exon.alleles)
    if not tags:
        return ()
    if intron is None:
        return (f"HapB3 is read from {_EXON} alone; {_INTRON}, which decides, is missing.",)
    if tags > sum(base in changed[_INTRON] for base in intron.alleles):
        return (f"{_EXON} without {_INTRON} is not counted as HapB3.",)
    return ()


def _names(arranged: list[tuple[Strand, Strand]], reference: str) -> tuple[str, ...]:
    return in_natural_order(
        join_diplotype(_combine(first, reference), _combine(second, reference))
        for first, second in arranged
    )


def _hidden(definition: GeneDefinition, observed: ObservedGene) -> set[str]:
    absent = {i for i, x in enumerate(definition.loci) if x.position not in observed.sites}
    return {a.name for a in definition.alleles if not a.is_reference and a.defining & absent}


def _widen(pairs: set[tuple[str, str]], hidden: set[str]) -> set[tuple[str, str]]:
    """Every pair with none, one or both names replaced by one that may be there as well."""
    return {
        sort_pair(*chosen)
        for first, second in pairs
        for chosen in product({first, *hidden}, {second, *hidden})
    }


def _combine(names: Strand, reference: str) -> str:
    if len(names) < 2:
        return next(iter(names), reference)
    return f"[{' + '.join(sorted(names, key=natural_order))}]"
