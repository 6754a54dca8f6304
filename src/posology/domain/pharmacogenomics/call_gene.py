"""Call one gene by the method that its alleles need."""

from collections.abc import Mapping
from dataclasses import replace

from posology.domain.pharmacogenomics.calling import GeneCall, call_pairs
from posology.domain.pharmacogenomics.definitions import GeneDefinition, ObservedGene
from posology.domain.pharmacogenomics.lowest_activity import (
    LOWEST_ACTIVITY_GENES,
    call_lowest_activity,
)

TOXICITY_GENES = ("CACNA1S", "DPYD", "G6PD", "NUDT15", "RYR1", "TPMT")
"""Whose variants make a drug toxic, after PharmCAT's methods ("undocumented variations")."""


def call_gene(
    definition: GeneDefinition, observed: ObservedGene, activity: Mapping[str, float]
) -> GeneCall:
    """The diplotypes of a gene; `activity` is the value of each allele, where the gene has them.

    In genes of TOXICITY_GENES a position with a base that no definition has counts as missing: no
    call at all would hide what stands at the other positions. (PharmCAT takes it as the reference;
    here it stays open, so that such a gene is never settled by it.)
    """
    if definition.gene in TOXICITY_GENES:
        observed = _without_undefined_bases(definition, observed)
    if definition.gene in LOWEST_ACTIVITY_GENES:
        return call_lowest_activity(definition, observed, activity)
    return call_pairs(definition, observed)


def _without_undefined_bases(definition: GeneDefinition, observed: ObservedGene) -> ObservedGene:
    odd = {
        locus.position: f"{'/'.join(observed.sites[locus.position].alleles)}: in no definition"
        for locus in definition.loci
        if locus.position in observed.sites
        and set(observed.sites[locus.position].alleles) - {locus.ref, *locus.alts}
    }
    kept = {position: site for position, site in observed.sites.items() if position not in odd}
    return replace(observed, sites=kept, problems={**observed.problems, **odd}) if odd else observed
