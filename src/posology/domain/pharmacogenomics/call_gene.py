"""Call one gene by the method that its alleles need."""

from collections.abc import Mapping

from posology.domain.pharmacogenomics.calling import GeneCall, call_pairs
from posology.domain.pharmacogenomics.definitions import GeneDefinition, ObservedGene
from posology.domain.pharmacogenomics.lowest_activity import (
    LOWEST_ACTIVITY_GENES,
    call_lowest_activity,
)


def call_gene(
    definition: GeneDefinition, observed: ObservedGene, activity: Mapping[str, float]
) -> GeneCall:
    """The diplotypes of a gene; `activity` is the value of each allele, where the gene has them."""
    if definition.gene in LOWEST_ACTIVITY_GENES:
        return call_lowest_activity(definition, observed, activity)
    return call_pairs(definition, observed)
